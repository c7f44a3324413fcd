#!/bin/sh
# The least --max-memory that a dry run accepts is the one that it prints, and the
# least with which the run works. What a process holds before it runs is not the
# same each time: it depends on where libraries lie, and on which of their pages
# are in memory. So a difference counts if it is there three times.
root=$PWD
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
most=512 # KiB
fixed=
setarch -R true 2>/dev/null && fixed='setarch -R'
text=$(for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    echo 'It is a truth universally acknowledged, that a single man in possession'
done)
heed() {
    $fixed "$HEED" "$@" -p "$text" -t 1 -q --force
}
accepts() { # accepts KIB ARGS
    cap=$1
    shift
    heed "$@" --max-memory "${cap}K" >out 2>why && return
    grep -q 'the run needs at least' why || cat why
    false
}
least() { # least ARGS: in KiB, to 8 of them
    low=1024 high=262144
    while [ $((high - low)) -gt 8 ]; do
        middle=$(((low + high) / 2))
        if accepts $middle "$@"; then high=$middle; else low=$middle; fi
    done
    echo $high
}
differs() { # differs ARGS: what is not the same
    dry=$(least "$@" --dry-run)
    accepts $((dry + most)) "$@" || echo "$dry KiB: the run needs more: $(cat why)"
    accepts $((dry - most)) "$@" && echo "$dry KiB: the run needs less"
    printed=$(heed "$@" --dry-run | sed -n 's/.*peak_min\t\([0-9]*\)\t.*/\1/p' |
        sort -n | tail -n 1)
    d=$((printed / 1024 - 1024 - dry)) # less what is for another process
    [ ${d#-} -le $most ] || echo "$dry KiB accepted, $printed bytes printed"
}
same() { # same MODEL COMMAND ARGS
    model=$1
    shift
    echo "\$ heed $* # $model"
    set -- "$@" -m "$root/examples/models/$model"
    for try in 1 2 3; do
        found=$(differs "$@")
        [ -z "$found" ] && return
    done
    echo "$found"
}

same austen-llama attention --layers 1 --heads 1
same austen-llama attention -o maps.h5
same austen-llama attention -o maps.npz
same austen-llama attention --svg maps.svg
same austen-llama attention --profile -o profile.h5
same austen-mamba attention --reduce abs_mean -o maps.h5
same austen-mamba attention --reduce weighted -o maps.h5
same austen-llama attribute
same austen-llama attribute -o all.h5
same austen-mamba attribute -a mamba_lrp,saliency -o all.h5
