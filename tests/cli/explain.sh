#!/bin/sh
# Whole runs on a small model without a tokenizer. Values are checked by what
# they add up to, not one by one.
M=$PWD/tests/golden/llama/plain
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
run() {
    echo "\$ heed $*" | sed "s|$M|MODEL|"
    "$HEED" "$@" 2>err
    status=$?
    sed "s|$M|MODEL|; s/residual [-+.e0-9]*/residual R/" err
    [ $status -eq 0 ] || echo "exit $status"
}
check() { # the same without what goes to stdout
    run "$@" >out
    sed -n '/^[$h]/p;/^exit/p' out
}

echo '# attribute'
run attribute -m "$M" --ids 1,2,3 -q | cut -f 1-3
run attribute -m "$M" --ids 1,2,3 -q -a gxi,attn_lrp --at 0,-1 | cut -f 1-4
run attribute -m "$M" --ids 1,2 -q --target-ids 3,4 | cut -f 1-3
run attribute -m "$M" --ids 1,2 -q --target-ids 3,4 --at -2 | cut -f 1-3
run attribute -m "$M" --ids 1,2 -q -n 2 | tail -n 1 | cut -f 1,2
run attribute -m "$M" --ids 1,2 -q --target-ids 3 --at -1
run attribute -m "$M" --ids 1,2,3 -q --keep head --top 3 | cut -f 1-3
run attribute -m "$M" --ids 1,2,3 -q --top 3
run attribute -m "$M" --ids 1,2 --at 2
run attribute -m "$M" --ids 1,2 --at -3
run attribute -m "$M" --ids 1,99
run attribute -m "$M" --ids 1 --target-ids 99
run attribute -m "$M" --ids 1 --target-id 99
run attribute -m "$M" -p text
run attribute -m "$M" --ids 1,2,3 -c 2
run attribute -m "$M" --ids 1,2,3 -c 2 --truncate left | cut -f 1-3
run attention -m "$M" --ids 1 --layers 7 --heads 0
run attribute -m "$M" --ids 1 --layers 0
run attribute -m "$M" --ids 1 --heads 0 --keep head
for a in attention gxi,attention_profile contribution-map; do
    run attribute -m "$M" --ids 1,2 -a $a -o map.json
    ls map.json 2>/dev/null
done
run attribute -m "$M" --ids 1 --steps 5

echo '# options of methods'
run attribute -m "$M" --ids 1,2,3 -a ig,loo --baseline token:3 --Replacement=token:4 | sed -n 's/.*: \(steps\|repl\)/\1/p'
run attribute -m "$M" --ids 1,2,3 -a ig --steps 0
run attribute -m "$M" --ids 1,2,3 -a ig --steps 5000
run attribute -m "$M" --ids 1,2,3 -a ig --quadrature simpson
run attribute -m "$M" --ids 1,2,3 -a ig --baseline pad
run attribute -m "$M" --ids 1,2,3 -a ig --stepps 3
run attribute -m "$M" --ids 1,2,3 -a occlusion --reduce l2
run attribute -m "$M" --ids 1,2,3 -a ig -q --tol 1e-9 | grep -c '^[0-9]\|not close\|exit 6'
run attribute -m "$M" --ids 1,2,3 -q --center-logits --target entropy
run attribute -m "$M" --ids 1,2,3 --target-id 5 --center-logits --json --no-hash | grep -o '"kind": "logit"\|"centered": 1'
for seed in 1 2 1; do "$HEED" attribute -m "$M" --ids 1,2,3 -q -a smooth_grad --seed $seed >noise$seed.$((n += 1)); done
cmp noise1.1 noise1.3 && cmp -s noise1.1 noise2.2 || echo "the seed counts"
rm noise*

echo '# the summary is the sum of the table'
"$HEED" attribute -m "$M" --ids 5,6,7 2>err |
    awk 'NR > 1 { s += $4 } END { printf "%.4f\n", s }' >got
