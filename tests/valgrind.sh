#!/bin/sh
# valgrind.sh BUILD - one run of each command under memcheck, on the shipped
# models: no error and no definite leak. Prints a line for each.
build=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
command -v valgrind >/dev/null || {
    echo "valgrind.sh: there is no valgrind" >&2
    exit 1
}
# Valgrind knows no AVX-512; of its processor so do OpenBLAS and we.
export HEED_ISA=avx2 OPENBLAS_NUM_THREADS=1
llama=examples/models/austen-llama
mamba=examples/models/austen-mamba
text='It is a truth universally acknowledged'
failed=0
commands=$("$build/heed" help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
seen=

run() { # run STATUS COMMAND ARGUMENTS...
    want=$1
    shift
    seen="$seen $1"
    valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
        --show-leak-kinds=definite --num-callers=30 --suppressions=tests/valgrind.supp \
        "$build/heed" "$@" >"$work/stdout" 2>"$work/stderr"
    status=$?
    printf '%3d  heed %s\n' $status "$(echo "$*" | sed "s|$work/||g" | cut -c 1-100)"
    [ $status -eq "$want" ] && ! grep -q '^==' "$work/stderr" && return
    echo "FAILED: exit status $status, not $want"
    sed 's/^/    | /' "$work/stderr" | head -n 60
    failed=$((failed + 1))
}

run 0 help
run 0 help attribute
run 0 formats
run 0 methods
run 0 methods smooth_grad
run 0 models
run 0 inspect -m $llama
run 0 inspect -m $mamba --json
run 0 tokenize -m $llama -p "$text"
run 0 predict -m $llama -p "$text" -t 1
run 0 predict -m $mamba -p "$text" -t 2
run 0 predict -m tests/golden/bin/native --ids 1,2,3
run 0 embed -m tests/golden/bert/embed_relkeyquery_bf16 --ids 1,2,3 -t 2 -q -o "$work/e.npz"
run 0 attribute -m tests/golden/bert/relkeyquery --ids 1,2,3 --at 1 -a transformer_attribution -t 2 -q
run 0 generate -m $llama -p "$text" -n 3 -t 1
run 0 generate -m $mamba -p "$text" -n 3 -t 1
run 0 attention -m $llama -p "$text" -t 1 -q -o "$work/a.h5"
run 0 attention -m $llama -p "$text" -t 1 -q --layers 0 --heads 0 -o "$work/a.csv" --pdf "$work/a.pdf"
run 0 attribute -m $llama -p "$text" -t 2 -q --ledger --keep layer -o "$work/b.h5" --png "$work/b.png"
run 0 attribute -m $mamba -p "$text" -t 1 -q -n 2 -o "$work/b.npz" --svg "$work/b.svg"
run 0 attribute -m $llama -p "$text" -t 1 -q -a integrated_gradients,occlusion,smooth_grad,saliency \
    --steps 3 --samples 2 -o "$work/c.json"
run 0 render "$work/b.h5" --png "$work/d.png"
run 2 attribute -m $llama -p "$text" -a nosuch
run 3 predict -m "$work" -p "$text"
run 0 check -m $llama -p "It is" -t 1 --layers 0
run 0 check -m $mamba -p "It is" -t 1 --layers 0

for c in $commands; do
    case " $seen " in *" $c "*) ;; *) echo "FAILED: no run of heed $c" && failed=$((failed + 1)) ;; esac
done
echo "$failed failures"
[ $failed -eq 0 ]
