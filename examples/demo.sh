#!/bin/sh
# demo.sh BUILD - explain a passage with the shipped model. Every command is
# printed before it runs; files go to BUILD/demo.
build=${1:-build}
heed=$build/heed
model=examples/models/austen-llama
out=$build/demo
text='It is a truth universally acknowledged, that a single man in possession of a good'

run() {
    printf '\n$ heed'
    shown=$1
    shift
    for a in "$@"; do
        case $a in
        *' '*) printf " '%s'" "$a" ;;
        *) printf ' %s' "$a" ;;
        esac
    done
    printf '\n'
    "$shown" "$@" || exit
}

mkdir -p "$out" || exit
run "$heed" predict -m $model -p "$text" --top 3
run "$heed" attribute -m $model -p "$text" -o "$out/demo.h5" \
    --png "$out/demo.png" --force
run "$heed" attribute -m $model -p "$text" --target contrast_logit_diff -q
run "$heed" attention -m $model -p "$text" --layers 0 --heads 0 \
    --png "$out/attention.png" --force
printf '\nWritten: %s\n' "$out/demo.h5 $out/demo.png $out/attention.png"
printf 'Next: heed help attribute, or a model of yours after -m\n'
