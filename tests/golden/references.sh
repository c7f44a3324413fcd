#!/bin/sh
# references.sh PYTHON - make the golden values anew, in a temporary folder, and
# compare them with the committed ones. PYTHON is an interpreter with the
# packages that tests/golden/llama.py and methods.py name; default: python3.
python=${1:-python3}
here=$(cd "$(dirname "$0")" && pwd) || exit 1
if ! (cd "$here" && "$python" -c 'import no_torchvision, torch, transformers, lxt, gguf, safetensors, captum'); then
    echo "references.sh: usage: references.sh PYTHON, with the packages that $here/llama.py and methods.py name" >&2
    exit 1
fi
new=$(mktemp -d) || exit 1
trap 'rm -rf "$new"' EXIT INT TERM
status=0
families="llama mamba falcon_mamba mamba2 rwkv rwkv6 recurrent_gemma gemma3 gpt2 gpt_neox gptj bloom bert vit methods image attributions implicit hidden horizon leaf rules toy"
for family in $families; do
    "$python" "$here/$family.py" "$new/$family" || status=1
done
"$python" "$here/tokenizers/world.py" "$new/world" || status=1
"$python" "$here/llama_reload.py" "$here/llama" || status=1
"$python" "$here/reload.py" "$here" || status=1
diff -r "$here/tokenizers/world" "$new/world" || status=1
for family in $families methods toy; do
    echo
    "$python" "$here/compare.py" "$here/$family" "$new/$family" || status=1
done
for family in $families; do
    echo
    "$python" "$here/compare.py" "$here/rules/$family" "$new/rules/$family" || status=1
done
exit $status
