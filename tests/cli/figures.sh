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
made reach.svg attention --ids 1,2,3 --profile --svg reach.svg
# --figure layers stores what it draws, and nothing else does
"$HEED" attribute -m "$M" --ids 1,2,3 -q --json --figure layers --png j.png |
    grep -o '"relevance_layer"'
"$HEED" attribute -m "$M" --ids 1,2,3 -q --json --figure ledger --png k.png |
    grep -o '"relevance_layer"'

refused 'there are attention, ' attribute --ids 1,2 --figure pie --png x.png
refused 'only with --png' attribute --ids 1,2 --figure ledger
refused 'of several targets; what fits: ' attribute --ids 1,2 --figure target_matrix --png x.png
refused 'no position_relevance;' attribute --ids 1,2 --figure positions --png x.png
refused 'no ledger/op_name; what fits: compare, token_heat' attribute --ids 1,2 -a saliency --figure ledger --png x.png
refused 'what fits: attention' attention --ids 1,2 --layers 1 --heads 2 --figure layers --png x.png
[ ! -e x.png ] || echo 'a refused picture is there'
echo done
