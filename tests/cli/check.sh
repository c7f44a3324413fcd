#!/bin/sh
# heed check on small models: what is checked, and that it passes. No numbers.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
out=$dir/out
M=tests/golden/llama/plain
run() {
    "$HEED" check "$@" >"$out" 2>"$dir/err"
    status=$?
    cat "$dir/err"
    echo "exit $status"
}

for m in llama gpt2 mamba falcon_mamba mamba2 rwkv; do
    echo "# $m"
    run -m "tests/golden/$m/plain"
    cut -f 1,5 "$out"
done
echo '# how much is missing, where that is asked'
head -n 1 "$out"
awk -F '\t' '$6 != "-" && NR > 1 { print $1, ($6 + 0 == $6) }' "$out"
echo '# other inputs'
run -m "$M" --ids 1
grep steps "$out" | cut -f 1,5
run "$M" --ids 1
grep steps "$out" | cut -f 1,5
run -m "$M" --ids "$(seq -s , 0 60),$(seq -s , 0 40)" --layers all
cut -f 5 "$out" | grep -c '^ok$'
run -m "$M" --ids 1,2,3 --layers 0-1 --json
grep -o '"n_tokens": 3\|"name": "[a-z]*"' "$out"
grep -c '"result": "ok"' "$out"

echo '# a weight that is not a number'
cp -r "$M" "$dir/bad"
size=$(wc -c <"$dir/bad/model.safetensors")
printf '\000\000\300\177' |
    dd of="$dir/bad/model.safetensors" bs=1 seek=$((size - 4)) conv=notrunc 2>/dev/null
run -m "$dir/bad"
cut -f 1,2,5 "$out"
run -m "$dir/bad" --json
grep -c '"result": "FAILED"' "$out"

echo '# wrong use'
run -m "$M" --ids 99
run -m "$M" --layers 2
run -m "$M" --layers 1-0
run -m "$M" -a saliency
run "$M" -m "$M"
run
