# Outputs that cannot be written, and interrupts.
sound
ids=$(awk 'BEGIN { for (i = 0; i < 80; i++) printf "%s%d", i ? "," : "", i % 61 }')
o() { # o NAME STATUS TEXT ARGUMENTS
    name=$1 want=$2 text=$3
    shift 3
    try "$name" "$want" "$text" attribute -m ../m --ids "$ids" -q "$@"
}
formats=$("$heed" formats | cut -f 1)
has() { # has FORMAT
    case " $(echo $formats) " in *" $1 "*) ;; *) return 1 ;; esac
}
o 'a folder that is missing' 7 'folder' -o none/a.json
o 'a file in place of a folder' 7 'folder' -o ../stdout/a.json
o 'an output that is a folder' 7 '' -o ..  --format json
o 'an output without a name' 2 'empty' -o ''
o 'an unknown extension' 4 'extension' -o a.nosuch
o 'an unknown format' 4 'nosuch' -o a.json --format nosuch
o 'a name that is too long' 7 'too long' -o "$(printf '%300s' x | tr ' ' x).json"
echo old >a.json
keep=a.json
o 'an output that exists' 7 '--force' -o a.json
o 'stdout, with --json' 2 'not with --json' -o - --json
o 'stdout, without a format' 2 '--format' -o -
to=/dev/full
o 'stdout is full' 7 'standard output: No space'
to=/dev/full
o 'stdout is full, as a file' 7 'standard output: No space' -o - --format json
name='stdout is closed' json=
"$heed" predict -m ../m --ids 1,2 >&- 2>../stderr
status=$?
judge 7 'standard output: Bad file'
o 'a device that is full' 7 'No space' -o /dev/full --format json --force
# ThreadSanitizer and gcov write more than these limits allow.
case $heed in *-tsan/heed | *-cov/heed) small= ;; *) small=1 ;; esac
for format in json jsonl hdf5 npz npy csv; do
    has $format && [ "$small" ] || continue
    extension=$(echo $format | sed 's/hdf5/h5/')
    one=
    case $format in npy | csv) one='--layers 0 --heads 0' ;; esac
    first='ulimit -f 4'
    try "a file that grows too large: $format" 7 "a.$extension" \
        attention -m ../m --ids "$ids" -q $one -o a.$extension
done
o 'a folder that nobody may write to' 7 '/proc' -o /proc/a.json
if [ "$(id -u)" -ne 0 ]; then
    first='mkdir -m 555 ../locked'
    o 'a folder that is read-only' 7 'cannot be written' -o ../locked/a.json
    rmdir ../locked
fi
# A pipe that nobody reads any more.
for what in predict 'attention --format json -o -' 'attention --layers 0 --heads 0'; do
    name="a closed pipe: $what" json=
    {
        trap '' PIPE
        while echo; do :; done 2>../shell
        trap - PIPE
        timeout -k 1 60 "$heed" $what -m ../m --ids "$ids" -q 2>../stderr
        echo $? >../code
    } | true
    status=$(cat ../code)
    : >../stdout
    judge 7 'standard output: Broken pipe'
done
if has token_heat; then
    p='--png a.png'
    for format in png svg pdf; do
        [ "$small" ] || continue
        first='ulimit -f 4' said=1
        o "a picture that grows too large: $format" 7 "a.$format" --$format a.$format
        said=
    done
    o 'a picture in a missing folder' 7 'folder' --png none/a.png
    o 'a picture of another extension' 2 '.png' --png a.txt
    o 'a picture of an unknown kind' 4 '.png, .svg or .pdf' --viz-path a.txt
    o 'an unknown colormap' 2 "'nosuch'" $p --cmap nosuch
    o 'a colormap with an escape sequence' 2 '?[2J' $p --cmap "$(printf '\033[2J')"
    o 'a range that is empty' 2 '--vmin' $p --vmin 2 --vmax 1
    try 'one matrix of all heads' 2 'one matrix' attention -m ../m --ids 1,2 --figure attention --png a.png
    try 'a page without room for maps' 2 'maps leave 0.0 px' attention -m ../m --ids 1,2 --width 200 \
        --min-font 90 --png a.png
fi
many=$(awk 'BEGIN { for (i = 0; i < 1900; i++) printf "%s%d", i ? "," : "", i % 61 }')
for signal in INT TERM; do
    name="SIG$signal during work"
    timeout --foreground --preserve-status -k 60 -s $signal 1 "$heed" attribute -m ../m --ids "$many" --at all \
        -q -o a.json >../stdout 2>../stderr
    status=$?
    judge 130 interrupted
done
name='SIGINT while reading stdin'
sleep 5 | timeout --foreground --preserve-status -k 60 -s INT 1 "$heed" predict -m ../m - >../stdout 2>../stderr
status=$?
judge 130 interrupted
