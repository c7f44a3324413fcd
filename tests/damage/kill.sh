# kill -9 while a file is being written: nothing half-written has its name, and
# the next run leaves what an undisturbed one does. The process is sure to be
# within its writing: its .part is a pipe, which holds less than the file.
fresh
export SOURCE_DATE_EPOCH=0
ids=$(awk 'BEGIN { for (i = 0; i < 200; i++) printf "%s%d", i ? "," : "", i % 61 }')
one='--layers 0 --heads 0' # map

map() { # map FILE ARGUMENTS...
    path=$1
    shift
    timeout -k 1 60 "$heed" attention -m ../m --ids "$ids" -q "$@" "$path" >../stdout 2>../stderr
}

again() { # again FILE SUM ARGUMENTS...: beside what was left
    file=$1 sum=$2
    shift 2
    [ ! -e "$file" ] || wrong "$file is there"
    map "$file" "$@" || wrong 'fails beside what was left'
    [ "$(cksum <"$file")" = "$sum" ] || wrong 'another file than that of an undisturbed run'
    [ "$(ls -A)" = "$file" ] || wrong "in the folder: $(ls -A)"
    find . -mindepth 1 -delete
    n=$((n + 1))
    printf '%-46s %3d\n' "$name" "$status"
}

killed() { # killed FILE ARGUMENTS...
    name="kill -9 while $1 is written"
    file=$1
    shift
    map "$file" "$@"
    sum=$(cksum <"$file")
    rm "$file"
    mkfifo "$file.part"
    "$heed" attention -m ../m --ids "$ids" -q "$@" "$file" >../stdout 2>../stderr &
    exec 3<>"$file.part"
    timeout 60 head -c 1000 <&3 >../half
    kill -KILL $!
    wait $! 2>../shell
    status=$?
    exec 3<&-
    [ $status -eq 137 ] || wrong "exit status $status, not 137"
    [ "$(ls -A)" = "$file.part" ] || wrong "in the folder: $(ls -A)"
    rm "$file.part"
    mv ../half "$file.part"
    again "$file" "$sum" "$@"
}

for format in json jsonl npz; do
    has $format && killed a.$format -o
done
for format in csv npy; do
    has $format && killed a.$format $one -o
done
if has token_heat; then
    for format in png svg pdf; do
        killed a.$format $one --$format
    done
fi

# HDF5 does not write to a pipe, but all the time: any moment after the first
# byte will do. A map of 8 heads and 1500 tokens takes a second or more.
if has hdf5; then
    name='kill -9 while a.h5 is written'
    ids=$(awk 'BEGIN { for (i = 0; i < 1500; i++) printf "%s%d", i ? "," : "", i % 61 }')
    map a.h5 -o
    sum=$(cksum <a.h5)
    rm a.h5
    "$heed" attention -m ../m --ids "$ids" -q -o a.h5 >../stdout 2>../stderr &
    while kill -0 $! 2>../shell && [ ! -s a.h5.part ]; do
        sleep 0.01
    done
    kill -KILL $!
    wait $! 2>../shell
    status=$?
    [ $status -eq 137 ] || wrong "exit status $status, not 137"
    [ "$(ls -A)" = a.h5.part ] || wrong "in the folder: $(ls -A)"
    again a.h5 "$sum" -o
fi
