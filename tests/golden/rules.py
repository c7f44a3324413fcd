#!/usr/bin/env python3
"""rules.py OUTDIR [FAMILY ...]

What the rules beyond attn_lrp make of every golden model, restated in float64 from their definitions (lrp.py,
linear_rules.py, positions.py), for the model's longest text of at most 40 tokens and the best next token at its end.
Needs what llama.py needs. OUTDIR/FAMILY/NAME.expect.safetensors has, with the prefix "CASE/" of each row of CASES that
the model can have; T tokens, n layers with an encoding of positions, H heads, F pairs of dimensions that turn:

  relevance (T)               of the tokens, with what is read of positions ("sum")
  sink_ENTRY (1)              of the account, summed over operations
  position, cos, sin (n, T)   pa cases but pa_gamma: what is read of positions; head (n, H, T), frequency (n, F, T),
                              distance (n, T), where all n have them
  code, joint, cos_sin (T)    aggregate code, and paper with channel joint and cos_sin

  float32, float32_account (1)   how far the same restatement in float32 is off: of relevance, relative to the largest
                              value, and of the sinks, relative to the larger of |value| and the sum of |relevance|

and, without a prefix, ids (T), target (position, id), value (1). Prints how well the account closes at worst, for each
model.
"""
import argparse
import copy
import importlib
import pathlib
import tempfile

import no_torchvision  # noqa: F401
import numpy as np
import torch

import common
import float64
import positions
import store
from llama import LENGTHS, seed
from lrp import Account, Method

FLOAT32 = torch.float32  # before float64.everywhere()
ATTENTION = ("llama", "gpt2", "gpt_neox", "gptj", "bloom", "recurrent_gemma")
SCAN = ("mamba",)
FAMILIES = ATTENTION + SCAN + ("rwkv",)
MIXED = (("mlp.*", "gamma", 0.05), ("attn.o", "zplus", 1e-3), ("mixer.out", "zplus", 1e-3), ("head", "gamma", 0.1))

CASES = {
    "cp_lrp": Method(share=1.0, gate=False),
    "pa_lrp": Method(positions=True),
    "pa_key": Method(positions=True, key=True),
    "pa_absolute": Method(positions=True, absolute=True),
    "lrp_epsilon": Method(table=(("*", "epsilon", 0.01),)),
    "lrp_gamma": Method(table=(("blk.*", "gamma", 0.25),)),
    "lrp_alpha_beta": Method(table=(("blk.*", "alpha_beta", 2.0, 1e-3),)),
    "lrp_zplus": Method(table=(("blk.*", "zplus", 1e-6),)),
    "act_lxt": Method(act="lxt"),
    "act_derivative": Method(act="derivative"),
    "mixed": Method(table=MIXED),
    "cp_half": Method(share=0.5),
    "pa_gamma": Method(positions=True, table=(("*", "gamma", 0.1),)),
    "w2": Method(table=(("blk.0.attn.[qkv]", "w2"), ("blk.0.mixer.[xz]", "w2"))),
    "flat": Method(table=(("blk.0.attn.[qkv]", "flat"), ("blk.0.mixer.[xz]", "flat"))),
    "zbox": Method(table=(("blk.0.attn.[qkv]", "zbox", -3.0, 3.0), ("blk.0.mixer.[xz]", "zbox", -3.0, 3.0))),
}
ONLY = {"pa_key": ("bloom",), "pa_absolute": ("bloom",), "act_derivative": SCAN, "cp_half": ATTENTION,
        **{k: ATTENTION + SCAN for k in ("w2", "flat", "zbox")}}

ENTRY = {"kappa": "kappa", "pos_bias": "pos_bias", "unread": "unread", "gate": "gate", "leak": "leak", "eps": "eps",
         "position": "position"}


def entry(sink):
    return ENTRY.get(sink) or sink.split("_")[0]


