#!/bin/sh
# interop.sh BUILD PYTHON - the sample result, as other readers see it.
set -e
build=$1
python=$2
make -s "B=$build" "$build/tests/test_formats"
out=$(mktemp -d)
trap 'rm -r "$out"' EXIT
"$build/tests/test_formats" "$out/sample.h5"
"$python" tests/interop.py "$out/sample.h5"
