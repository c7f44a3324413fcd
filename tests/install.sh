#!/bin/sh
# install.sh BUILD - install into an empty folder, then be a user of it: nothing
# but what is installed there is compiled against or run.
build=$(cd "$1" && pwd) || exit 1
top=$PWD
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
bad=0
fail() {
    echo "FAILED: $*"
    bad=1
}
quiet() {
    "$@" >"$dir/log" 2>&1 || {
        cat "$dir/log"
        fail "$*"
    }
}
# Neither takes the job server of a make above.
MAKEFLAGS=
make() { command make --no-print-directory B="$1" "$2" PREFIX="$3" DESTDIR="$4"; }

# A package's stage: the prefix is not where the files are put.
quiet make "$1" install /usr "$dir/stage"
[ "$(sed -n 's/^prefix=//p' "$dir/stage/usr/lib/pkgconfig/heed.pc")" = /usr ] ||
    fail 'heed.pc names another prefix'

quiet make "$1" install "$dir/to" ''
cd "$dir" || exit 1
for f in bin/heed lib/libheed.a lib/libheed.so lib/libheed.so.0 lib/pkgconfig/heed.pc \
    include/heed/heed.h share/man/man1/heed.1 share/zsh/site-functions/_heed \
    share/bash-completion/completions/heed; do
    [ -s "to/$f" ] || fail "not installed: $f"
    [ -s "stage/usr/$f" ] || fail "not in the stage: $f"
done

PKG_CONFIG_PATH=$dir/to/lib/pkgconfig
LD_LIBRARY_PATH=$dir/to/lib
export PKG_CONFIG_PATH LD_LIBRARY_PATH
mkdir run
for e in "$top"/examples/*.c; do
    name=$(basename "$e" .c)
    cp "$e" .
    # the library as it is found, and its archive, with the rest as it is found
    quiet ${CC:-cc} -std=c99 "$name.c" $(pkg-config --cflags --libs heed) -lm -o "run/$name"
    quiet ${CC:-cc} -std=c99 "$name.c" $(pkg-config --cflags heed) to/lib/libheed.a \
        $(pkg-config --libs $(pkg-config --print-requires-private heed)) \
        $(sed -n 's/^Libs.private://p' to/lib/pkgconfig/heed.pc) -o "run/$name-static"
    for r in "$name" "$name-static"; do
        (cd "$top/examples" && "$dir/run/$r" models/austen-llama) >"$r.got"
        diff "$top/examples/$name.out" "$r.got" || fail "examples/$name.c: $r"
    done
    ldd "run/$name" | grep -q "$dir/to/lib/libheed.so.0" || fail "$name: another library"
    ldd "run/$name-static" | grep libheed && fail "$name: not the archive"
done
if command -v python3 >/dev/null; then
    # pkg-config's folder is where the loader finds the library
    (cd "$top/examples" && python3 attribute.py models/austen-llama) >py.got
    diff "$top/examples/explain.out" py.got || fail examples/attribute.py
    python3 "$top/examples/attribute.py" nowhere >py.got 2>&1 && fail 'no error in Python'
    grep -q 'attribute.py: nowhere' py.got || cat py.got
else
    echo 'examples/attribute.py: skipped, no python3'
fi
to/bin/heed help --man | diff - to/share/man/man1/heed.1 || fail 'the manual page'

for p in "/usr $dir/stage" "$dir/to "; do
    (cd "$top" && quiet make "$1" uninstall "${p%% *}" "${p#* }")
done
find stage to ! -type d | grep . && fail 'left after make uninstall'
[ ! -d to/include/heed ] || fail 'include/heed is left'
[ $bad -eq 0 ] && echo 'installed, used and removed'
