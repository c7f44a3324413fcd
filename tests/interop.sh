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

# Files of many inputs.
model=examples/models/austen-llama
for text in 'It is a truth' 'universally' 'acknowledged, that a single man'; do
    echo "\"$text\""
done >"$out/d.jsonl"
corpus() {
    "$build/heed" attribute -m $model --dataset "$out/d.jsonl" -q "$@" >"$out/stdout"
}
corpus -o "$out/one.h5" -a attn_lrp,saliency,integrated_gradients,occlusion
corpus -o "$out/several.h5" -a attn_lrp,input_x_gradient --at all --keep layer
corpus -o "$out/layers.h5" --keep layer -b 2
"$python" tests/interop.py "$out/one.h5"
"$python" tests/interop.py "$out/several.h5"
"$python" tests/interop.py "$out/layers.h5"
