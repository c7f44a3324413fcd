#!/bin/sh
# demo.sh BUILD - explain a passage with the two shipped models, side by side.
# Every command is printed before it runs; files go to BUILD/demo*.
build=${1:-build}
heed=$build/heed
model=examples/models/austen-llama
other=examples/models/austen-mamba
text=$(cat $model/passage.txt)

run() {
    printf '\n$ heed'
    shown=$1
    shift
    for a in "$@"; do
        case $a in
        "$text") printf ' "$(cat %s)"' $model/passage.txt ;;
        *' '*) printf " '%s'" "$a" ;;
        *) printf ' %s' "$a" ;;
        esac
    done
    printf '\n'
    "$shown" "$@" || exit
}

run "$heed" predict -m $model -p "$text" --top 3
run "$heed" attribute -m $model -p "$text" --color always \
    --robust 99 -o "$build/demo-llama.h5" --force
run "$heed" attribute -m $other -p "$text" --color always \
    --robust 99 -o "$build/demo-mamba.h5" --force
# the last token, whose own state is what the answer is read from, would pale
# all others: a robust range names it instead
run "$heed" render "$build/demo-llama.h5" "$build/demo-mamba.h5" --robust 99 \
    --png "$build/demo.png" --force
run "$heed" attention -m $model -p "$text" --layers 3 --heads 0 \
    --png "$build/demo-attention.png" --force
printf '\nWritten:\n'
for f in demo-llama.h5 demo-mamba.h5 demo.png demo-attention.png; do
    [ -s "$build/$f" ] || exit 1
    printf '  %s\n' "$build/$f"
done
printf 'Next: heed help attribute, or a model of yours after -m\n'
