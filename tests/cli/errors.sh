#!/bin/sh
# Wrong use: what is said and the exit status, before any model is loaded.
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
try() {
    printf '$ heed %s\n' "$*" | LC_ALL=C tr '\377' '?'
    "$HEED" "$@" 2>&1 </dev/null
    echo "exit $?"
}

echo '# commands and options'
try nosuchthing
try atribute -m x
try attribute --promt x
try attribute --nothing-like-it
try attribute -Z
try predict --png x.png
try predict --json=1
try predict -p
try predict -p a b
try predict -- --json
try help nosuchthing
try methods nosuchthing

echo '# values'
try attribute -n 99999999999999999999
try attribute -n 1.5
try attribute -t -1
try attribute --seed=-1
try attribute --max-memory 8X
try attribute --max-memory 99999999999T
try attention --layers 5-3
try attention --layers 0-99999999999
try attention --heads ''
try attribute --ids 1,2,
try attribute --ids '1;2'
try attribute --ids -1
try attribute --at 1x
try attribute --tol nan
try attribute --tol 1e999
try attribute --width 3
try attribute --truncate middle
try attribute --color=sometimes
try attribute -a ,

echo '# conflicts'
try attribute -m x
try attribute -m x -p a -f b
try attribute -m x -p a -
try attribute -m x -p a --bos --no-bos
try attribute -m x --ids 1 --no-bos
try attribute -m x -p a -g b -n 2
try attribute -m x -p a -g b --target-ids 1
try attribute -m x -p a --target-ids 1 --target-id 2
try attribute -m x -p a -g b --target-token c
try attribute -m x -p a --target-id 1 --target-token b
try attribute -m x -p a --foil-id 1
try attribute -m x -p a --target nosuchthing | sed 's/must be.*/.../'
try attribute -m x -p a --vmin 2 --vmax 1
try attribute -m x -p a --format json
try attribute -m x -p a --png a.txt
try attribute -m x -p a -o - --json
try attribute -m x -p a -o -
try attribute -m x -p a --group char
try attribute -m x -p a --theme dark
try attribute -m x -p a -a attn_lrp,AttnLRP
try attribute -m x -p a -a attn_lpr
try tokenize -m x -p a --decode

echo '# texts'
try predict -m x -p ''
try predict -m x -p "$(printf 'ab\377')"
try predict -m x -f missing.txt
try predict -m x -f .
printf 'ab\303' >bad.txt
try predict -m x -f bad.txt
: >empty.txt
try predict -m x -f empty.txt
try predict -m x -
printf '{"text": "a"}\n\n{"txt": "b"}\n' >a.jsonl
try attribute -m x --dataset a.jsonl
printf '"a"\n{"text": \n' >b.jsonl
try attribute -m x --dataset b.jsonl | sed 's/2: .*/2: .../'
: >c.jsonl
try attribute -m x --dataset c.jsonl

echo '# models and outputs'
try predict -p a
try predict -m '' -p a
try predict -m missing -p a | grep -o '^exit.*\|^heed: missing'
: >there.h5
try attribute -m x -p a -o there.h5
try attribute -m x -p a -o nodir/a.h5
try attribute -m x -p a --pdf nodir/a.pdf
"$HEED" formats >/dev/full
echo "exit $?"

echo '# as JSON'
try attribute --json --promt x
try predict -p a "$(printf 'b"\\\303\251\377')" --json 2>&1 | LC_ALL=C tr '\377' '?'
try predict -m missing -p a --json | grep -c '^{"error": {"status": 3, "message": "missing'
ls
