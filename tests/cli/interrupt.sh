#!/bin/sh
# An interrupt ends long work with status 130 and leaves no file behind.
M=$PWD/tests/golden/llama/plain
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
ids=$(awk 'BEGIN { for (i = 0; i < 1500; i++) printf "%s%d", i ? "," : "", i % 61 }')
for signal in INT TERM; do
    "$HEED" attribute -m "$M" --ids "$ids" --at all -o a.json -q >out 2>err &
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -e a.json.part ] && break
        sleep 0.2
    done
    kill -$signal $!
    wait $!
    echo "exit $?"
    sed 's/during.*/.../' err
    ls
done
