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
        # methods that do not conserve have no account
        if d.dtype.kind == "f" and name not in ("absorbed", "conservation_residual"):
            check(np.isfinite(d[...]).all(), f"{full}: not finite")


def corpus():
    """A file of many inputs: the rows of each, along flat axes."""
    found = []
    with h5py.File(path) as f:
        visit(f, found)
        check(text(f.attrs["format"]) == "heed", "format")
        n = f["sample"].shape[0]
        several = "target_row" in f
        start, size = f["input/sample_start"][:], f["input/sample_size"][:]
        rows = f["token_row"].shape[0]
        check(start[0] == 0 and (np.diff(start) == size[:-1]).all(), "starts")
        check(start[-1] + size[-1] == rows, "rows")
        pos, of = f["input/pos"][:], f["input/sample_index"][:]
        check((of == np.repeat(np.arange(n), size)).all(), "sample_index")
        check((pos == np.arange(rows) - start[of]).all(), "pos")
        tokens = [text(t) for t in f["input/token"][:]]
        whole = [text(t).encode() for t in f["input/text"][:]]
        end = f["input/byte_end"][:]
        check(all(end[of == i].max() <= len(whole[i]) for i in range(n)), "bytes")
        groups = list(f["explanations"])
        h5 = {g: f["explanations"][g]["relevance"][...] for g in groups}
        total = {g: f["explanations"][g]["sum"][:] for g in groups}
        owner = f["input/map_target"][:] if several else of
        for g in groups:
            check(text(f["explanations"][g].attrs["reduce"]) != "sum" or np.allclose(
                np.bincount(owner, h5[g].astype(float)), total[g], atol=1e-4),
                f"{g}: the rows of a target do not make its sum")
    axis = "map_row" if several else "token_row"
    with netCDF4.Dataset(path) as f:
        check(f.dimensions["sample"].isunlimited(), "sample cannot grow")
        check(f["input"]["token"].dimensions == ("token_row",), "netCDF4: tokens")
        check([text(t) for t in f["input"]["token"][:]] == tokens, "netCDF4: tokens")
        check(f["input"]["sample_size"].sample_dimension == "token_row", "CF")
        for g in groups:
            v = f["explanations"][g]["relevance"]
            check(v.dimensions == (axis,), f"{g}: dimensions in netCDF4")
            check(not np.ma.is_masked(v[...]), f"{g}: masked values")
            check(np.array_equal(v[...], h5[g]), f"{g}: values in netCDF4")
            ledger = f["explanations"][g].groups.get("ledger")
            for name, v in (ledger.variables if ledger else {}).items():
                check(not np.ma.is_masked(v[...]), f"{g}: masked {name}")
    for engine in ("netcdf4", "h5netcdf"):
        with xarray.open_dataset(path, engine=engine) as d:
            check(d.sizes["sample"] == n and d.attrs["format"] == "heed", engine)
        with xarray.open_dataset(path, group="input", engine=engine) as d:
            check([text(t) for t in d.token_id.token.values] == tokens, engine)
            check({"pos", "sample_index", "token_row"} <= set(d.token_id.coords), engine)
        for g in groups:
            with xarray.open_dataset(path, group=f"explanations/{g}", engine=engine) as d:
                r = d.relevance
                check(r.dims == (axis,) and np.array_equal(r.values, h5[g]), f"{engine}: {g}")
                want = {"map_target", "map_token"} if several else {"pos", "token", "sample_index"}
                check(want <= set(r.coords), f"{engine}: {g}: coordinates")
                if not several:
                    one = r[r.sample_index == n - 1]
                    check([text(t) for t in one.token.values] == tokens[start[-1]:], engine)
                check(np.array_equal(d["sum"].values, total[g]), f"{engine}: {g}: sum")
                check(d.attrs["method"] == g, f"{engine}: {g}: attributes")
            with h5py.File(path) as f:
                ledger = f"explanations/{g}/ledger" in f
            if ledger:
                with xarray.open_dataset(path, group=f"explanations/{g}/ledger", engine=engine) as d:
                    check("op_name" in d.relevance_in.coords, f"{engine}: ledger")
                    check(np.isfinite(d.relevance_in.values).all(), f"{engine}: ledger")
    print(f"{path}: {len(found)} datasets, {n} inputs, {rows} tokens")


with h5py.File(path) as f:
    many = "token_row" in f
if many:
    corpus()
    sys.exit()

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
