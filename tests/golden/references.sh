#!/bin/sh
# references.sh PYTHON - make the golden values anew, in a temporary folder, and
# compare them with the committed ones. PYTHON is an interpreter with the
# packages that tests/golden/llama.py names; default: python3.
python=${1:-python3}
here=$(cd "$(dirname "$0")" && pwd) || exit 1
if ! (cd "$here" && "$python" -c 'import no_torchvision, torch, transformers, lxt, gguf, safetensors'); then
    echo "references.sh: usage: references.sh PYTHON, with the packages that $here/llama.py names" >&2
    exit 1
fi
new=$(mktemp -d) || exit 1
trap 'rm -rf "$new"' EXIT INT TERM
status=0
"$python" "$here/llama.py" "$new/llama" || status=1
"$python" "$here/llama_reload.py" "$here/llama" || status=1
echo
"$python" "$here/compare.py" "$here/llama" "$new/llama" || status=1
exit $status
