#!/bin/sh
# Images: relevance of patches and pixels, classes, and what is refused.
G=$PWD/tests/golden
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
ln -s "$G/vit" vit
ln -s "$G/image" image
run() {
    echo "\$ heed $*"
    "$HEED" "$@" 2>err
    status=$?
    sed "s|$G/||g; s/residual [-+.e0-9]*/residual R/" err
    [ $status -eq 0 ] || echo "exit $status"
}

echo '# attribute'
run attribute -m vit/vit_one_patch --image image/rgb.jpg -q | cut -f 1-3
run attribute -m vit/deit_teacher --image image/exif6.png --target-token 'class 2' | cut -f 1-3 | head -n 4
run attribute -m vit/vit_plain --image image/grey.jpg -q -a ig,loo,saliency | cut -f 1-3,4 | sed 's/\t[-0-9].*//' | sort | uniq -c
run attribute -m vit/vit_plain --image image/small.png -q --ledger | grep '^p' | cut -f 1
run attribute -m vit/vit_plain --image image/small.png -q --keep channel -o a.npz >/dev/null
ls a.npz
run attribute -m vit/vit_plain --image image/small.png -q --json >a.json
for key in '"image_file": "image/small.png"' '"image_width": 7, "image_height": 5' \
    '"patch_rows": 3, "patch_columns": 3' '"kind": "class"' '"pixel_relevance": \[\['; do
    grep -c "$key" a.json
done
grep -o '"input_sha256": "[0-9a-f]*"' a.json | cut -d '"' -f 4 >is
sha256sum image/small.png | cut -d ' ' -f 1 | diff - is && echo 'the hash is that of the file'
run attribute -m vit/vit_plain --image image/rgb.png -q --png a.png --svg a.svg >/dev/null
ls a.png a.svg
run attribute -m vit/vit_plain --image image/rgb.png -q -a loo --png b.png >/dev/null

echo '# predict, attention, inspect'
run predict -m vit/vit_plain --image image/rgb.jpg --top 2 | cut -f 1-4
run predict -m vit/vit_plain --image image/rgb.jpg --json | grep -c '"image_format": "jpeg"'
run attention -m vit/vit_oblong --image image/rgb.jpg --layers 0 --heads 1 --rows 2 | cut -f 1-4 | tail -n 2
run inspect vit/vit_oblong | grep -E '^(image|patch|head	|labels)'

echo '# check'
run check vit/vit_plain | cut -f 1,5
run check -m vit/deit_teacher --image image/rgb.jpg | cut -f 1,5
run check -m vit/vit_oblong -q --json | grep -o '"n_tokens": [0-9]*\|"result": "ok"' | sort | uniq -c
for o in '--truncate left' --bos --no-bos --special '-c 9'; do
    # shellcheck disable=SC2086
    run check vit/vit_plain -q $o
done
run check vit/vit_plain -q -c 10 | cut -f 5 | sort | uniq -c

echo '# refused'
head -c 300 image/rgb.jpg >short.jpg
head -c 100 image/rgb.png >short.png
printf 'GIF89a' >a.gif
run predict -m vit/vit_plain --image short.jpg
run predict -m vit/vit_plain --image short.png
run predict -m vit/vit_plain --image a.gif
run predict -m vit/vit_plain --image image/vit_box/preprocessor_config.json
run predict -m vit/vit_plain --image nosuchfile
run predict -m vit/vit_plain --image .
run predict -m vit/vit_no_bias --image image/rgb.jpg
run predict -m vit/vit_plain --ids 1
run predict -m "$G/llama/plain" --image image/rgb.jpg | sed "s|$G|G|"
run attribute -m vit/vit_plain --image image/rgb.jpg -p x
run attribute -m vit/vit_plain --image image/rgb.jpg --at 0
run attribute -m vit/vit_plain --image image/rgb.jpg -n 2
run attribute -m vit/vit_plain --image image/rgb.jpg --target-id 5
run attribute -m vit/vit_plain --image image/rgb.jpg -a ig --baseline token:1
run generate -m vit/vit_plain --ids 1 -n 1
run check -m vit/vit_plain --ids 1,2
run check -m vit/vit_no_bias --image image/rgb.jpg
run check -m vit/vit_plain --image image/rgb.jpg -p x
run check -m "$G/llama/plain" --image image/rgb.jpg | sed "s|$G|G|"
