#!/bin/sh
# setup.sh - install the Debian packages that building and testing need, if
# any is missing and we may; otherwise name the command that does.
need='make pkg-config gcc libc6-dev libopenblas-openmp-dev libhdf5-dev libpng-dev
libjpeg-dev libpango1.0-dev libcairo2-dev libjansson-dev libpcre2-dev libutf8proc-dev
libcmocka-dev fonts-dejavu-core'
missing=
for p in $need; do
    # A compiler or make of another origin will do.
    case $p in
    make) command -v make >/dev/null && continue ;;
    gcc) command -v "${CC:-cc}" >/dev/null && continue ;;
    pkg-config) command -v pkg-config >/dev/null && continue ;;
    esac
    dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null |
        grep -q 'install ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null; then
    echo "heed: not a Debian system; these packages are needed:$missing" >&2
    pkg-config --exists openblas jansson libpcre2-8 libutf8proc && exit 0
    exit 1
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo=sudo
    else
        echo "heed: missing packages; run: sudo apt-get install$missing" >&2
        exit 1
    fi
fi
echo "heed: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { $sudo apt-get update -qq && $sudo apt-get install -qq -y $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo "heed: could not install; run: apt-get install$missing" >&2
    exit 1
fi
rm -f "$log"
