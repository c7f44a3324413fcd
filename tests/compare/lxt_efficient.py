#!/usr/bin/env python3
"""lxt_efficient.py HEED      compares attn_lrp with lxt.efficient in float64; HEED is the command built with
                           EXTRA=-DHEED_REAL=double

For golden Llama models, 37 random tokens and the best next token at the end, relevance by token, differences of the
largest:

  lxt     --act_div lxt against lxt as it is, whose f(x)/(x + 1e-10) it repeats; at most 1e-9
  exact   f(x)/x in closed form against lxt with its 1e-10 removed; at most 1e-9
  1e-10   f(x)/x in closed form against lxt as it is; at most 1e-8
  own     --act_div lxt against f(x)/x in closed form, both by heed: what the 1e-10 is worth

Exits 1 if anything is beyond its limit. Needs torch, transformers 4.52.4, lxt 2.1, h5py, safetensors.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import warnings

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
sys.path[:0] = [str(GOLDEN)]

import no_torchvision  # noqa: E402, F401
import h5py  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from lxt.efficient import monkey_patch, rules  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402
from transformers.models.llama import modeling_llama  # noqa: E402

import float64  # noqa: E402
import llama  # noqa: E402

MODELS = ("plain", "gqa8_gelu")
LIMIT = {"lxt": 1e-9, "exact": 1e-9, "1e-10": 1e-8}


def by_heed(heed, name, ids, target, act_div):
    with tempfile.TemporaryDirectory() as d:
        out = pathlib.Path(d) / "r.h5"
        subprocess.run([heed, "attribute", "-m", GOLDEN / "llama" / name, "--ids", ",".join(map(str, ids)),
                        "--target-id", str(target), "-a", "attn_lrp", "--act_div", act_div, "-o", out], check=True,
                       stdout=subprocess.DEVNULL)
        with h5py.File(out) as f:
            r = f["explanations/attn_lrp/relevance"][:]
    if r.dtype != np.float64:
        sys.exit("lxt_efficient.py: this heed does not compute in double")
    return r


def by_lxt(model, ids, target, eps):
    rules.identity_rule_implicit_fn.forward.__defaults__ = (eps,)
    return llama.lxt_relevance(model, torch.from_numpy(ids), target).sum(1)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("heed")
    o = p.parse_args()
    float64.everywhere()
    float64.quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monkey_patch(modeling_llama)
    bad = 0
    print(f"{'model':16}{'lxt':>10}{'exact':>10}{'1e-10':>10}{'own':>10}")
    for name in MODELS:
        row, expect = llama.MODELS[name], load_file(GOLDEN / "llama" / name / "expect.safetensors")
        model = llama.build(row, llama.draw(name, row))
        ids, target = expect["T37/ids"], int(expect["T37/target"][1])
        exact, same = (by_heed(o.heed, name, ids, target, k) for k in ("exact", "lxt"))
        as_is, without = (by_lxt(model, ids, target, eps) for eps in (1e-10, 0.0))
        off = lambda a, b: np.abs(a - b).max() / np.abs(b).max()  # noqa: E731
        d = {"lxt": off(same, as_is), "exact": off(exact, without), "1e-10": off(exact, as_is), "own": off(same, exact)}
        bad += any(d[k] > LIMIT[k] for k in LIMIT)
        print(f"{name:16}" + "".join(f"{x:10.1e}" for x in d.values()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
