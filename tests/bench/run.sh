#!/bin/sh
# run.sh BUILD PYTHON - time heed beside transformers + lxt on a SmolLM2 model.
#
#   HEED_SMOLLM2_DIR    the model as a Hugging Face directory, float32
#   HEED_SMOLLM2_GGUF   the same model as GGUF
#   HEED_BENCH          further options of bench.py, e.g. "--rounds 3 --lengths 128"
#
# One of the two is enough; the peer needs the directory and, in PYTHON, torch,
# transformers 4.52.4 and lxt 2.1. BUILD/tests/bench/bench_llama is heed's side.
build=${1:-build}
python=${2:-python3}
program=$build/tests/bench/bench_llama
if [ -z "$HEED_SMOLLM2_DIR$HEED_SMOLLM2_GGUF" ]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 1
fi
if [ ! -x "$program" ]; then
    echo "run.sh: $program is missing; build it first" >&2
    exit 1
fi
# shellcheck disable=SC2086
exec "$python" "$(dirname "$0")/bench.py" --heed "$program" ${HEED_SMOLLM2_DIR:+--dir "$HEED_SMOLLM2_DIR"} \
    ${HEED_SMOLLM2_GGUF:+--gguf "$HEED_SMOLLM2_GGUF"} $HEED_BENCH
