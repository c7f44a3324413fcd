#!/bin/sh
# Labels, masked tokens, embeddings and pairs of texts, with a vocabulary made
# here.
G=$PWD/tests/golden
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
for m in bert/plain bert/masked bert/embed_mean bert/embed_cls_one_type llama/plain; do
    mkdir -p ${m##*/}
    cp -r "$G/$m/." ${m##*/}
done
mkdir -p llama && mv plain llama/plain && cp -r "$G/bert/plain" plain
for w in '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the cat dog '##s' sat ran on a mat , .; do echo "$w"; done >vocab.txt
for m in plain masked embed_mean embed_cls_one_type llama/plain; do cp vocab.txt $m; done
run() {
    echo "\$ heed $*"
    "$HEED" "$@" 2>err
    status=$?
    sed 's/residual [-+.e0-9]*/residual R/' err
    [ $status -eq 0 ] || echo "exit $status"
}

echo '# two texts'
run tokenize -m plain -p 'The cats sat.' --pair 'A dog ran.'
run tokenize -m plain -p 'The cats sat.' --pair 'A dog ran.' --json | grep -o '"segment": [01]' | uniq -c
run tokenize -m plain -p 'the [MASK]' --special | tail -n 2
run tokenize -m plain --decode --ids 2,5,6,8,15,3
run tokenize -m plain --ids 1 --pair a
run tokenize -m plain -p a --pair ''
run attribute -m llama/plain -p the --pair cat
run attribute -m embed_cls_one_type -p the --pair cat -q | cut -f 1-3
run attention -m embed_cls_one_type -p the --pair cat -o a.h5
run attention -m embed_cls_one_type -p the --layers 0 --heads 0 --rows -1 | cut -f 1-4
run attribute -m plain -p 'the cat' --pair 'a dog' -c 4 --truncate left

echo '# labels'
run predict -m plain -p 'the cat' | cut -f 1-4
run predict -m plain -p 'the cat' --at 1
run predict -m plain -p 'the cat' --top 1 --json --no-hash | grep -o '"text": "[A-Z]*"'
for t in '--target-token neutral' '--target-class 1' '--target-id 1' '--target logit --target-id 1' '--target label --target-class NEUTRAL'; do
    run attribute -m plain -p 'the cat' $t -a gxi | md5sum >sum.$((n += 1))
    sed -n 's/ = .*//p' err
done
echo "$(cat sum.* | sort -u | wc -l) explanation"
run attribute -m plain -p 'the cat' --target-class happy
run attribute -m plain -p 'the cat' --target-id 3
run attribute -m plain -p 'the cat' --at 1
run attribute -m plain -p 'the cat' -n 2
run attribute -m plain -p 'the cat' --target similarity
run attribute -m plain -p 'the cat' --target contrast --target-class POSITIVE --foil-token negative -q -a gxi | cut -f 1-3
run generate -m plain -p 'the cat'
run embed -m plain -p 'the cat'

echo '# masked tokens'
run predict -m masked -p 'the [MASK] sat' --special --top 2 | cut -f 1,2
run predict -m masked -p 'the cat' --at 1,2 --top 1 | cut -f 1,2
run predict -m masked -p 'the cat'
run attribute -m masked -p 'the [MASK] sat' --special --target-token dog -a gxi >out
sed -n 's/ = .*//p' err
run attribute -m masked -p 'the cat sat' --at 2 --target-id 7 -a gxi >out
sed -n 's/ = .*//p' err
run attribute -m masked -p 'the cat sat'

echo '# embeddings'
run embed -m embed_mean -p 'the cat' | awk -F '\t' '$2 ~ /^[-0-9]/ { n++; s += $2 * $2 } END { printf "%d values, length %.4f\n", n, s }'
run embed -m embed_mean -p 'the cat' --json --no-hash | grep -o '"pooling": "mean"\|"normalizes": 1\|"embedding": \[' | sort
run embed -m embed_mean -p 'the cat' -o e.npy && head -c 6 e.npy | tail -c 5
echo
run attribute -m embed_mean -p 'the cat' --pair 'a dog ran' -q | cut -f 1-3
run attribute -m embed_mean -p 'the cat' --pair 'a dog ran' -a gxi --json --no-hash | grep -o '"kind": "[a-z]*"\|"head": "[a-z]*"\|"pos": 0, "id": 2'
run attribute -m embed_mean -p 'the cat'
run attribute -m embed_mean -p 'the cat' --pair 'a dog' -a occlusion
run attribute -m embed_mean -p 'the cat' --pair 'a dog' --target-token cat
run attribute -m embed_mean --ids 1,2
run predict -m embed_mean -p 'the cat'
run inspect -m embed_mean | grep 'head\|pooling\|segments'
run check -m embed_mean -p 'the cat' | cut -f 1,5
run check -m embed_mean -p 'the cat' --pair 'a dog ran' --json | grep -o '"n_tokens": [0-9]*\|"result": "ok"' | uniq -c
run check -m plain -p 'the cat' --pair 'a dog' -q | cut -f 1,5
run check -m masked -p 'the [MASK]' --special --pair 'a dog' -q | cut -f 1,5
run check -m llama/plain -p the --pair cat
run check -m plain --pair cat
