#!/usr/bin/env python3
"""hidden.py OUTDIR

Writes OUTDIR/expect.safetensors: matrices of a selective scan (arXiv:2403.01590 eq. 14) of all channels, folded to one (T, T)
matrix, in float64 by the definition: each entry with its own exponential of a sum of steps. Scans that run from the end are
those of the flipped sequence, flipped. Needs NumPy. Arrays with the prefix "core/" or "back/" (time runs from the end):

  x, dt, left, right, post (T, D)   B, C (T, N)   A (D, N)   skip (D)   filter (W, D), the last row meets the present
  y (T, D)                          the scan's output
  PLAN_FOLD (T, T)                  PLAN: plain; weights: left_r M[r][c] right_c post_c; filter: the sum over k of
                                    left_r M[r][c+k] right_{c+k} filter[W-1-k] post_c, c-k where time runs from the end;
                                    FOLD: sum, positive, absolute, square, max over the channels, those of PLANS
  code (T, T)                       the sum over the channels, rows of the released code, which leaves out the last step's
                                    decay and the diagonal: no matrix of the scan

Inputs are rounded to float32.
"""
import pathlib
import sys

import numpy as np

import store

T, D, N, W = 37, 19, 16, 4
FOLDS = {"sum": lambda a: a.sum(0), "positive": lambda a: np.maximum(a, 0).sum(0), "absolute": lambda a: np.abs(a).sum(0),
         "square": lambda a: (a * a).sum(0), "max": lambda a: a.max(0)}
PLANS = {"plain": FOLDS, "weights": ("sum", "absolute"), "filter": ("sum", "positive", "max")}


def inputs(seed):
    g = np.random.default_rng(seed)
    out = {k: g.standard_normal((T, D)) for k in ("x", "left", "right", "post")}
    out["dt"] = np.exp(np.linspace(np.log(1e-4), np.log(50), D) + 0.5 * g.standard_normal((T, D)))
    out.update({k: g.standard_normal((T, N)) for k in ("B", "C")})
    out["A"] = -np.exp(np.log(np.arange(1, N + 1)) + 0.3 * g.standard_normal((D, N)))
    out["skip"], out["filter"] = g.standard_normal(D), g.standard_normal((W, D))
    return {k: v.astype(np.float32).astype(np.float64) for k, v in out.items()}


def matrices(v, code=False):
    """(D, T, T)"""
    m = np.zeros((D, T, T))
    for r in range(T):
        for c in range(r + (not code)):
            steps = v["dt"][c + 1:r + (not code)].sum(0)
            m[:, r, c] = (v["C"][r] * np.exp(v["A"] * steps[:, None]) * v["B"][c]).sum(1) * v["dt"][c]
    return m


def weighted(v, m, filtered):
    k = m * v["right"].T[:, None, :]
    if filtered:
        wide = np.concatenate([k, np.zeros((D, T, W))], 2)
        k = sum(v["filter"][W - 1 - j][:, None, None] * wide[:, :, j:j + T] for j in range(W))
    return v["left"].T[:, :, None] * k * v["post"].T[:, None, :]


def arrays(v, back):
    """What is made of inputs in the order of time; then all in the order of positions."""
    m = matrices(v)
    out = dict(v, y=np.einsum("drc,cd->rd", m, v["x"]) + v["skip"] * v["x"])
    for plan, k in (("plain", m), ("weights", weighted(v, m, False)), ("filter", weighted(v, m, True))):
        out.update({f"{plan}_{name}": np.where(np.tri(T), FOLDS[name](k), 0) for name in PLANS[plan]})
    out["code"] = matrices(v, True).sum(0)
    if back:
        for k in ("x", "dt", "left", "right", "post", "B", "C", "y"):
            out[k] = out[k][::-1]
        out.update({k: a[::-1, ::-1] for k, a in out.items() if a.shape == (T, T)})
    return {k: np.ascontiguousarray(a) for k, a in out.items()}


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    out = {}
    for seed, name in enumerate(("core", "back")):
        out.update({f"{name}/{k}": a for k, a in arrays(inputs(seed), name == "back").items()})
    store.save(folder / "expect.safetensors", out)


if __name__ == "__main__":
    main()
