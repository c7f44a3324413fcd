#!/bin/sh
# damage.sh BUILD - the command on damaged models, inputs and outputs.
#
# Prints a table of case, exit status and message. A case fails if the status
# or the message is another one, if the message is not one line of plain text
# that starts with "heed: ", if the process dies of a signal or takes longer
# than a minute, if something is printed on stdout that is not the JSON error
# object, and if any file is left in the folder of the outputs.
heed=$(cd "$1" && pwd)/heed || exit 1
golden=$PWD/tests/golden
cases=$PWD/tests/damage
shipped=$PWD/examples/models/austen-llama
LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
export LSAN_OPTIONS
work=$(mktemp -d) && mkdir "$work/out" && cd "$work/out" || exit 1
trap 'rm -rf "$work"' EXIT
export LC_ALL=C OMP_WAIT_POLICY=passive
n=0
failed=0

# ---- one case ----

wrong() { # wrong WHY
    echo "FAILED: $name: $1"
    sed 's/^/    | /' ../stderr
    failed=$((failed + 1))
}

message() { # the sentence on stderr, without warnings
    grep -v '^heed: warning: ' ../stderr
}

said= # the table was printed before what fails
keep= # files that are there before the next case, and after it
judge() { # judge STATUS TEXT: of what is in $status, ../stdout, ../stderr
    n=$((n + 1))
    printf '%-46s %3d  %s\n' "$name" "$status" "$(message | cut -c 1-150)"
    [ "$status" -eq "$1" ] || wrong "exit status $status, not $1"
    [ "$(message | wc -l)" -eq 1 ] || wrong 'not one line'
    grep -qv '^heed: ' ../stderr && wrong 'a line without "heed: "'
    tr -d '\n' <../stderr | grep -q '[[:cntrl:]]' && wrong 'a control character'
    grep -q "$(printf '\302[\200-\237]')" ../stderr && wrong 'a C1 control character'
    message | grep -qF -e "$2" || wrong "not '$2'"
    if [ -n "$json" ]; then
        grep -q "^{\"error\": {\"status\": $1, \"message\": \"" ../stdout || wrong 'no JSON'
    elif [ -s ../stdout ] && [ -z "$said" ]; then
        wrong "on stdout: $(head -c 200 ../stdout)"
    fi
    left=$(ls -A)
    [ "$left" = "$keep" ] || wrong "in the folder: $left"
    keep=
    find . -mindepth 1 -delete
}

# For the next case: what the shell does first; stdin and stdout.
first=: in=/dev/null to=../stdout

try() { # try NAME STATUS TEXT ARGUMENTS...
    name=$1 want=$2 text=$3
    shift 3
    json=
    case " $* " in *' --json '*) json=1 ;; esac
    : >../stdout
    (eval "$first" && timeout -k 1 60 "$heed" "$@" <"$in" >"$to" 2>../stderr) 2>>../shell
    status=$?
    first=: in=/dev/null to=../stdout
    judge "$want" "$text"
}

fine() { # fine NAME ARGUMENTS...: works
    name=$1
    shift
    n=$((n + 1))
    timeout -k 1 60 "$heed" "$@" <"$in" >../stdout 2>../stderr
    status=$?
    in=/dev/null
    printf '%-46s %3d\n' "$name" "$status"
    [ "$status" -eq 0 ] || wrong "exit status $status, not 0"
    find . -mindepth 1 -delete
}

# The same for all damage of models.
p() { # p NAME STATUS TEXT
    try "$1" "$2" "$3" predict -m ../m --ids 1,2,3
}

# ---- damage ----

family=llama
fresh() { # fresh [MODEL]: ../m is a sound model again
    rm -rf ../m ../m.gguf
    cp -r "$golden/$family/${1:-plain}" ../m
    rm ../m/expect.safetensors
}

key() { # key NAME VALUE: in config.json
    { grep -v "^ *\"$1\":" ../m/config.json | sed '$d' | sed '$s/,*$/,/'
        echo "\"$1\": $2}"; } >../k
    mv ../k ../m/config.json
}

with() { # with NAME VALUE: a sound model but for this key
    fresh
    key "$@"
}

poke() { # poke FILE OFFSET BYTES, as printf writes them
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

le() { # le NUMBER BYTES: little endian, as printf reads it
    i=0 x=$1
    while [ $i -lt "$2" ]; do
        printf '\\%03o' $((x & 255))
        x=$((x >> 8)) i=$((i + 1))
    done
}

header_size() {
    od -An -tu8 -N8 "$1" | tr -d ' '
}

header() { # header FILE SED: rewrite the header of a safetensors file
    size=$(header_size "$1")
    tail -c +9 "$1" | head -c "$size" | sed "$2" >../h
    { printf "$(le "$(wc -c <../h)" 8)"
        cat ../h
        tail -c +$((9 + size)) "$1"; } >../g
    mv ../g "$1"
}

place() { # place FILE TENSOR: the byte where its numbers start
    size=$(header_size "$1")
    at=$(tail -c +9 "$1" | head -c "$size" | sed "s/.*\"$2\":{[^}]*\[\([0-9]*\),.*/\1/")
    echo $((8 + size + at))
}

find_text() { # find_text FILE TEXT: the byte where it starts
    grep -abo -m 1 -e "$2" "$1" | head -n 1 | cut -d : -f 1
}

for c in weights pytorch gguf config mamba falcon_mamba mamba2 rwkv rwkv6 gpt2 recurrent_gemma gemma3 tokenizer dataset input output kill; do
    echo "# $c"
    family=llama
    . "$cases/$c.sh"
done
echo "$n cases, $failed failures"
[ $failed -eq 0 ]