sed 's/.*sum \([^,]*\),.*/\1/' err | awk '{ printf "%.4f\n", $1 }' | cmp - got && echo same

echo '# it follows the table where both go to one file, and names the foil'
"$HEED" attribute -m "$M" --ids 5,6 --target contrast_logit_diff --target-id 3 \
    --foil-id 4 2>&1 | sed -n '$s/ after.*//p'
for t in entropy perplexity; do
    "$HEED" attribute -m "$M" --ids 5,6 --target $t 2>&1 | sed -n "\$s/ after.*//p"
done

echo '# ledger'
run attribute -m "$M" --ids 1,2,3 -q --ledger | cut -f 1-3 | sed -n '1p;$p' | cut -f 1

echo '# files'
check attribute -m "$M" --ids 1,2,3 -q -o a.json
check attribute -m "$M" --ids 1,2,3 -q -o a.json
check attribute -m "$M" --ids 1,2,3 -q -o a.json --force
check attribute -m "$M" --ids 1,2,3 -q -o b.json --tol 1e-18 | grep -v '^heed'
check attribute -m "$M" --ids 1,2,3 -q -o c.json --max-memory 1K | grep -v '^heed'
check attribute -m "$M" --ids 1,2,3 -q -o c.nosuch | grep -v '^heed'
ls

echo '# pictures, if this build draws'
if "$HEED" formats | grep -q '^token_heat'; then
    for a in '--png p.png' '--svg p.svg --pdf p.pdf -q' '--viz_path q.svg --vmax 2 --vmin -2' \
        '--png m.png -a gxi,attn_lrp --at 1,2'; do
        "$HEED" attribute -m "$M" --ids 1,2,3 $a >out 2>err || cat err
    done
    "$HEED" attention -m "$M" --ids 1,2,3 --layers 1 --heads 2 --png a.png || echo "exit $?"
    for f in p.png p.svg p.pdf q.svg a.png m_attn_lrp_0.png m_attn_lrp_1.png \
        m_input_x_gradient_0.png m_input_x_gradient_1.png; do
        [ -s $f ] || echo "missing: $f"
    done
    "$HEED" attribute -m "$M" --ids 1,2,3 --png p.png >out 2>&1 && echo 'replaced without --force'
fi

echo '# JSON'
json() { # which keys, in order, and how many lines
    "$HEED" "$@" >out 2>err || echo "exit $?"
    grep -o '"\(format\|model_arch\|argv\|token_id\|tokens\|method\|relevance\|predictions\|probability\|ledger\|attention\|generation\|n_tokens\)":' out | tr -d '\n'
    echo " $(wc -l <out | tr -d ' ') line"
}
json attribute -m "$M" --ids 1,2,3 --json --no-hash
json attribute -m "$M" --ids 1,2,3 --json --no-hash -a gxi,attn_lrp
json attribute -m "$M" --ids 1,2,3 --json --no-hash --at 1,2
json attribute -m "$M" --ids 1,2,3 --no-hash -o - --format json
json predict -m "$M" --ids 1,2,3 --json --no-hash --top 2
json attention -m "$M" --ids 1,2,3 --json --no-hash --layers 1 --heads 0
json generate -m "$M" --ids 1,2,3 --json --no-hash -n 2
json attribute -m "$M" --ids 1,2,3 --json --no-hash --tol 1e-18

echo '# the plan'
run attribute -m "$M" --ids 1,2,3 --dry-run -o d.json | cut -f 1
run attribute -m "$M" --ids 1,2,3 --dry-run --json | grep -c '"peak"'

echo '# predict'
run predict -m "$M" --ids 1,2,3 --top 2 --at all | cut -f 1,2
"$HEED" predict -m "$M" --ids 1,2,3 --top 1000 |
    awk 'NR > 1 { p += $7; n++ } END { printf "%d tokens, probability %.6f\n", n, p }'
run predict -m "$M" --ids 1,2,3 --at 3

