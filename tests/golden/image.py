#!/usr/bin/env python3
"""image.py OUTDIR

Writes small PNG and JPEG files, what Pillow makes of them (turned by EXIF, converted to RGB), and what the slow image
processors of transformers make of those. Needs transformers, Pillow, numpy.

expect.safetensors has, for each processor P in P/preprocessor_config.json and some images, "P/IMAGE"
(channels, height, width) F32 and "P/IMAGE.size" (height, width) I64; for each image file "FILE/size" (height, width) I64
and "FILE/rgb" (height, width, 3) U8.
"""
import io
import json
import pathlib
import struct
import sys
import zlib

import no_torchvision  # noqa: F401
import numpy as np
from PIL import Image, ImageOps
from transformers import CLIPImageProcessor, DeiTImageProcessor, ViTImageProcessor

import store


def scene(h, w, seed=0):
    """Smooth colours with edges and noise, so that every filter has something to do."""
    r = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([128 + 120 * np.sin(0.4 * x + 0.1 * y), 255 * ((x // 3 + y // 4) % 2), 250.0 * (y + 1) / h], -1)
    return np.clip(a + r.normal(0, 12, a.shape), 0, 255).astype(np.uint8)


def exif(n, big=False, kind="H"):
    """A TIFF block with an orientation alone."""
    e = ">" if big else "<"
    value = struct.pack(e + kind, n).ljust(4, b"\0")
    return (b"MM\0*" if big else b"II*\0") + struct.pack(e + "IHHHI", 8, 1, 0x0112, {"H": 3, "I": 4}[kind], 1) + value + \
        struct.pack(e + "I", 0)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(a, depth, color, *more, interlaced=False):
    """A PNG file of rows of samples, for what Pillow does not write."""
    h, w = a.shape[:2]
    a = a.reshape(h, w, -1)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for y0, x0, dy, dx in passes if interlaced else [(0, 0, 1, 1)]:
        part = a[y0::dy, x0::dx]
        for row in part if part.size else []:
            if depth == 16:
                rows += b"\0" + row.astype(">u2").tobytes()
            elif depth == 8:
                rows += b"\0" + row.astype("u1").tobytes()
            else:
                bits = "".join(f"{v:0{depth}b}" for v in row.ravel())
                bits += "0" * (-len(bits) % 8)
                rows += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    head = struct.pack(">IIBBBBB", w, h, depth, color, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(more) + chunk(b"IDAT", zlib.compress(rows, 9)) + \
        chunk(b"IEND", b"")


def saved(image, **how):
    f = io.BytesIO()
    image.save(f, **how)
    return f.getvalue()


def files():
    """name -> (bytes, the picture where it is not what Pillow reads, or None)"""
    rgb, small, out = Image.fromarray(scene(37, 53)), Image.fromarray(scene(5, 7, 1)), {}
    for name, image in {"rgb": rgb, "small": small, "row": Image.fromarray(scene(1, 19, 2)),
                        "column": Image.fromarray(scene(23, 1, 3)), "one": Image.fromarray(scene(1, 1, 4)),
                        "grey": rgb.convert("L"), "grey_alpha": small.convert("LA"), "bits": small.convert("1"),
                        "palette": small.quantize(13)}.items():
        out[name + ".png"] = saved(image, format="PNG", optimize=True), None
    alpha = small.copy()
    alpha.putalpha(Image.fromarray(scene(5, 7, 5)[..., 1]))
    out["alpha.png"] = saved(alpha, format="PNG"), None
    out["palette_alpha.png"] = saved(small.quantize(5), format="PNG", transparency=2), None
    r = np.random.default_rng(9)
    for depth in (2, 4):
        out[f"grey{depth}.png"] = png(r.integers(0, 1 << depth, (6, 11)), depth, 0), None
    deep = r.integers(0, 65536, (6, 9))
    # Pillow 13 makes every value above 255 white.
    out["grey16.png"] = png(deep, 16, 0), np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, -1)
    out["rgb16.png"] = png(r.integers(0, 65536, (6, 9, 3)), 16, 2), None
    out["rgba16_interlaced.png"] = png(r.integers(0, 65536, (11, 9, 4)), 16, 6, interlaced=True), None
    out["interlaced.png"] = png(scene(13, 10, 6), 8, 2, interlaced=True), None
    out["interlaced1.png"] = png(r.integers(0, 2, (9, 9)), 1, 0, interlaced=True), None
    trns = chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
    out["trns.png"] = png(scene(4, 5, 7), 8, 2, trns), None
    for n in (3, 6):
        out[f"exif{n}.png"] = png(scene(5, 7, 8), 8, 2, chunk(b"eXIf", exif(n, big=n == 3))), None
    for n in range(1, 9):
        out[f"exif{n}.jpg"] = saved(small, format="JPEG", quality=60,
                                    exif=b"Exif\0\0" + exif(n, n % 2 == 0, "I" if n == 8 else "H")), None
    out["rgb.jpg"] = saved(rgb, format="JPEG", quality=80), None
    out["full.jpg"] = saved(rgb, format="JPEG", quality=90, subsampling=0), None
    out["half.jpg"] = saved(rgb, format="JPEG", quality=70, subsampling=1), None
    out["grey.jpg"] = saved(rgb.convert("L"), format="JPEG", quality=70), None
    out["progressive.jpg"] = saved(small, format="JPEG", quality=70, progressive=True), None
    out["cmyk.jpg"] = saved(small.convert("CMYK"), format="JPEG", quality=95), None
    return out


HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
PROCESSORS = {
    "vit_bilinear": {"image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 16}, "resample": 2,
                     "do_resize": True, "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255, **HALF},
    # as the first files of the hub are
    "vit_extractor": {"feature_extractor_type": "ViTFeatureExtractor", "size": 12, "resample": 3, **IMAGENET},
    "vit_nearest": {"image_processor_type": "ViTImageProcessor", "size": {"height": 11, "width": 17}, "resample": 0},
    "vit_lanczos": {"image_processor_type": "ViTImageProcessorFast", "size": [9, 15], "resample": 1,
                    "image_mean": 0.4, "image_std": 0.3},
    "vit_box": {"image_processor_type": "ViTImageProcessor", "size": 8, "resample": 4, "do_normalize": False},
    "vit_hamming": {"image_processor_type": "ViTImageProcessor", "size": 8, "resample": 5, "do_rescale": False},
    "vit_bytes": {"image_processor_type": "ViTImageProcessor", "do_resize": False, "do_rescale": False,
                  "do_normalize": False},
    "deit": {"image_processor_type": "DeiTImageProcessor", "size": {"height": 18, "width": 20}, "do_center_crop": True,
             "crop_size": {"height": 13, "width": 16}, **IMAGENET},
    "deit_pads": {"image_processor_type": "DeiTImageProcessor", "do_resize": False, "crop_size": 8, **IMAGENET},
    "clip_shortest": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 14}, "crop_size": 12},
    "clip_number": {"image_processor_type": "CLIPImageProcessor", "size": 9, "do_center_crop": False,
                    "rescale_factor": 0.01, "resample": 2},
}
PROCESSED = ["rgb.png", "small.png", "row.png", "column.png", "one.png", "grey.jpg"]
CLASS = {"ViT": ViTImageProcessor, "DeiT": DeiTImageProcessor, "CLIP": CLIPImageProcessor}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    outdir = pathlib.Path(sys.argv[1])
    outdir.mkdir(parents=True, exist_ok=True)
    values, bytes_, rgb = {}, {}, {}
    for name, (data, own) in files().items():
        (outdir / name).write_bytes(data)
        a = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")) if own is None else own
        values[name + "/size"], bytes_[name + "/rgb"], rgb[name] = np.array(a.shape[:2]), a, a
    for name, config in PROCESSORS.items():
        (outdir / name).mkdir(exist_ok=True)
        (outdir / name / "preprocessor_config.json").write_text(json.dumps(config, indent=2) + "\n")
        kind = config.get("image_processor_type", config.get("feature_extractor_type"))
        p = CLASS[kind.removesuffix("Fast").removesuffix("ImageProcessor").removesuffix("FeatureExtractor")](
            **{k: v for k, v in config.items() if not k.endswith("_type")})
        for image in PROCESSED if config.get("do_resize", True) else ["small.png", "row.png"]:
            # A picture of one or three rows would be taken for one whose channels come first.
            x = p.preprocess(rgb[image], input_data_format="channels_last", return_tensors="np").pixel_values[0]
            values[f"{name}/{image}"] = x.astype(np.float32)
            values[f"{name}/{image}.size"] = np.array(x.shape[1:])
    kinds = {k: "U8" for k in bytes_} | {k: "F32" if a.dtype.kind == "f" else "I64" for k, a in values.items()}
    arrays = dict(sorted({**values, **bytes_}.items(), key=lambda k: "I64 F32 U8".index(kinds[k[0]])))
    store.save(outdir / "expect.safetensors", arrays, kinds)
    print(f"{len(rgb)} images, {len(PROCESSORS)} processors")


if __name__ == "__main__":
    main()
