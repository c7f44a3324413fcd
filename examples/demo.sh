#!/bin/sh
# demo.sh BUILD - explain a passage with the shipped model. Every command is
# printed before it runs; files go to BUILD/demo*.
build=${1:-build}
heed=$build/heed
model=examples/models/austen-llama
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
    -o "$build/demo.h5" --png "$build/demo.png" --force
run "$heed" attention -m $model -p "$text" --layers 3 --heads 0 \
    --png "$build/demo-attention.png" --force
printf '\nWritten: %s\n' \
    "$build/demo.h5 $build/demo.png $build/demo-attention.png"
printf 'Next: heed help attribute, or a model of yours after -m\n'