echo '# attention'
run attention -m "$M" --ids 1,2,3
"$HEED" attention -m "$M" --ids 1,2,3 --layers 1 --heads 3 |
    awk 'NR > 1 { n++; s[$3] += $5; if ($4 > $3 && $5 != 0) print "not causal" }
        END { print n, "weights"; for (q in s) if (s[q] < .9999 || s[q] > 1.0001) print "row", q, s[q] }'
run attention -m "$M" --ids 1,2,3 --layers 1 --heads 3 --rows 2 | cut -f 1-4
run attention -m "$M" --ids 1,2,3 --layers 1 --heads 3 --rows 3
run attention -m "$M" --ids 1,2,3 --layers 1 --reduce weighted --rows -1 | cut -f 1-4
# what is wrong with an argument comes before what a table cannot show
run attention -m "$M" --ids 1,2,3 --layers 7
run attention -m "$M" --ids 1,2,3 --heads 9
run attention -m "$M" --ids 1,2,3 --rows 3
run attention -m "$M" --ids 1,2,3 --kind none
run attention -m "$M" --ids 1,2,3 --variant raw
run attribute -m "$M" --ids 1,2 --position-by head
run attention -m "$M" --ids 1,2,3 --json
run attention -m "$M" --ids 1,2,3 --layers 1 --target-id 4
run attention -m "$M" --ids 1,2,3 --layers 1 --kind block
run attention -m "$M" --ids 1,2,3 --profile --needle 0:1 | cut -f 1
run attention -m "$M" --ids 1,2,3 --profile --needle 0:4
run attention -m "$M" --ids 1,2,3 --order mean_of_ratios
run attention -m "$M" --ids 1,2,3 --horizon-rows
run attention -m "$M" --ids 1,2,3 --profile --horizon 1
run attention -m "$M" --ids 1,2,3 --profile | cut -f 1,10-13
run attention -m "${M%/llama*}/recurrent_gemma/plain" --ids 1,2,3 --profile --horizon 1e-9 2>&1 | cut -f 1,10-13 | sed "s|/[^ ]*/recurrent_gemma|RECURRENT_GEMMA|"
run attention -m "$M" --ids 1,2,3 --layers 1 --row-step 2 --rows 1
S=${M%/llama*}/mamba/plain
run attention -m "$S" --ids 1,2,3 --layers 0 --rows 0 2>&1 | cut -f 1-4 | sed "s|$S|MAMBA|"
run attention -m "$S" --ids 1,2,3 --layers 0 --rows 0 --reduce none --channels 7 --kind core 2>&1 | cut -f 1-4 | sed "s|$S|MAMBA|"
run attention -m "$S" --ids 1,2,3 --layers 0 --reduce none 2>&1 | cut -f 1-4 | sed "s|$S|MAMBA|"
run attention -m "$S" --ids 1,2,3 --layers 0 --heads 1 2>&1 | cut -f 1-4 | sed "s|$S|MAMBA|"
R=${M%/llama*}/recurrent_gemma/plain
hybrid() { run attention -m "$R" --ids 1,2,3 "$@" 2>&1 | sed "s|$R|HYBRID|"; }
hybrid --kind none
hybrid --kind softmax --layers 0
hybrid --kind block --layers 2
hybrid --reduce none
hybrid --layers 0 --rows -1 | cut -f 1-4
hybrid --layers 2 --heads 1 --rows -1 | cut -f 1-4

echo '# others'
run inspect "$M" --no-hash | sed -n '2,5p'
run inspect -m "$M" -T 100 --json | grep '"tokens"'
run generate -m "$M" -p text -n 2
"$HEED" generate -m "$M" --ids 1,2,3 -n 3 | tr -d '0-9'
run tokenize -m "$M" -p text
"$HEED" predict -m "$M" --ids 1,2,3 --top 2 -t 1 >one
"$HEED" predict -m "$M" --ids 1,2,3 --top 2 -t 4 >four
cmp one four && echo same
"$HEED" predict -m "$M" --ids 1,2,3 >/dev/full
echo "exit $?"
