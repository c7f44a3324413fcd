#!/usr/bin/env python3
"""horizon.py OUTDIR

Writes OUTDIR/expect.safetensors: how far back the states of every recurrent mixer of MODELS hold, in float64, by definition
from the decays of the restated models. Needs what llama.py needs. Of each state at row r: the largest r - c with
-sum log decay over c+1 ... r <= log(1/eps). A sum may lie at the limit, so all is there twice, with the limit less and more
1e-4 of itself: what is computed in float32 is between the two. Arrays (F64, I64) with the prefix "mamba/plain/":

  ids (T)
  EPS_low, EPS_high (L, heads, states)              of the last row; EPS is one of 0.5, 0.05, 0.001; -1 in layers without
  EPS_rows_low, EPS_rows_high (L, T)                mean over the states, of every row

Prints one line per model: the share of states whose two numbers differ, and those that reach the first token.
"""
import argparse
import copy
import importlib
import pathlib

import no_torchvision  # noqa: F401
import numpy as np
import torch

import common
import float64
import llama
import store

T = 37
EPS = (0.5, 0.05, 1e-3)
MODELS = {"mamba": ("plain", "state8_conv2_rank3", "strong_decay", "weak_decay"), "falcon_mamba": ("plain",),
          "mamba2": ("plain", "groups2", "strong_decay"), "rwkv": ("plain", "fast", "slow"),
          "rwkv6": ("plain", "extreme_decay", "weak_decay"), "recurrent_gemma": ("plain", "strong_decay", "weak_decay")}


def rates(family, f, l):
    """Minus log decay, (T, heads, states) of layer l, or None."""
    if family == "rwkv":
        w = f.coefficients[l][1].detach().numpy().reshape(-1)
        return np.broadcast_to(-w[None, :, None], (T, len(w), 1))
    if family == "recurrent_gemma" and l not in f.recurrences:
        return None
    decay = (f.recurrences[l][0] if family == "recurrent_gemma" else f.coefficients[l][2 if family == "rwkv6" else 0]).numpy()
    with np.errstate(divide="ignore"):
        return -np.log(decay).reshape(T, decay.shape[1], -1)


def horizon(rate, limit):
    """(T, heads, states): of every row."""
    out = np.zeros(rate.shape)
    for r in range(T):
        total, open_ = np.zeros(rate.shape[1:]), np.ones(rate.shape[1:], bool)
        for c in range(r - 1, -1, -1):
            total = total + rate[c + 1]
            open_ &= total <= limit
            out[r] += open_
    return out


def one(family, name):
    module = importlib.import_module(family)
    row = module.MODELS[name]
    weights = common.rounded(row, module.draw(name, copy.deepcopy(row)))
    model = module.build(copy.deepcopy(row), weights)
    ids = torch.from_numpy(llama.seed("ids", row.get("like", name), T).integers(0, model.config.vocab_size, T))
    f = module.Forward(model, ids)
    made, apart, reaching, n = {"ids": ids.numpy()}, 0, 0, 0
    of = [rates(family, f, l) for l in range(model.config.num_hidden_layers)]
    shape = next(r.shape for r in of if r is not None)
    for eps in EPS:
        for tag, by in (("low", 1 - 1e-4), ("high", 1 + 1e-4)):
            h = [np.full(shape, -1.0) if r is None else horizon(r, -np.log(eps) * by) for r in of]
            made[f"{eps}_{tag}"] = np.stack([x[-1] for x in h])
            made[f"{eps}_rows_{tag}"] = np.stack([x.mean((1, 2)) for x in h])
        apart += (made[f"{eps}_low"] != made[f"{eps}_high"]).sum()
        reaching += (made[f"{eps}_low"] == T - 1).sum()
        n += made[f"{eps}_low"].size
    print(f"{family + '/' + name:32}{apart / n:8.4f}{reaching / n:8.3f}", flush=True)
    assert apart <= 0.01 * n
    return {f"{family}/{name}/{k}": y for k, y in made.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("outdir", type=pathlib.Path)
    o = p.parse_args()
    o.outdir.mkdir(parents=True, exist_ok=True)
    float64.everywhere()
    float64.quiet()
    print(f"{'model':32}{'apart':>8}{'open':>8}")
    made = {}
    for family, names in MODELS.items():
        for name in names:
            made.update(one(family, name))
    store.save(o.outdir / "expect.safetensors", made)


if __name__ == "__main__":
    main()
