# Texts, ids, positions, targets, and options out of range.
sound # the tokenizer of tokenizer.sh
a() { # a NAME STATUS TEXT ARGUMENTS: of attribute, with an output
    name=$1 want=$2 text=$3
    shift 3
    try "$name" "$want" "$text" attribute -m ../m -o a.json "$@"
}
a 'an id out of range' 2 '61' --ids 1,61
a 'an id below 0' 2 '-1' --ids 1,-1
a 'an id of 2^31' 2 '2147483648' --ids 2147483648
a 'an id of 2^64' 2 '18446744073709551616' --ids 18446744073709551616
a 'ids that are none' 2 'abc' --ids abc
a 'ids with a fraction' 2 '1.5' --ids 1.5
a 'an empty list of ids' 2 "''" --ids ''
a 'an empty text' 2 'empty' -p ''
a 'a text that is no UTF-8' 2 'UTF-8' -p "$(printf 'ab\377')"
a 'half a surrogate' 2 'UTF-8' -p "$(printf '\355\240\200')"
printf 'ab\377' >../text
a 'a file that is no UTF-8' 3 'UTF-8' -f ../text
printf 'ab\303' >../text
a 'a file that ends within a character' 3 'UTF-8' -f ../text
: >../text
a 'an empty file' 2 'empty' -f ../text
a 'a folder in place of a file' 3 'directory' -f ..
a 'no such file' 3 'No such file' -f ../none
a 'a name with an escape sequence' 3 '../?[2Jx' -f "$(printf '../\033[2Jx')"
a 'a file as a folder' 3 'Not a directory' -f ../text/x
printf 'ab\000ab' >../text
fine 'NUL bytes in a file' tokenize -m ../m -f ../text
in=../text
fine 'NUL bytes on stdin' tokenize -m ../m -
name='stdin is closed' json=
"$heed" predict -m ../m - <&- >../stdout 2>../stderr
status=$?
judge 3 'standard input'
printf '{"text": "ab"}\n{"text": 3}\n' >../text
a 'a data set with a number' 3 '2' --dataset ../text
printf '{"text": "ab"}\n{"text": "\\ud800"}\n' >../text
a 'a data set with half a surrogate' 3 '2' --dataset ../text
a '--at beyond the end' 2 '--at 3' --ids 1,2,3 --at 3
a '--at before the start' 2 '--at -4' --ids 1,2,3 --at -4
a '--at 2^63' 2 '--at' --ids 1,2,3 --at 9223372036854775808
a 'a target of several tokens' 2 'tokens' --ids 1,2,3 --target-token 'abc'
a 'a target of no token' 2 '' --ids 1,2,3 --target-token ''
a 'a target that is no UTF-8' 2 '' --ids 1,2,3 --target-token "$(printf '\377')"
a 'a target out of range' 2 'vocabulary' --ids 1,2,3 --target-id 61
a 'a foil without a contrast' 2 'contrast' --ids 1,2,3 --foil-id 3
a 'a foil out of range' 2 'vocabulary' --ids 1,2,3 --target contrast_logit_diff --foil-id 61
a 'an unknown target' 2 'must be one of' --ids 1 --target nosuch
many=$(awk 'BEGIN { for (i = 0; i < 2049; i++) printf "%s%d", i ? "," : "", i % 61 }')
a 'too long an input' 2 'at most 2048' --ids "$many"
a 'too long a continuation' 2 'at most 2048' --ids 1,2,3 -n 2046
a 'an unknown method' 2 'unknown' --ids 1 -a nosuch
a 'a method with an escape sequence' 2 '?[2j' --ids 1 -a "$(printf '\033[2J')"
a 'layers of what is no map' 2 'no such option' --ids 1,2 --layers 1
a 'a map in place of relevance' 2 'heed attention' --ids 1,2 -a attention -o a.json
try 'no layer 7' 2 'layer' attention -m ../m --ids 1,2 --layers 7 --heads 0
try 'no head 99' 2 'head' attention -m ../m --ids 1,2 --layers 0 --heads 99
try 'no head 99, to a file' 2 'head' attention -m ../m --ids 1,2 --heads 99 -o a.json
try 'no row 5' 2 'row' attention -m ../m --ids 1,2 --layers 0 --heads 0 --rows 5
try 'an id out of range, as JSON' 2 '61' predict -m ../m --ids 61 --json
try 'no such model, as JSON' 3 'No such' predict -m ../none --ids 1 --json
try 'an unknown option, as JSON' 2 'nosuch' predict --nosuch --json
a '--threads -1' 2 'must be from' --ids 1 -t -1
a '--context 0' 2 '--context' --ids 1 -c 0
a '--tol below 0' 2 '--tol' --ids 1 --tol -1
a '--max-memory 1K' 5 'max-memory' --ids 1,2,3 --max-memory 1K
if (ulimit -v 4000000 && timeout -k 1 20 "$heed" --version) >/dev/null 2>&1; then
    first='ulimit -v 4000000'
    a 'too little address space for the threads' 5 'address space' --ids 1,2,3 -t 64
fi
said=1
try 'a residual that is too large' 6 'residual' attribute -m ../m --ids 1,2,3 --tol 1e-18 -q
said=
try 'decode an id that is none' 2 '61' tokenize -m ../m --decode --ids 61
