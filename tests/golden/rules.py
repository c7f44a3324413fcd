#!/usr/bin/env python3
"""rules.py OUTDIR [FAMILY ...]

What the rules beyond attn_lrp make of every golden model, restated in float64 from their definitions (lrp.py,
linear_rules.py, positions.py), of what subjects.py says: the model's longest text of at most 40 tokens and the best next
token at its end, label or masked token; two texts and their similarity; a picture and its class.
Needs what llama.py needs. OUTDIR/FAMILY/NAME.expect.safetensors has, with the prefix "CASE/" of each row of CASES that
the model can have; T tokens, n layers with an encoding of positions, H heads, F pairs of dimensions that turn:

  relevance (T)               of the tokens, with what is read of positions ("sum")
  sink_ENTRY (1)              of the account, summed over operations
  position, cos, sin (n, T)   pa cases but pa_gamma: what is read of positions; head (n, H, T), frequency (n, F, T),
                              distance (n, T), where all n have them; ahead (n, T): of it, keys after the query
  type (T)                    pa cases, where there are token types: their part of relevance
  pixel (h w)                 of pictures, pa cases: relevance of pixels
  code, joint, cos_sin (T)    aggregate code, and paper with channel joint and cos_sin

and, without a prefix, ids (T), segments (T) or pixels (channels, h, w), target (position, id), value (1). Prints how
well the account closes at worst, for each model.
"""
import argparse
import copy
import dataclasses
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
import subjects
from lrp import Method

LEARNED = ("gpt2", "bert", "vit")
NORMED = LEARNED + ("gpt_neox", "gptj", "bloom")
ATTENTION = NORMED + ("llama", "recurrent_gemma", "gemma3")
SCAN = ("mamba", "falcon_mamba", "mamba2")
FAMILIES = ATTENTION + SCAN + ("rwkv", "rwkv6")
MIXED = (("mlp.*", "gamma", 0.05), ("attn.o", "zplus", 1e-3), ("mixer.out", "zplus", 1e-3), ("head", "gamma", 0.1))
FIRST, FIRST_RULES = ("blk.0.attn.[qkv]", "blk.0.mixer.[xz]"), {"w2": (), "flat": (), "zbox": (-3.0, 3.0)}

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
    "relkey_unhalved": Method(relkey="unhalved"),
    "relkey_drop": Method(relkey="drop"),
    "softcap": Method(softcap="derivative"),
    "act_derivative": Method(act="derivative"),
    "mixed": Method(table=MIXED),
    "cp_gamma": Method(table=(("*", "cp_gamma", 0.25, 0.5),)),
    **{"stab_" + k: Method(stab=k) for k in ("lxt", "safe_divide", "signed")},
    "pa_stab": Method(positions=True, all_parts=False, stab="lxt"),
    "cp_half": Method(share=0.5),
    "ln_mean": Method(mean=False),
    "pa_gamma": Method(positions=True, all_parts=False, table=(("*", "gamma", 0.1),)),
    **{"pa_" + k: Method(positions=True, all_parts=False, read=k) for k in ("tokens", "positions")},
    **{k: Method(table=tuple((at, k, *more) for at in FIRST)) for k, more in FIRST_RULES.items()},
}
# Of pictures: the composite of pa_lrp, and rules of first maps on the patches.
COMPOSITE = (("head", "gamma", 0.05), ("mlp.*", "gamma", 0.05), ("patch", "gamma", 100.0))
PA_VIT = Method(share=0.5, positions=True, all_parts=False, table=COMPOSITE, preset="pa_vit")
OF = {"bert": {
    "pa_preset": Method(share=0.5, positions=True, all_parts=False, preset="bertpe"),
}, "vit": {
    "pa_lrp": Method(share=1.0, positions=True, table=COMPOSITE),
    "pa_gamma": Method(share=1.0, positions=True, all_parts=False, table=(("*", "gamma", 0.1),)),
    "pa_preset": PA_VIT,
    **{"pa_" + k: dataclasses.replace(PA_VIT, read=k) for k in ("tokens", "positions")},
    "pa_stab": dataclasses.replace(PA_VIT, stab="pa_vision", table=tuple((*row, 1e-6) for row in COMPOSITE)),
    **{k: Method(table=(("patch", k, *more),)) for k, more in FIRST_RULES.items()},
}}
ONLY = {"softcap": ("recurrent_gemma",), "pa_key": ("bloom", "bert"), "relkey_unhalved": ("bert",), "relkey_drop": ("bert",), "pa_absolute": ("bloom",), "act_derivative": SCAN, "cp_half": ATTENTION,
        **{k: ATTENTION + SCAN for k in FIRST_RULES}, "ln_mean": NORMED, "pa_tokens": LEARNED, "pa_positions": LEARNED}


def entry(sink):
    return sink if sink == "pos_bias" else sink.split("_")[0]


