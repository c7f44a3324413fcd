"""pytorch_model.bin as torch.save writes it, in folders beside this file, and what must be refused, in hostile/.

python make.py [DIR]   (torch, safetensors; reads ../load and ../mamba)
"""
import collections
import io
import json
import os
import pickle
import shutil
import struct
import sys
import zipfile

import torch
from safetensors.torch import load_file, save_file

from craft import (CENTRAL, END, LOCAL, archive, dictionary, large, named, number, ordered, patch, saved, storage, tensor,
                   text, tup, whole)

here = os.path.dirname(os.path.abspath(__file__))
out = sys.argv[1] if len(sys.argv) > 1 else here
CONFIG = {"model_type": "tiny"}


def path(*names):
    p = os.path.join(out, *names)
    os.makedirs(os.path.dirname(p), exist_ok=True)
    return p


def config(folder, value=CONFIG):
    with open(path(folder, "config.json"), "w") as f:
        json.dump(value, f)
        f.write("\n")


def save(what, folder, name="pytorch_model.bin", **options):
    torch.save(what, path(folder, name), **options)
    config(folder)


def golden(*names):
    return os.path.join(here, "..", *names)


def loaded(*names):
    """With a storage for each tensor."""
    return {k: v.clone() for k, v in load_file(golden(*names)).items()}


def again(folder, top):
    """The same archive as another program writes it: no alignment, no end record of a large file."""
    with zipfile.ZipFile(path(folder, "pytorch_model.bin")) as z:
        files = {n.split("/", 1)[1]: z.read(n) for n in z.namelist()}
    old = {n: b for n, b in files.items() if n == "data.pkl" or n.startswith("data/") or n == "version"}
    return archive(old, top)


# ---- every dtype ----
save(loaded("load", "safe", "model.safetensors"), "types")

# ---- storages that are shared, views, parameters, metadata of modules; a plain file says what is in them ----
torch.manual_seed(1)
base = torch.randn(6, 4)
half = torch.randn(8).to(torch.float16)
shared = collections.OrderedDict([
    ("embed", base), ("head", base),                                # one object
    ("again", base.view(6, 4)),                                     # another of the same storage
    ("rows", base[2:5]), ("row", base[3]), ("flat", base.view(-1)), ("one", base[1:2, :].t().contiguous().t()),
    ("parameter", torch.nn.Parameter(half)), ("buffer", torch.nn.Parameter(half[2:6], requires_grad=False)),
    ("bf16", torch.randn(2, 3, 2).to(torch.bfloat16)), ("f64", torch.randn(3, dtype=torch.float64)),
    ("scalar", torch.tensor(7.5)), ("step", torch.tensor(3)), ("none", torch.zeros(0, 5)),
    ("mask", torch.tensor([True, False, True])), ("name with \u00e9", torch.ones(1)),
])
shared._metadata = collections.OrderedDict([("", {"version": 1}), ("layer", {"version": 2})])
save_file({k: v.detach().clone().contiguous() for k, v in shared.items()}, path("expect", "model.safetensors"))
config("expect")
save(shared, "shared")
for p in (3, 4, 5):
    save(shared, "protocol%d" % p, pickle_protocol=p)
save({"state_dict": shared, "epoch": 3, "loss": 0.5, "name": "x", "history": [1, (2, None)], "big": 2**40, "less": -5},
     "state_dict")
save({"model": dict(shared), "args": {"lr": 1e-3}}, "model")
for folder, top in (("plain_zip", "archive/"), ("other_name", "a longer name of the archive/")):
    with open(path(folder, "pytorch_model.bin"), "wb") as f:
        f.write(again("shared", top))
    config(folder)
buffer = io.BytesIO()  # its archive is "archive"
torch.save(dict(shared), buffer)
with open(path("buffer", "pytorch_model.bin"), "wb") as f:
    f.write(buffer.getvalue())
config("buffer")

with open(path("large", "pytorch_model.bin"), "wb") as f:
    f.write(large(again("shared", "archive/")))
config("large")

# ---- two shards ----
index = json.load(open(golden("load", "shards", "model.safetensors.index.json")))
for i in (1, 2):
    save(loaded("load", "shards", "model-0000%d-of-00002.safetensors" % i), "shards",
         "pytorch_model-0000%d-of-00002.bin" % i)
index["weight_map"] = {k: "pytorch_" + v.replace("safetensors", "bin") for k, v in index["weight_map"].items()}
with open(path("shards", "pytorch_model.bin.index.json"), "w") as f:
    json.dump(index, f, indent=1)
    f.write("\n")

