#!/bin/sh
# corpus.sh BUILD INPUTS KILLS [PYTHON] - a data set into one file, with
# kill -9 at random moments. After each, the file opens and has every input
# that was reported; at the end it is the file of a run without a break, byte
# for byte. PYTHON has h5py: then it is what opens the file, too.
build=$(cd "$1" && pwd) || exit 1
inputs=$2 kills=$3 python=$4
model=$PWD/examples/models/austen-llama
passage=$model/passage.txt
export SOURCE_DATE_EPOCH=1000000000 OMP_WAIT_POLICY=passive
work=$(mktemp -d) && cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}

# Stretches of the passage, of 1 to 12 words.
tr -s '\n"\\' '   ' <"$passage" | awk -v n="$inputs" '{
    for (i = 0; i < n; i++) {
        text = ""
        for (k = 0; k <= (i * 7) % 12; k++)
            text = text (k ? " " : "") $((i * 5 + k) % NF + 1)
        print "{\"text\": \"" text "\"}"
    }
}' >d.jsonl

run() { # run FOLDER & is heed itself, and the arguments are the same in each
    cd "$1" && exec "$build/heed" attribute -m "$model" --dataset ../d.jsonl \
        -a attn_lrp,input_x_gradient -o c.h5 --json -q
}
now() {
    date +%s%N | cut -c 1-13
}

mkdir whole broken
start=$(now)
(run whole >whole/out) || fail "status $?"
took=$(($(now) - start))
[ "$("$build/tests/test_corpus" whole/c.h5)" = "$inputs" ] || fail 'not all inputs'

i=0 hit=0
while [ $i -lt "$kills" ]; do
    i=$((i + 1))
    run broken >broken/out &
    sleep "$(awk -v seed=$i -v t="$took" -v k="$kills" \
        'BEGIN { srand(seed * 7919); printf "%.3f", 0.02 + rand() * 1.6 * t / k / 1000 }')"
    kill -9 $! 2>/dev/null && hit=$((hit + 1))
    wait $! 2>/dev/null
    reported=$(wc -l <broken/out)
    if [ ! -e broken/c.h5 ]; then
        [ "$reported" -eq 0 ] || fail "kill $i: no file"
        continue
    fi
    n=$("$build/tests/test_corpus" broken/c.h5) || fail "kill $i: does not open"
    [ "$n" -ge $((${before:-0} + reported)) ] ||
        fail "kill $i: has $n, had ${before:-0}, reported $reported"
    [ -z "$python" ] || "$python" -c '
import sys, h5py
with h5py.File("broken/c.h5") as f:
    n = f["sample"].shape[0]
    last = f["explanations/attn_lrp/relevance"][:]
    assert last.shape == f["input/token"].shape == f["token_row"].shape
    assert n == int(sys.argv[1]), n' "$n" || fail "kill $i: h5py"
    before=$n
done
[ $hit -gt 0 ] || fail 'nothing was killed'
(run broken >broken/out) || fail "status $?"
cmp whole/c.h5 broken/c.h5 || fail 'another file'
[ "$(ls broken)" = "$(printf 'c.h5\nout')" ] || fail "left: $(ls broken)"
(run broken >broken/out) && [ ! -s broken/out ] || fail 'a finished run goes on'
[ -z "$python" ] || echo "$hit kills of $kills, $inputs inputs: the same bytes"
