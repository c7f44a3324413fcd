"""Safetensors files whose bytes depend on nothing but the arrays, in any of the dtypes that checkpoints have."""
import json
import struct

import numpy as np


def bf16(a):
    """Rounds to the nearest bfloat16, ties to even; the result is float32."""
    u = np.ascontiguousarray(a, np.float32).view(np.uint32).astype(np.uint64)
    u = (u + 0x7FFF + ((u >> 16) & 1)) & 0xFFFF0000
    return u.astype(np.uint32).view(np.float32)


def rounded(a, dtype):
    """The float32 array as it comes back from a file of that dtype."""
    if dtype == "BF16":
        return bf16(a)
    return a.astype(np.float16).astype(np.float32) if dtype == "F16" else a


def _raw(a, dtype):
    if dtype == "BF16":
        return (bf16(a).view(np.uint32) >> 16).astype("<u2").tobytes()
    return a.astype({"F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8", "U8": "u1"}[dtype]).tobytes()


def save(path, tensors, dtype=None):
    """tensors: name -> array. dtype: one for all, name -> dtype, or None: F64 for floats and I64 for integers."""
    header, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, a in tensors.items():
        a = np.asarray(a)
        kind = (dtype[name] if isinstance(dtype, dict) else dtype) or ("F64" if a.dtype.kind == "f" else "I64")
        blobs.append(_raw(a, kind))
        header[name] = {"dtype": kind, "shape": list(a.shape), "data_offsets": [at, at + len(blobs[-1])]}
        at += len(blobs[-1])
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"".join(blobs))


def save_sharded(folder, tensors, dtype, n):
    names = list(tensors)
    index = {"metadata": {"total_size": 0}, "weight_map": {}}
    for i in range(n):
        part = {k: tensors[k] for k in names[i::n]}
        file = f"model-{i + 1:05d}-of-{n:05d}.safetensors"
        save(folder / file, part, dtype)
        for k, a in part.items():
            index["weight_map"][k] = file
            index["metadata"]["total_size"] += a.size * (4 if dtype == "F32" else 2)
    index["weight_map"] = dict(sorted(index["weight_map"].items()))
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