# ---- as state-spaces publishes its models ----
save(loaded("mamba", "native", "model.safetensors"), "native")
shutil.copy(golden("mamba", "native", "config.json"), path("native", "config.json"))


# ---- what is refused ----
def hostile(name, data):
    with open(path("hostile", name + ".bin"), "wb") as f:
        f.write(data)


class Call:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def one(t, name="a"):
    return whole(dictionary([(name, t)]))


good = tensor(storage(), [2, 2])
hostile("sound", saved(one(good)))
hostile("system", saved(pickle.dumps({"a": Call(os.system, "echo heed >heed-was-here")}, 2)))
hostile("os_system", saved(one(named("os", "system") + tup(text("echo heed >heed-was-here")) + b"R")))
hostile("eval", saved(pickle.dumps({"a": Call(eval, "1+1")}, 2)))
hostile("eval4", saved(pickle.dumps({"a": Call(eval, "1+1")}, 4)))
hostile("getattr", saved(one(named("torch", "load") + tup(text("x")) + b"R")))
hostile("dotted", saved(one(named("collections", "OrderedDict.fromkeys") + tup(text("x")) + b"R")))
hostile("escape", saved(one(named("\x1b[31mos", "system") + tup(text("x")) + b"R")))
hostile("storage_called", saved(one(named("torch", "FloatStorage") + tup(number(4)) + b"R")))
hostile("dict_called", saved(one(good + b")R")))
hostile("dict_arguments", saved(whole(named("collections", "OrderedDict") + tup(tup()) + b"R")))
hostile("rebuild_v3", saved(one(named("torch._utils", "_rebuild_tensor_v3") + b")R")))
hostile("complex", saved(one(tensor(storage(kind="ComplexFloatStorage"), [2, 2]))))
hostile("quantised", saved(one(tensor(storage(kind="QInt8Storage"), [2, 2]))))
hostile("inst", saved(b"\x80\x02(X\1\0\0\0xios\nsystem\n."))
hostile("obj", saved(b"\x80\x02(" + named("collections", "OrderedDict") + b"o."))
hostile("newobj", saved(b"\x80\x02" + named("collections", "OrderedDict") + b")\x81."))
hostile("ext1", saved(b"\x80\x02\x82\1."))
hostile("bytes", saved(b"\x80\x03C\3abc."))
hostile("set", saved(b"\x80\x04\x8f."))
hostile("persid", saved(b"\x80\x02Pstorage\n."))
hostile("protocol0", saved(b"(dp0\n."))
hostile("protocol6", saved(b"\x80\x06}."))
hostile("opcode", saved(b"\x80\x02\xff."))
hostile("no_stop", saved(one(good)[:-1]))
hostile("after_stop", saved(one(good) + b"N."))
hostile("two_values", saved(whole(b"}}")))
hostile("nothing", saved(whole(b"")))
hostile("mark", saved(whole(b"(")))
hostile("no_mark", saved(whole(b"t")))
hostile("odd_items", saved(whole(b"}(" + text("a") + b"u")))
hostile("items_of_tuple", saved(whole(b")" + text("a") + b"Ns")))
hostile("append_to_dict", saved(whole(b"}Na")))
hostile("recursion", saved(whole(b"}q\0" + text("a") + b"h\0s")))
hostile("recursion_beside", saved(whole(b"}q\0(" + text("a") + good + text("self") + b"h\0u")))
hostile("recursive_wrap", saved(whole(b"}q\0" + text("state_dict") + b"h\0s")))
hostile("huge_tuple", saved(whole(b"(" + b"N" * 2000 + b"t")))
hostile("deep", saved(whole(b")" + b"\x85" * 2000)))
hostile("memo_empty", saved(whole(b"h\7")))
hostile("memo_far", saved(whole(b"}r\xff\xff\xff\xff")))
hostile("memo_gap", saved(whole(b"}q\1")))
hostile("memo_mark", saved(whole(b"(q\0")))
hostile("memo_get_far", saved(whole(b"j\xff\xff\xff\x7f")))
hostile("long1", saved(b"\x80\x02\x8a\xff\1."))
hostile("long4", saved(b"\x80\x02\x8b\xff\xff\xff\x7f\1."))
hostile("long_nine", saved(b"\x80\x02\x8a\x09" + b"\1" * 9 + b"."))
hostile("text_long", saved(b"\x80\x02X\xff\xff\xff\xff."))
hostile("text8_long", saved(b"\x80\x04\x8d" + b"\xff" * 8 + b"."))
hostile("text_bytes", saved(one(good, b"\xff\xfe".decode("latin1")).replace(b"\xc3\xbf\xc3\xbe", b"\xff\xff\xff\xff")))
hostile("frame", saved(b"\x80\x04\x95" + b"\xff" * 8 + b"}."))
hostile("line", saved(b"\x80\x02ctorch"))
hostile("build_other", saved(whole(ordered + b"}" + text("__class__") + b"Nsb")))
hostile("build_two", saved(whole(ordered + b"}(" + text("_metadata") + b"N" + text("_metadata") + b"Nub")))
hostile("build_dict", saved(whole(b"}}b")))
hostile("metadata_tensor", saved(whole(dictionary([("a", good)]) + b"}" + text("_metadata") + good + b"sb")))

