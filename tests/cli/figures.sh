#!/bin/sh
# attribute --figure. Prints what is not as it should be.
M=$PWD/tests/golden/llama/plain
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
if ! "$HEED" formats | grep -q '^ledger'; then
    echo 'skipped: figures, in a build without Cairo'
    echo done
    exit
fi
made() { # made FILE ARGUMENTS...: that file is drawn
    f=$1
    shift
    "$HEED" "$@" -m "$M" -q >/dev/null 2>out || echo "$*: $(cat out)"
    [ -s "$f" ] || echo "$*: no $f"
}
refused() { # refused WORDS ARGUMENTS...
    words=$1
    shift
    "$HEED" "$@" -m "$M" -q >/dev/null 2>out
    got=$?
    [ $got -eq 2 ] && grep -q "$words" out || echo "$*: exit $got, $(cat out)"
}
made l.png attribute --ids 1,2,3 --figure layers --png l.png
made w.svg attribute --ids 1,2,3 --figure LEDGER --svg w.svg
made t.pdf attribute --ids 1,2,3 --at all --figure target-matrix --pdf t.pdf
made w_2.svg attribute --ids 1,2,3 --at all --figure ledger --svg w.svg --force
made h.png attribute --ids 1,2,3 --png h.png
made g.png attribute --ids 1,2,3 --figure token_heat --png g.png
cmp h.png g.png || echo 'the figure without a name is not token_heat'
made a.svg attention --ids 1,2,3 --layers 1 --heads 2 --figure attention --svg a.svg
made d.svg attention --ids 1,2,3 --layers 1 --heads 2 --drop-first --svg d.svg
cmp -s a.svg d.svg && echo '--drop-first of a map changes nothing'
# a reduction over some says of which
for c in 1 1,2; do
    "$HEED" attention -m "${M%/llama/plain}/mamba/plain" --ids 1,2 --layers 0 \
        --channels $c --json -q | tr -d ' \n' |
        grep -qF "\"reduced\":[$c],\"reduced_of\":40," || echo "reduced: not $c"
done
made reach.svg attention --ids 1,2,3 --profile --svg reach.svg
made grid.png attention --ids 1,2,3,4,5 --png grid.png
made g2.png attention --ids 1,2,3,4,5 --figure grid --png g2.png
cmp grid.png g2.png || echo 'several maps are no grid'
made grid.svg attention --ids 1,2,3,4,5 --layers 1 --svg grid.svg
made grid.pdf attention --ids 1,2,3,4,5 --reduce mean --rows 1,3 --pdf grid.pdf
# --figure layers stores what it draws, and nothing else does
"$HEED" attribute -m "$M" --ids 1,2,3 -q --json --figure layers --png j.png |
    grep -o '"relevance_layer"'
"$HEED" attribute -m "$M" --ids 1,2,3 -q --json --figure ledger --png k.png |
    grep -o '"relevance_layer"'

refused 'there are attention, ' attribute --ids 1,2 --figure pie --png x.png
refused 'only with --png' attribute --ids 1,2 --figure ledger
refused 'of several targets; what fits: ' attribute --ids 1,2 --figure target_matrix --png x.png
made two_pa_lrp.png attribute --ids 1,2,3 -a attn_lrp,pa_lrp --figure positions --png two.png
[ -e two_attn_lrp.png ] && echo 'positions of attn_lrp'
refused 'no position_relevance;' attribute --ids 1,2 --figure positions --png x.png
refused 'no ledger/op_name; what fits: compare, token_heat' attribute --ids 1,2 -a saliency --figure ledger --png x.png
refused 'what fits: attention' attention --ids 1,2 --layers 1 --heads 2 --figure layers --png x.png
refused 'one matrix' attention --ids 1,2 --figure attention --png x.png
refused '2 x 4 maps leave 0.0 px' attention --ids 1,2 --min-font 90 --width 200 --png x.png
[ ! -e x.png ] || echo 'a refused picture is there'
echo done
