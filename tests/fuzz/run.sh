#!/bin/sh
# run.sh BUILD SECONDS [TARGET...] - every fuzz target for so long, one after
# another. Prints how many inputs each ran; fails if one of them failed.
build=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- $(ls tests/fuzz | sed -n 's/^fuzz_\(.*\)\.c$/\1/p')
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
status=0
for target in "$@"; do
    found=$build/tests/fuzz/found/$target
    mkdir -p "$found"
    log=$build/tests/fuzz/$target.log
    if "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 \
        -max_len=6000 -dict=tests/fuzz/fuzz.dict -print_final_stats=1 \
        -artifact_prefix="$build/tests/fuzz/$target-" "$found" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
        echo "$target: $(sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\).*/\1 inputs in \2 seconds/p' "$log"), no finding"
    else
        status=1
        echo "$target: FAILED, see $log"
        tail -n 40 "$log"
    fi
done
exit $status
