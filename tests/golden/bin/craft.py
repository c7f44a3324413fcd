"""Files of torch.save by hand, so that every part of them can be wrong. No packages needed.

A pickle is bytes of opcodes; see Python's pickletools.
"""
import io
import struct
import zipfile

STORAGE = {"F32": "FloatStorage", "F16": "HalfStorage", "BF16": "BFloat16Storage", "I64": "LongStorage"}


def text(s):
    b = s if isinstance(s, bytes) else s.encode()
    return b"X" + struct.pack("<I", len(b)) + b


def number(i):
    if -2**31 <= i < 2**31:
        return b"J" + struct.pack("<i", i)
    b = i.to_bytes((i.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(b)]) + b


def named(module, name):
    return b"c%s\n%s\n" % (module.encode(), name.encode())


def tup(*items):
    return b"(" + b"".join(items) + b"t"


ordered = named("collections", "OrderedDict") + b")R"


def storage(key="0", n=4, kind="FloatStorage", tag="storage", where="cpu"):
    return tup(text(tag), named("torch", kind), text(key), text(where), number(n)) + b"Q"


def contiguous(shape):
    stride, k = [], 1
    for d in reversed(shape):
        stride.insert(0, k)
        k *= d
    return stride


def tensor(store, shape, stride=None, offset=0, hooks=ordered, more=b""):
    stride = contiguous(shape) if stride is None else stride
    return named("torch._utils", "_rebuild_tensor_v2") + tup(
        store, number(offset), tup(*map(number, shape)), tup(*map(number, stride)), b"\x89", hooks, more) + b"R"


def dictionary(pairs, start=ordered):
    return start + b"(" + b"".join((text(k) if isinstance(k, str) else k) + v for k, v in pairs) + b"u"


def whole(body):
    return b"\x80\x02" + body + b"."


def archive(files, top="archive/", method=zipfile.ZIP_STORED):
    """A zip file of {name: bytes}, always of the same bytes."""
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", method) as z:
        for name, data in files.items():
            z.writestr(zipfile.ZipInfo(top + name), data, method)
    return b.getvalue()


def saved(pickle, data=None, **other):
    """torch.save's file of a pickle; data: {key: bytes} of the storages, here one of four numbers."""
    data = {"0": struct.pack("<4f", 1, 2, 3, 4)} if data is None else data
    files = {"data.pkl": pickle, "byteorder": b"little", **{"data/" + k: v for k, v in data.items()}, "version": b"3\n"}
    files.update(other)
    return archive({k: v for k, v in files.items() if v is not None})


def model(tensors):
    """Of {name: (dtype, shape, bytes)}."""
    size = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8}
    pairs = [(name, tensor(storage(str(i), len(b) // size[t], STORAGE[t]), shape))
             for i, (name, (t, shape, b)) in enumerate(tensors.items())]
    return saved(whole(dictionary(pairs)), {str(i): b for i, (_, _, b) in enumerate(tensors.values())})


# ---- the zip file itself ----
LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"


def patch(data, record, at, new, i=0):
    """Bytes of the i-th record of a kind, which starts with its signature."""
    start = -1
    for _ in range(i + 1):
        start = data.index(record, start + 1)
    return data[:start + at] + new + data[start + at + len(new):]


def large(data):
    """The same archive as if it were large: ones in the directory, the sizes in extra fields, a second end record."""
    end = data.index(END)
    count, size, at = struct.unpack("<HII", data[end + 10:end + 20])
    body, directory, out = data[:at], data[at:at + size], b""
    while directory:
        packed, full, name = struct.unpack("<IIH", directory[20:30])
        place, = struct.unpack("<I", directory[42:46])
        out += (directory[:20] + b"\xff" * 8 + struct.pack("<HH", name, 34) + directory[32:42] + b"\xff" * 4 +
                directory[46:46 + name] + b"\x99\x99\2\0ab" + struct.pack("<HHQQQ", 1, 24, full, packed, place))
        directory = directory[46 + name:]
    end64 = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, len(out), at)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, at + len(out), 1)
    return body + out + end64 + locator + END + b"\0" * 4 + b"\xff" * 12 + b"\0" * 2
