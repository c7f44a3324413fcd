"""interop.py FILE.h5 - a result file in h5py, netCDF4 and xarray, without a
warning."""
import json
import sys
import warnings

warnings.simplefilter("error")

import h5netcdf  # noqa: F401, E402
import h5py  # noqa: E402
import netCDF4  # noqa: E402
import numpy as np  # noqa: E402
import xarray  # noqa: E402

path = sys.argv[1]


def check(ok, what):
    if not ok:
        sys.exit(f"{path}: {what}")


def text(x):
    return x.decode() if isinstance(x, bytes) else str(x)


def visit(g, found):
    """Every dataset: its dimensions have scales, its type is allowed."""
    for name, d in g.items():
        if isinstance(d, h5py.Group):
            visit(d, found)
            continue
        full = f"{g.name}/{name}"
        found.append(full)
        is_scale = d.attrs.get("CLASS") == b"DIMENSION_SCALE"
        for i, dim in enumerate(d.dims):
            check(is_scale or len(dim) == 1, f"{full}: dimension {i} has no scale")
        if d.dtype.kind == "O":
            s = h5py.check_string_dtype(d.dtype)
            check(s and s.encoding == "utf-8" and s.length is None, f"{full}: text")
        else:
            check(d.dtype.str in ("<f4", "<f8", "<i4", "<i8", "|u1"), f"{full}: {d.dtype}")
        if d.dtype.kind == "f":
            check(np.isfinite(d[...]).all(), f"{full}: not finite")


with h5py.File(path) as f:
    found = []
    visit(f, found)
    check("//pos" in found or "/pos" in [x.replace("//", "/") for x in found], "no pos")
    tokens = [text(t) for t in f["input/token"][:]]
    groups = list(f["explanations"])
    check(f.attrs["format"] == "heed", "format")
    whole = text(f["input/text"][()]).encode()
    start, end = f["input/byte_start"][:], f["input/byte_end"][:]
    check((start <= end).all() and end.max() <= len(whole), "byte ranges")
    for g in groups:
        json.loads(f["explanations"][g].attrs.get("options", "{}"))
    h5 = {g: f["explanations"][g]["relevance"][...] for g in groups}

with netCDF4.Dataset(path) as f:
    check(list(f["input"]["token"][:]) == tokens, "tokens in netCDF4")
    check(f["input"]["token"].dimensions == ("pos",), "dimensions in netCDF4")
    for g in groups:
        v = f["explanations"][g]["relevance"]
        check(v.dimensions in (("pos",), ("target", "source")), f"{g}: dimensions")
        check(not np.ma.is_masked(v[...]), f"{g}: masked values")
        check(np.array_equal(v[...], h5[g]), f"{g}: values in netCDF4")
        check(f["explanations"][g].method == g.rstrip("_0123456789"), f"{g}: method")
    if "attention" in f.groups:
        a = f["attention"]["attention"]
        check(a.dimensions == ("layer", "head", "query", "key"), "attention")

for engine in ("netcdf4", "h5netcdf"):
    with xarray.open_dataset(path, engine=engine) as d:
        check(d.attrs["format"] == "heed", f"{engine}: attributes")
    with xarray.open_dataset(path, group="input", engine=engine) as d:
        check("token" in d.token_id.coords, f"{engine}: tokens of the input")
        check([text(t) for t in d.token.values] == tokens, f"{engine}: tokens")
        check(d.token_id.dtype == "int32", f"{engine}: ids")
    for g in groups:
        group = f"explanations/{g}"
        with xarray.open_dataset(path, group=group, engine=engine) as d:
            r = d.relevance
            several = r.dims == ("target", "source")
            name = "source_token" if several else "token"
            check(several or r.dims == ("pos",), f"{engine}: {r.dims}")
            check(r.dims[-1] in r.coords and name in r.coords, f"{engine}: {g}")
            check([text(t) for t in r[name].values] == tokens, f"{engine}: {g}")
            check(list(r[r.dims[-1]].values) == list(range(len(tokens))), "pos")
            check(np.array_equal(r.values, h5[g]), f"{engine}: {g}: values")
            check("target_value" in d.attrs, f"{engine}: {g}: attributes")
        with h5py.File(path) as f:
            ledger = f"{group}/ledger" in f
        if ledger:
            with xarray.open_dataset(path, group=f"{group}/ledger", engine=engine) as d:
                check("op_name" in d.relevance_in.coords, f"{engine}: ledger")
    with h5py.File(path) as f:
        attention = "attention" in f
    if attention:
        with xarray.open_dataset(path, group="attention", engine=engine) as d:
            a = d.attention
            check(a.dims == ("layer", "head", "query", "key"), engine)
            check({"query_token", "key_token", "layer", "query"} <= set(a.coords), engine)
            check(np.allclose(a.values.sum(-1), 1, atol=1e-5), f"{engine}: rows")
            check((np.triu(a.values[0, 0], 1) == 0).all(), f"{engine}: causal")
            check("kind" in d.attrs, f"{engine}: attention attributes")

print(f"{path}: {len(found)} datasets, {len(groups)} explanations, {len(tokens)} tokens")