hostile("shape_negative", saved(one(tensor(storage(), [-2, 2]))))
hostile("shape_text", saved(one(tensor(storage(), [2]).replace(number(2) + b"t", text("2") + b"t", 1))))
hostile("shape_large", saved(one(tensor(storage(), [2**62, 2**62], [0, 0]))))
hostile("stride_negative", saved(one(tensor(storage(), [2, 2], [-2, 1], 2))))
hostile("stride_zero", saved(one(tensor(storage(n=4), [2, 2], [0, 1]))))
hostile("stride_missing", saved(one(tensor(storage(), [2, 2], [1]))))
hostile("transposed", saved(one(tensor(storage(), [2, 2], [1, 2]))))
hostile("six_dimensions", saved(one(tensor(storage(), [1] * 6))))
hostile("offset_negative", saved(one(tensor(storage(), [2], offset=-1))))
hostile("offset_large", saved(one(tensor(storage(), [2], offset=3))))
hostile("offset_huge", saved(one(tensor(storage(), [2], offset=2**63 - 1))))
hostile("numel_negative", saved(one(tensor(storage(n=-4), [2, 2]))))
hostile("numel_large", saved(one(tensor(storage(n=5), [2, 2]))))
hostile("numel_small", saved(one(tensor(storage(n=3), [3]))))
hostile("numel_huge", saved(one(tensor(storage(n=2**62), [2, 2]))))
hostile("storage_missing", saved(one(tensor(storage("1"), [2, 2]))))
hostile("storage_outside", saved(one(tensor(storage("../data/0"), [2, 2]))))
hostile("storage_tag", saved(one(tensor(storage(tag="module"), [2, 2]))))
hostile("storage_twice", saved(whole(dictionary([("a", good), ("b", tensor(storage(n=2, kind="LongStorage"), [2]))]))))
hostile("hooks", saved(one(tensor(storage(), [2, 2], hooks=dictionary([("x", b"N")])))))
hostile("metadata", saved(one(tensor(storage(), [2, 2], more=dictionary([("conj", b"\x88")])))))
hostile("arguments", saved(one(named("torch._utils", "_rebuild_tensor_v2") + tup(storage(), number(0)) + b"R")))
hostile("parameter_of_none", saved(one(named("torch._utils", "_rebuild_parameter") + tup(b"N", b"\x88", ordered) + b"R")))

hostile("name_twice", saved(whole(dictionary([("a", good), ("a", good)]))))
hostile("name_number", saved(whole(dictionary([("a", good), (number(3), good)]))))
hostile("name_newline", saved(one(good, "a\nb")))
hostile("name_bomb", saved(whole(ordered + b"(" + text("n" * 500) + b"q\0" + good + b"q\1" + b"h\0h\1" * 400 + b"u")))
hostile("value_number", saved(whole(dictionary([("a", good), ("step", number(3))]))))
hostile("value_dict", saved(whole(dictionary([("a", good), ("inner", dictionary([("b", good)]))]))))
hostile("list", saved(whole(b"](" + good + b"e")))
hostile("bare_tensor", saved(whole(good)))
hostile("optimizer", saved(whole(dictionary([("model", dictionary([("a", good)])),
                                             ("optimizer", dictionary([("m", good)]))]))))
hostile("both", saved(whole(dictionary([("model", dictionary([("a", good)])),
                                        ("state_dict", dictionary([("b", good)]))]))))
hostile("wrapped_twice", saved(whole(dictionary([("state_dict", dictionary([("a", good)])), ("state_dict", b"}")]))))
hostile("nested_twice", saved(whole(dictionary([("model", dictionary([("state_dict", dictionary([("a", good)]))]))]))))

