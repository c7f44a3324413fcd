#!/usr/bin/env python3
"""compare.py COMMITTED FRESH [--tol 1e-12]

Compares two folders that llama.py, rules.py or another script here wrote: arrays of expect files to a tolerance relative
to the largest value of each array (those named float32...: that they are there, the values depend on the machine), every
other file byte for byte. Prints one line per model and exits 1 if anything
differs, is missing or is new.
"""
import argparse
import collections
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file


def files(root):
    return {p.relative_to(root).as_posix(): p for p in sorted(root.rglob("*")) if p.is_file()}


def arrays(a, b):
    """-> (number of arrays, largest difference, where, names in only one of the two)."""
    a, b = load_file(a), load_file(b)
    worst, where = 0.0, ""
    for k in a.keys() & b.keys():
        if a[k].shape != b[k].shape or a[k].dtype != b[k].dtype:
            d = np.inf
        elif k.split("/")[-1].startswith("float32"):
            d = 0.0
        elif a[k].dtype.kind == "i":
            d = 0.0 if (a[k] == b[k]).all() else np.inf
        else:
            size = np.abs(a[k]).max(initial=0)
            d = np.abs(a[k] - b[k]).max(initial=0) / (size if size > 0 else 1)
        if not d <= worst:
            worst, where = d, k
    return len(a), worst, where, sorted(a.keys() ^ b.keys())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("committed", type=pathlib.Path)
    p.add_argument("fresh", type=pathlib.Path)
    p.add_argument("--tol", type=float, default=1e-12)
    o = p.parse_args()
    old, new = files(o.committed), files(o.fresh)
    bad = [f"only in {o.committed if k in old else o.fresh}: {k}" for k in sorted(old.keys() ^ new.keys())]
    lines = collections.OrderedDict()
    for k in sorted(old.keys() & new.keys()):
        name = k.split("/")[0].split(".")[0]
        line = lines.setdefault(name, [0, 0.0, "same"])
        if k.endswith("expect.safetensors"):
            n, worst, where, odd = arrays(old[k], new[k])
            line[0], line[1] = line[0] + n, max(line[1], worst)
            bad += [f"{k}: {x} is in one of the two only" for x in odd]
            if not worst <= o.tol:
                bad.append(f"{k}: {where} differs by {worst:.3g} of its largest value")
        elif old[k].read_bytes() != new[k].read_bytes():
            line[2] = "DIFFER"
            bad.append(f"{k}: not the same bytes")
    print(f"{'model':24}{'arrays':>8}{'largest difference':>20}  {'other files'}")
    for name, (n, worst, same) in lines.items():
        print(f"{name:24}{n:8}{worst:20.1e}  {same}")
    for line in bad:
        print(line, file=sys.stderr)
    print(f"{len(lines)} models, {len(bad)} differences")
    return 1 if bad or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
