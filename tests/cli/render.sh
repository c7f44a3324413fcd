#!/bin/sh
# Pictures from result files. Prints what is not as it should be.
M=$PWD/tests/golden/llama/plain
N=$PWD/tests/golden/mamba/plain
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
if ! "$HEED" formats | grep -q '^hdf5' || ! "$HEED" formats | grep -q '^compare'; then
    echo 'skipped: pictures from result files, in a build without HDF5 or Cairo'
    echo done
    exit
fi
made() { # made FILE ARGUMENTS...: that file is drawn
    f=$1
    shift
    "$HEED" render "$@" >out 2>&1 || echo "render $*: $(cat out)"
    [ -s "$f" ] && [ ! -s out ] || echo "render $*: no $f, $(cat out)"
}
refused() { # refused STATUS WORDS ARGUMENTS...
    status=$1 words=$2
    shift 2
    "$HEED" render "$@" >out 2>&1
    got=$?
    [ $got -eq "$status" ] && grep -q "$words" out ||
        echo "render $*: exit $got, $(cat out)"
}
same() { cmp "$1" "$2" || echo "$1 and $2 differ"; }

"$HEED" attribute -m "$M" --ids 1,2,3 -q -a attn_lrp,gxi -o a.h5 --png a.png >/dev/null || exit
"$HEED" attribute -m "$N" --ids 1,2,3 -q -o b.h5 >/dev/null || exit
"$HEED" attribute -m "$M" --ids 1,2,3 -q --at 0,1,2 -o t.h5 --svg t.svg >/dev/null || exit
"$HEED" attention -m "$M" --ids 1,2,3 -q --layers 1 --heads 2 -o m.h5 --png m.png || exit

# the picture is the one that was drawn in the run
made one.png a.h5 --method gxi --png one.png
same one.png a_input_x_gradient.png
made att.png m.h5 --layers 1 --heads 2 --png att.png
same att.png m.png
"$HEED" attention -m "$M" --ids 1,2,3 -q --layers 1 --heads 2 --drop-first --png d.png || exit
made drop.png m.h5 --drop-first --robust 100 --png drop.png
same drop.png d.png
cmp -s d.png m.png && echo '--drop-first of a map changes nothing'
made one_1.svg t.h5 --figure token_heat --svg one.svg
same one_1.svg t_1.svg

# several maps are a grid, unless one is named
"$HEED" attention -m "$M" --ids 1,2,3 -q -o g.h5 --png g.png || exit
made grid.png g.h5 --png grid.png
same grid.png g.png
made again.png g.h5 --figure grid --png again.png
same again.png g.png
made one_of.png g.h5 --layers 1 --heads 2 --png one_of.png
same one_of.png m.png

# a profile is drawn as in the run, by any name
for m in "$M" "$N"; do
    for x in png svg; do
        "$HEED" attention -m "$m" --ids 1,2,3,4 -q --force --profile -o p.h5 --$x p.$x || exit
        rm -f reach.$x named.$x
        made reach.$x p.h5 --$x reach.$x
        same reach.$x p.$x
        made named.$x p.h5 --figure reach --$x named.$x
        same named.$x p.$x
    done
done
refused 2 'what fits: reach' p.h5 --figure grid --png x.png
refused 2 'what fits: reach' p.h5 --figure token_heat --png x.png
refused 2 'layers: a profile is drawn of all' p.h5 --layers 0 --png x.png
refused 2 'heads: a profile is drawn of all' p.h5 --figure reach --heads 0 --png x.png
refused 2 'no attention; what fits: reach' g.h5 p.h5 --figure grid --svg x.svg
rm -f x_0.svg

# several explanations: of a file, of several, of one method
made two.svg a.h5 --svg two.svg
made three.pdf a.h5 b.h5 --pdf three.pdf
made lrp.svg a.h5 b.h5 --method attn_lrp,mamba_lrp --svg lrp.svg --png lrp.png
made targets.svg t.h5 --svg targets.svg
"$HEED" render a.h5 b.h5 --color always | grep -c '#3' >out
[ "$(cat out)" -eq 3 ] || echo "on a terminal: $(cat out) heat maps"

# in the order of -a, or of --method
order() { # order FILE METHODS: of the panels in a PNG
    got=$(grep -a -o 'explanations/[a-z_]*' "$1" | sed 's/.*\///' | tr '\n' ' ')
    [ "$got" = "$2 " ] || echo "$1: $got"
}
"$HEED" attribute -m "$M" --ids 1,2,3 -q -a saliency,gxi,attn_lrp -o o.h5 >/dev/null || exit
made stored.png o.h5 --png stored.png
order stored.png 'saliency input_x_gradient attn_lrp'
made asked.png o.h5 --method gxi,saliency,input_x_gradient --png asked.png
order asked.png 'input_x_gradient saliency'
refused 2 'no result file' --png x.png
refused 2 'no picture' a.h5
refused 3 'No such file' none.h5 --png x.png
refused 4 'reads no result files' "$M/config.json" --png x.png
echo text >bad.h5
refused 3 'bad.h5: no HDF5 file' bad.h5 --png x.png
lines() { # lines N: so many on stderr, and no word of HDF5 itself
    { [ "$(wc -l <out)" -eq "$1" ] && ! grep -q 'HDF5-DIAG\|HDF5:' out; } ||
        echo "$(wc -l <out) lines: $(cat out)"
}
size=$(wc -c <g.h5)
for n in 0 8 100 $((size / 2)) $((size - 1)); do
    head -c "$n" g.h5 >cut.h5
    words='cut.h5: the HDF5 file is cut short'
    [ "$n" -gt 0 ] || words='cut.h5: the file is empty'
    refused 3 "$words" cut.h5 --png x.png
    lines 1
    refused 3 "$words" a.h5 cut.h5 --png x.png
    lines 1
done
for at in 9 40 96; do # the head, and the header of the root
    cp g.h5 bad.h5
    printf '\377' | dd of=bad.h5 bs=1 seek=$at conv=notrunc 2>shell
    ( # HDF5 1.10 keeps what it has of a header that it cannot read
        export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
        refused 3 'bad.h5: ' bad.h5 --png x.png
        lines 1
    )
done
# anything that HDF5 dies of is refused; a sanitizer would be told of it
size=$(wc -c <a.h5)
case $HEED in *asan*) size=0 ;; esac
for at in $(seq 700 397 "$size"); do
    cp a.h5 bad.h5
    printf '\377\377\377\377' | dd of=bad.h5 bs=1 seek="$at" conv=notrunc 2>shell
    "$HEED" render bad.h5 --svg bad.svg --force >out 2>&1
    s=$?
    case $s in 0 | 2 | 3) ;; *) echo "byte $at: exit $s" ;; esac
    [ $s -eq 0 ] || lines 1
done
rm -f bad.svg
refused 2 'not --heads' g.h5 --figure grid --heads 1 --png x.png
refused 2 'maps leave' g.h5 --min-font 90 --width 200 --png x.png
refused 7 'exists' a.h5 --png one.png
refused 2 'saliency' a.h5 --method saliency --png x.png
refused 2 'token_heat' a.h5 --figure token_heet --png x.png
refused 2 'what fits: compare, ledger, token_heat' a.h5 --figure attention --png x.png
refused 2 'no such option' a.h5 --png x.png -m "$M"
[ ! -e x.png ] || echo 'a refused picture is there'
echo done
