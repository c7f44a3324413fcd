#!/bin/sh
# --dataset into one file: kills, interrupts, another run, what is refused.
"$HEED" formats | grep -q '^hdf5' || {
    cat "${0%.sh}.out" # nothing to see in this build
    exit 0
}
build=$(dirname "$HEED")
M=$PWD/examples/models/austen-llama
sh tests/corpus.sh "$build" 12 4 || exit 1
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
export SOURCE_DATE_EPOCH=1000000000
count=$build/tests/test_corpus

for text in It was a truth; do
    echo "{\"text\": \"$text\"}"
done >d.jsonl
run() {
    "$HEED" attribute -m "$M" --dataset d.jsonl "$@" 2>&1 >/dev/null |
        sed "s|$dir|DIR|;s/[0-9a-f]\{64\}/HASH/g"
}
echo '# one file; the same command again has nothing to do'
run -o a.h5 -q
"$count" a.h5
run -o a.h5 -q
echo '# another run'
run -o a.h5 -a saliency -q
run -o a.h5 -q --seed 3
echo '{"text": "more"}' >>d.jsonl
run -o a.h5 -q
"$count" a.h5
run -o a.h5 -q --force
"$count" a.h5
run -o n.h5 -q --no-hash
run -o n.h5 -q --no-hash
echo '# several methods, several targets, relevance inside, any batch'
run -o b.h5 -q -a attn_lrp,saliency --at all --keep layer -b 3
"$count" b.h5
echo '# what is refused'
run -o a.json -q
run -o a.h5 -q -a attention
run -o a.h5.part/a.h5 -q
for n in 0 8 100 5000; do
    head -c $n a.h5 >cut.h5
    run -o cut.h5 -q | sed 's/of [0-9]* bytes/of N bytes/'
    [ "$(wc -c <cut.h5)" -eq $n ] || echo 'cut.h5 has changed'
done
rm cut.h5*
"$HEED" render a.h5 --png a.png 2>&1 | cut -d: -f 2
[ ! -e a.png ] || echo 'a picture of many inputs'
echo '# one for each input'
run -o e.json -q --per-file
ls
echo '# an interrupt keeps what is finished'
i=0
while [ $i -lt 4000 ]; do
    echo '"to be or not to be"'
    i=$((i + 1))
done >d.jsonl
"$HEED" attribute -m "$M" --dataset d.jsonl -o i.h5 -q >out 2>err &
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -e i.h5 ] && break
    sleep 0.2
done
kill -INT $!
wait $!
echo "exit $?"
sed 's/ during.*//' err
[ "$("$count" i.h5)" -gt 0 ] && echo some inputs
[ -e i.h5.part ] || echo nothing else