hostile("deflated", archive({"data.pkl": one(good), "data/0": bytes(16)}, method=zipfile.ZIP_DEFLATED))
hostile("big_endian", saved(one(good), byteorder=b"big"))
hostile("version_99", saved(one(good), version=b"99\n"))
hostile("script", saved(one(good), **{"constants.pkl": b"\x80\x02}."}))
hostile("unknown_file", saved(one(good), **{"extra/notes": b"x"}))
hostile("unused_storage", saved(one(good), {"0": struct.pack("<4f", 1, 2, 3, 4), "1": bytes(4)}))
hostile("no_pickle", archive({"data/0": bytes(16), "version": b"3\n"}))
hostile("no_folder", archive({"data.pkl": one(good)}, top=""))
hostile("two_folders", archive({"a/data.pkl": one(good), "b/data/0": bytes(16)}, top=""))
hostile("empty_zip", archive({}))
legacy = io.BytesIO()
torch.save({"a": 1}, legacy, _use_new_zipfile_serialization=False)
hostile("before_1_6", legacy.getvalue())
hostile("bare_pickle", pickle.dumps({"a": 1}, 2))

sound, zip64 = saved(one(good)), large(saved(one(good)))
hostile("zip_comment", patch(sound, END, 20, b"\3\0") + b"abc")
hostile("zip_bytes_after", sound + b"\0")
hostile("zip_disks", patch(sound, END, 4, b"\1"))
hostile("zip_more_records", patch(sound, END, 8, b"\5\0\5\0"))
hostile("zip_fewer_records", patch(sound, END, 8, b"\3\0\3\0"))
hostile("zip_many_records", patch(sound, END, 8, b"\xff\xfe\xff\xfe"))
hostile("zip_parts", patch(sound, END, 8, b"\3\0"))
hostile("zip_directory_size", patch(sound, END, 12, b"\1\0\0\0"))
hostile("zip_directory_at", patch(sound, END, 16, b"\xff\xff\xff\x7f"))
hostile("zip_record", patch(sound, CENTRAL, 0, b"X", 1))
hostile("zip_encrypted", patch(sound, CENTRAL, 8, b"\1"))
hostile("zip_lzma", patch(sound, CENTRAL, 10, b"\x0e"))
hostile("zip_sizes", patch(sound, CENTRAL, 20, b"\1\0\0\0"))
hostile("zip_name_length", patch(sound, CENTRAL, 28, b"\xff\xff", 3))
hostile("zip_place", patch(sound, CENTRAL, 42, b"\1\0\0\0"))
hostile("zip_place_far", patch(sound, CENTRAL, 42, b"\xf0\xff\xff\xff"))
hostile("zip_same_place", patch(sound, CENTRAL, 42, b"\0\0\0\0", 1))
hostile("zip_overlap", patch(sound, CENTRAL, 20, (len(one(good)) + 1).to_bytes(4, "little") * 2))
hostile("zip_reach", patch(sound, CENTRAL, 20, b"\0\0\1\0" * 2))
hostile("zip_local", patch(sound, LOCAL, 0, b"X", 1))
hostile("zip_local_name", patch(sound, LOCAL, 30, b"X", 1))
hostile("zip_local_extra", patch(sound, LOCAL, 28, b"\xff\xff", 3))
hostile("zip_twice", saved(one(good), {"0": bytes(16), "1": bytes(16)}).replace(b"data/1", b"data/0"))
hostile("zip_no_wide", patch(sound, CENTRAL, 20, b"\xff" * 8))
hostile("zip64_sound", zip64)
hostile("zip64_locator", patch(zip64, b"PK\6\7", 8, b"\0"))
hostile("zip64_record", patch(zip64, b"PK\6\6", 0, b"X"))
hostile("zip64_differ", patch(zip64, END, 8, b"\1\0\1\0"))
hostile("zip64_disks", patch(zip64, b"PK\6\6", 16, b"\1"))
hostile("zip64_many", patch(zip64, b"PK\6\6", 24, b"\xff" * 16))
hostile("zip64_size", patch(zip64, b"PK\6\6", 40, b"\xff" * 8))
hostile("zip64_at", patch(zip64, b"PK\6\6", 48, b"\xff" * 8))
hostile("zip64_short", zip64.replace(b"\1\0\x18\0", b"\1\0\x17\0", 1))
hostile("zip64_long", zip64.replace(b"\1\0\x18\0", b"\1\0\xff\0", 1))
hostile("zip64_other", zip64.replace(b"\1\0\x18\0", b"\2\0\x18\0", 1))
hostile("zip64_place", patch(zip64, b"\1\0\x18\0", 20, b"\xf0" + b"\xff" * 7))
hostile("zip64_length", patch(zip64, b"\1\0\x18\0", 4, b"\xff" * 16))