def model_of(family, name, row):
    """As the file has it."""
    weights = family.draw(name, copy.deepcopy(row))
    if name not in family.GGUF:
        return family.build(copy.deepcopy(row), common.rounded(row, weights))
    with tempfile.TemporaryDirectory() as d:
        write = family.write_gguf if hasattr(family, "write_gguf") else family.llama_gguf.write
        back = write(pathlib.Path(d) / "model.gguf", row, weights)
    return family.build(row, *back) if isinstance(back, tuple) else family.build(copy.deepcopy(row), back)


def case(forward, model, ids, best, method):
    f = forward(model, ids, method)
    r, sinks, rest = f.explain(f.logits[-1, best])
    e = {}
    for k, v in sinks.items():
        e["sink_" + entry(k)] = e.get("sink_" + entry(k), 0) + np.array([sum(v)])
    every = positions.aggregates(torch.from_numpy(r), f.parts) if method.positions else {}
    e["relevance"] = every.pop("sum").numpy() if every else r.sum(1)
    if method.positions and not method.table:
        e.update({k: v.numpy() for k, v in every.items()})
        stored = ("position", "cos", "sin", "head", "frequency", "distance")
        e.update({k: f.parts[k].numpy() for k in stored if k in (f.parts or {})})
    return e, rest, f


def in_float32(forward, model, ids, best, expect):
    """Adds to `expect` how far the same restatement in float32 is off."""
    Account.tol = 1
    torch.set_default_dtype(FLOAT32)
    model.to(FLOAT32)
    for part in model.modules():  # tables of rotations are made in float64
        if hasattr(part, "inv_freq"):
            part.double()
    for key in [k.split("/")[0] for k in expect if k.endswith("/relevance")]:
        e = case(forward, model, ids, best, CASES[key])[0]
        r, want = e["relevance"], expect[key + "/relevance"]
        assert r.dtype == np.float32
        expect[key + "/float32"] = np.array([np.abs(r - want).max() / np.abs(want).max()])
        sinks = [np.abs(v - expect[f"{key}/{k}"])[0] for k, v in e.items() if k.startswith("sink_")]
        scale = max(np.abs(want).sum(), np.abs(expect["value"][0]))
        expect[key + "/float32_account"] = np.array([max(sinks, default=0.0) / scale])
    Account.tol = 1e-12
    torch.set_default_dtype(torch.float64)


def one(family, forward, name, row):
    expect, worst, like = {}, 0.0, row.get("like", name)
    model = model_of(family, name, row)
    t = max(t for t in row.get("lengths", LENGTHS) if t <= 40)
    ids = torch.from_numpy(seed("ids", like, t).integers(0, model.config.vocab_size, t))
    best = int(forward(model, ids, False).logits[-1].argmax())
    for key, method in CASES.items():
        if family.__name__ not in ONLY.get(key, FAMILIES):
            continue
        e, rest, f = case(forward, model, ids, best, method)
        worst = max(worst, rest)
        expect.update({f"{key}/{k}": v for k, v in e.items()})
    expect["value"] = f.logits[-1, best].detach().numpy().reshape(1)
    in_float32(forward, model, ids, best, expect)
    expect["ids"], expect["target"] = ids.numpy(), np.array([t - 1, best])
    return expect, worst


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("outdir", type=pathlib.Path)
    p.add_argument("families", nargs="*", default=FAMILIES, help="of: " + ", ".join(FAMILIES))
    p.add_argument("--names", default="", help="only models whose names have this in them")
    o = p.parse_args()
    float64.everywhere()
    float64.quiet()
    print(f"{'model':36}{'close':>10}")
    for kind in o.families:
        family = importlib.import_module(kind)
        forward = importlib.import_module(kind + "_lrp").Forward
        (o.outdir / kind).mkdir(parents=True, exist_ok=True)
        for name, row in {**family.MODELS, **family.GGUF}.items():
            if o.names in name:
                expect, worst = one(family, forward, name, row)
                store.save(o.outdir / kind / (name + ".expect.safetensors"), expect)
                print(f"{kind + '/' + name:36}{worst:10.1e}", flush=True)


if __name__ == "__main__":
    main()