def model_of(family, name, row):
    """As the file has it."""
    weights = family.draw(name, copy.deepcopy(row))
    if family.__name__ == "vit":
        return family.build(name, row, common.rounded(row, weights))
    if name not in family.GGUF:
        return family.build(copy.deepcopy(row), common.rounded(row, weights))
    with tempfile.TemporaryDirectory() as d:
        write = family.write_gguf if hasattr(family, "write_gguf") else family.llama_gguf.write
        back = write(pathlib.Path(d) / "model.gguf", row, weights)
    return family.build(row, *back) if isinstance(back, tuple) else family.build(copy.deepcopy(row), back)


def case(subject, method):
    f, value = subject.run(method)
    r, sinks, rest = f.explain() if isinstance(subject, subjects.Similarity) else f.explain(value)
    e = {}
    for k, v in sinks.items():
        e["sink_" + entry(k)] = e.get("sink_" + entry(k), 0) + np.array([sum(v)])
    one = subject.inside(f)
    e["relevance"] = joined([positions.by_token(g, (g.embed * g.embed.grad).detach())[0][0] for g in one])
    if method.positions:
        parts, types, every = read_positions(one)
        position = parts["position"].sum(0) if parts else 0 * e["relevance"]
        part = {"both": every.pop("sum"), "tokens": e["relevance"] + (0 if types is None else types),
                "positions": position}
        if method.preset == "bertpe":
            part["both"] = e["relevance"] + position
        e["relevance"] = part[method.read]
        if types is not None:
            e["type"] = types
        if one[0].pixels is not None:
            e["pixel"], patches = pixel_map(f, method, position, value)
            e["relevance"] = patches if method.preset else e["relevance"]
        if method.all_parts:
            e.update(every)
            e.update(parts)
    return e, rest, value


def pixel_map(f, method, position, value):
    """Relevance of pixels (h w), 0 where they are cut off. Of the official map: divided by the value, what a position has
    in equal parts over its patch, nothing below 0; and the sum of each patch, 0 of learned tokens."""
    (channels, h, w), (a, b), n = f.pixels, f.size, len(f.tokens)
    r = (f.embed * f.embed.grad).detach().numpy().reshape(-1, channels, a, b).sum(1)
    sums = np.zeros(n + len(r), r.dtype)
    if method.preset:
        r = 0 * r if method.read == "positions" else r
        more = 0 if method.read == "tokens" else position[n:, None, None] / (a * b)
        r = np.maximum(0, (r + more) / value.detach().numpy())
        sums[n:] = r.sum((1, 2))
    image = np.zeros((h, w), r.dtype)
    image[:h // a * a, :w // b * b] = r.reshape(h // a, w // b, a, b).swapaxes(1, 2).reshape(h // a * a, w // b * b)
    return image.reshape(-1), sums


def joined(arrays):
    return np.concatenate([a.detach().numpy() for a in arrays], -1)


def read_positions(one):
    """Of a model's run, or of two that are one input: parts by name, types, aggregates."""
    cat = lambda d: {k: torch.cat([x[k] for x in d], -1) for k in d[0]} if d[0] else None  # noqa: E731
    sums = [positions.by_token(f, (f.embed * f.embed.grad).detach()) for f in one]
    pairs = [None if s[0] is None else tuple(torch.cat(y).detach() for y in zip(*s)) for s in zip(*sums)]
    parts = cat([f.parts for f in one])
    every = {k: v.numpy() for k, v in positions.aggregates(*pairs, parts).items()}
    stored = ("position", "cos", "sin", "head", "frequency", "distance", "ahead")
    return ({k: parts[k].numpy() for k in stored if k in (parts or {})},
            None if pairs[1] is None else pairs[1][0].numpy(), every)


def one(kind, family, forward, name, row):
    expect, worst = {}, 0.0
    subject = subjects.of(kind, family, forward, model_of(family, name, row), name, row)
    cases = {k: m for k, m in {**CASES, **OF.get(kind, {})}.items() if kind in ONLY.get(k, FAMILIES)}
    if kind == "bert" and subject.model.config.position_embedding_type == "absolute":
        cases = {k: m for k, m in cases.items() if m.relkey == "half" and not m.key}
    for key, method in cases.items():
        e, rest, value = case(subject, method)
        worst = max(worst, rest)
        expect.update({f"{key}/{k}": v for k, v in e.items()})
    expect["value"] = value.detach().numpy().reshape(1)
    return {**expect, **subject.arrays()}, worst


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
        for name, row in {**family.MODELS, **getattr(family, "GGUF", {})}.items():
            if o.names in name:
                expect, worst = one(kind, family, forward, name, row)
                store.save(o.outdir / kind / (name + ".expect.safetensors"), expect)
                print(f"{kind + '/' + name:36}{worst:10.1e}", flush=True)


if __name__ == "__main__":
    main()
