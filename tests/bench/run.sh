#!/bin/sh
# run.sh BUILD PYTHON - time heed beside its peers, for each of the two models
# that is there:
#
#   HEED_SMOLLM2_DIR    a SmolLM2 as a Hugging Face directory, float32
#   HEED_SMOLLM2_GGUF   the same model as GGUF; one of the two is enough
#   HEED_MAMBA_DIR      a Mamba as a Hugging Face directory; one of the size of
#                       mamba-130m, with random weights, is written by
#                       PYTHON tests/bench/random_mamba.py DIRECTORY
#   HEED_BENCH          further options of bench.py, e.g. "--rounds 3 --lengths 128"
#
# The scan alone and its matrices are timed beside loops of PyTorch where a Mamba
# is. Peers need a directory and, in PYTHON, torch, transformers 4.52.4 and
# (attn_lrp) lxt 2.1. BUILD/tests/bench/bench_model, bench_scan, bench_folds and bench_hidden
# are heed's side.
build=${1:-build}
python=${2:-python3}
here=$(dirname "$0")
program=$build/tests/bench/bench_model
if [ -z "$HEED_SMOLLM2_DIR$HEED_SMOLLM2_GGUF$HEED_MAMBA_DIR" ]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 1
fi
if [ ! -x "$program" ]; then
    echo "run.sh: $program is missing; build it first" >&2
    exit 1
fi
# shellcheck disable=SC2086
if [ -n "$HEED_SMOLLM2_DIR$HEED_SMOLLM2_GGUF" ]; then
    "$python" "$here/bench.py" --heed "$program" ${HEED_SMOLLM2_DIR:+--dir "$HEED_SMOLLM2_DIR"} \
        ${HEED_SMOLLM2_GGUF:+--gguf "$HEED_SMOLLM2_GGUF"} $HEED_BENCH || exit 1
fi
# shellcheck disable=SC2086
if [ -n "$HEED_MAMBA_DIR" ]; then
    "$python" "$here/bench_folds.py" --heed "$build/tests/bench/bench_folds" || exit 1
    "$python" "$here/bench_scan.py" --heed "$build/tests/bench/bench_scan" || exit 1
    "$python" "$here/bench_hidden.py" --heed "$build/tests/bench/bench_hidden" || exit 1
    "$python" "$here/bench.py" --heed "$program" --method mamba_lrp --dir "$HEED_MAMBA_DIR" $HEED_BENCH || exit 1
fi
