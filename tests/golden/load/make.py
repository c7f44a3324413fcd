"""Small checkpoints, and what numpy and gguf read in them.

python make.py [DIR]   (safetensors, gguf, numpy)
"""
import json
import os
import struct
import sys

import numpy as np
from gguf import GGUFWriter, GGMLQuantizationType as T, quants
from gguf.constants import GGML_QUANT_SIZES
from safetensors.numpy import save_file

out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(1)


def path(*names):
    p = os.path.join(out, *names)
    os.makedirs(os.path.dirname(p), exist_ok=True)
    return p


def write_json(value, *names):
    with open(path(*names), "w") as f:
        f.write(value if isinstance(value, str) else json.dumps(value, indent=1) + "\n")


def safetensors(tensors, *names):
    """For the dtypes that numpy does not have: {name: (dtype, shape, bytes)}."""
    head, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape, data) in tensors.items():
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(head).encode()
    with open(path(*names), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            f.write(data)


# Halves: both zeros, subnormals, the limits, infinities, anything finite.
edge16 = np.array([0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x3C00], np.uint16)
halves = np.concatenate([edge16, rng.integers(0, 0x7C00, 512 - len(edge16)).astype(np.uint16)])
edge32 = np.array([0, 0x80000000, 1, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x7F800000, 0xFF800000], np.uint32)
floats = np.concatenate([edge32, rng.standard_normal(512 - len(edge32)).astype(np.float32).view(np.uint32)])
bf = np.concatenate([edge32 >> 16, floats[len(edge32):] >> 16]).astype(np.uint16)
doubles = np.concatenate([[0.0, -0.0, 1e-50, 1e300, -1e300, np.inf, 1 / 3], rng.standard_normal(505)])


def blocks(t, n):
    """Random blocks whose scales are finite halves."""
    size, nbytes = GGML_QUANT_SIZES[t]
    b = rng.integers(0, 256, (n // size, nbytes)).astype(np.uint8)
    scale_at = {T.Q6_K: [208]}.get(t, [0] if t in (T.Q8_0, T.Q4_0, T.Q5_0) else [0, 2])
    for at in scale_at:
        h = rng.uniform(-2, 2, len(b)).astype(np.float16)
        h[0] = 0.0006 if at else np.float16(5e-7)  # a subnormal
        b[:, at:at + 2] = h.view(np.uint8).reshape(-1, 2)
    return b.reshape(2, -1)


expect = {}
w = GGUFWriter(path("types.gguf"), "tiny")
w.add_uint8("k.u8", 255)
w.add_int8("k.i8", -128)
w.add_uint16("k.u16", 65535)
w.add_int16("k.i16", -32768)
w.add_uint32("k.u32", 4294967295)
w.add_int32("k.i32", -2147483648)
w.add_float32("k.f32", 0.1)
w.add_bool("k.bool", True)
w.add_string("k.str", "na\u00efve")
w.add_uint64("k.u64", 2**64 - 1)
w.add_int64("k.i64", -(2**63))
w.add_float64("k.f64", 0.1)
w.add_array("k.list", [1, -2, 3])
w.add_array("k.words", ["", "a", "b\0c"])
w.add_array("k.lists", [[1, 2], [3]])
with np.errstate(over="ignore"):
    for name, data, want in [
            ("f32", floats.view(np.float32), floats.view(np.float32)),
            ("f16", halves.view(np.float16), halves.view(np.float16).astype(np.float32)),
            ("f64", doubles, doubles.astype(np.float32))]:
        w.add_tensor(name, data.reshape(2, 256))
        expect[name] = want.reshape(2, 256)
w.add_tensor("bf16", bf.view(np.uint8).reshape(2, 512), raw_dtype=T.BF16)
expect["bf16"] = (bf.astype(np.uint32) << 16).view(np.float32).reshape(2, 256)
w.add_tensor("i32", np.arange(6, dtype=np.int32).reshape(1, 2, 3))
for t in (T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q4_K, T.Q5_K, T.Q6_K):
    b = blocks(t, 512)
    w.add_tensor(t.name.lower(), b, raw_dtype=t)
    expect[t.name.lower()] = quants.dequantize(b, t)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

write_json({"model_type": "expected"}, "types", "config.json")
save_file(expect, path("types", "model.safetensors"))

# ---- safetensors: every dtype; configuration as Python writes it ----
ints = np.arange(4)
safetensors({
    "f32": ("F32", [2, 256], floats.tobytes()),
    "f16": ("F16", [2, 256], halves.tobytes()),
    "bf16": ("BF16", [2, 256], bf.tobytes()),
    "f64": ("F64", [2, 256], doubles.tobytes()),
    "scalar": ("F32", [], np.float32(1.5).tobytes()),
    "none": ("F32", [0, 4], b""),
    "bool": ("BOOL", [3], b"\1\0\1"),  # what follows is not aligned
    "u8": ("U8", [4], ints.astype(np.uint8).tobytes()),
    "i8": ("I8", [4], ints.astype(np.int8).tobytes()),
    "i16": ("I16", [4], ints.astype(np.int16).tobytes()),
    "i32": ("I32", [2, 2], ints.astype(np.int32).tobytes()),
    "i64": ("I64", [1, 4], ints.astype(np.int64).tobytes()),
    "odd.f32": ("F32", [2, 256], floats.tobytes()),
    "odd.f16": ("F16", [2, 256], halves.tobytes()),
}, "safe", "model.safetensors")
write_json('''{"model_type": "tiny", "limits": [0.0, Infinity, -Infinity, NaN],
 "new": {"__float__": "Infinity"}, "text": "Infinity \\" NaN", "no": null,
 "rope_scaling": {"factor": 8.0, "deep": {"er": [1, [2, "x"]]}},
 "long": 1000000000000000019884624838656, "flag": true, "off": false,
 "id2label": {"0": "bad", "1": "good"}, "n": -7, "e": 1e-05}
''', "safe", "config.json")

# ---- two shards ----
a, b = np.ones((2, 3), np.float32), np.full((3,), 2, np.float32)
save_file({"a": a}, path("shards", "model-00001-of-00002.safetensors"))
save_file({"b": b, "c": a * 3}, path("shards", "model-00002-of-00002.safetensors"))
write_json({"model_type": "tiny"}, "shards", "config.json")
write_json({"metadata": {"total_size": 60}, "weight_map": {
    "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors",
    "c": "model-00002-of-00002.safetensors"}}, "shards", "model.safetensors.index.json")

# ---- a vocabulary ----
w = GGUFWriter(path("vocab.gguf"), "tiny")
w.add_tokenizer_model("gpt2")
w.add_tokenizer_pre("gpt-2")
w.add_token_list(["<s>", "a", "b", "ab"])
w.add_token_types([3, 1, 1, 1])
w.add_token_scores([0.0, -1.0, -2.0, -0.5])
w.add_token_merges(["a b"])
w.add_bos_token_id(0)
w.add_add_bos_token(True)
w.write_header_to_file()
w.write_kv_data_to_file()
w.close()
