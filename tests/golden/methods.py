#!/usr/bin/env python3
"""methods.py OUTDIR [FAMILY ...]

Writes OUTDIR/expect.safetensors: integrated gradients by captum 0.9 and occlusion by plain loops, in float64, of the
models named "plain" of llama.py, mamba.py, gpt2.py and bert.py, on their own texts of T = 2 and T = 37 tokens. Needs
what llama.py needs, and captum. Only the token embeddings are replaced; position embeddings, and bert's of the type 0,
stay as they are. Arrays
(F64, I64), with the prefix "llama/T37/" and so on; B is zero (the embedding 0 in every position) or token5 (the
embedding of token 5 in every position). From zero the integral of a model with RMSNorm does not converge with so few
points: the norm's eps makes a step at 0, of which the sum gets too little or, at the end point, far too much.

  ids (T)                     target (position, id)       the best next token at the end, as in the model's own file; bert: the best label, at 0
  value (1)                   its logit; base_zero, base_token5 (1) the logit at the baseline
  ig_B_RULE (T)               integrated gradients, summed over the width; RULE is gauss16 or gauss50 (Gauss-Legendre),
                              middle16 or middle50 (midpoints), trapezoid16 or trapezoid50 (that many points, both ends
                              among them, weights 1/(n - 1), half at the ends), captum_trapezoid16, _50 (captum's
                              riemann_trapezoid: the weights are 1/n and add up to 1 - 1/n)
  ig_B_RULE_gap (1)           value - base - sum of the attribution
  ig_zero_gauss16_elements (T, C)             the first before the sum
  occlusion_B (T)             value - logit with the embedding of token i replaced, one i at a time
"""
import argparse
import pathlib

import no_torchvision  # noqa: F401
import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerIntegratedGradients

import bert
import float64
import gpt2
import llama
import mamba
import store

FAMILIES = {"llama": llama, "mamba": mamba, "gpt2": gpt2, "bert": bert}
RULES = {"gauss": "gausslegendre", "middle": "riemann_middle", "captum_trapezoid": "riemann_trapezoid"}
TOKEN = 5


def nodes(rule, n):
    """Points in [0, 1] and weights, on their own."""
    if rule == "gauss":
        x, w = np.polynomial.legendre.leggauss(n)
        return (x + 1) / 2, w / 2
    if rule == "middle":
        return (np.arange(n) + 0.5) / n, np.full(n, 1 / n)
    w = np.full(n, 1 / n if rule == "captum_trapezoid" else 1 / (n - 1))
    w[[0, -1]] /= 2
    return np.arange(n) / (n - 1), w


def by_loop(f, x, base, rule, n):
    total = torch.zeros_like(x)
    for a, w in zip(*nodes(rule, n)):
        y = (base + float(a) * (x - base)).requires_grad_()
        total += float(w) * torch.autograd.grad(f(y[None])[0], y)[0]
    return total * (x - base)


def close(a, b, what):
    diff = float((a - b).abs().max() / b.abs().max())
    assert diff < 1e-12, (what, diff)


def one(model, ids):
    embedding = model.get_input_embeddings()
    x, e = embedding(ids).detach(), {}
    labels = hasattr(model, "classifier")
    more = {} if labels else {"use_cache": False}
    last = lambda out: out.logits if labels else out.logits[:, -1]  # noqa: E731
    best = int(last(model(ids[None], **more))[0].argmax())
    f = lambda y: last(model(inputs_embeds=y, **more))[:, best]  # noqa: E731
    by_ids = lambda i: last(model(i, **more))[:, best]  # noqa: E731
    value = float(f(x[None])[0])
    at = 0 if labels else len(ids) - 1
    e["ids"], e["target"], e["value"] = ids.numpy(), np.array([at, best]), np.array([value])
    fives = torch.full_like(ids, TOKEN)
    for name, base in (("zero", torch.zeros_like(x)), ("token5", embedding(fives).detach())):
        at_base = float(f(base[None])[0])
        e["base_" + name] = np.array([at_base])
        for rule in (*RULES, "trapezoid"):
            for n in (16, 50):
                r, key = by_loop(f, x, base, rule, n), f"ig_{name}_{rule}{n}"
                if rule in RULES:
                    c = IntegratedGradients(f).attribute(x[None], base[None], n_steps=n, method=RULES[rule])[0]
                    close(r, c, key)
                    r = c
                    if name == "token5":
                        c = LayerIntegratedGradients(by_ids, embedding).attribute(
                            ids[None], fives[None], n_steps=n, method=RULES[rule])[0]
                        close(r, c, key + " of the layer")
                r = r.detach()
                e[key], e[key + "_gap"] = r.sum(1).numpy(), np.array([value - at_base - float(r.sum())])
                if key == "ig_zero_gauss16":
                    e[key + "_elements"] = r.numpy()
        out = []
        for i in range(len(ids)):
            y = x.clone()
            y[i] = base[i]
            out.append(value - float(f(y[None])[0]))
        e["occlusion_" + name] = np.array(out)
    return e


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("outdir", type=pathlib.Path)
    p.add_argument("families", nargs="*", default=list(FAMILIES))
    o = p.parse_args()
    o.outdir.mkdir(parents=True, exist_ok=True)
    float64.everywhere()
    float64.quiet()
    expect = {}
    shown = [f"{b}_{r}50" for b in ("zero", "token5") for r in ("gauss", "middle", "trapezoid")]
    print(f"{'model':14}" + "".join(f"{k:>20}" for k in shown) + "   gap, of the change of the value")
    for family in o.families:
        module = FAMILIES[family]
        row = module.MODELS["plain"]
        model, vocab = module.build(row, module.draw("plain", row)), row["config"]["vocab_size"]
        for t in (2, 37):
            ids = torch.from_numpy(llama.seed("ids", "plain", t).integers(0, vocab, t))
            e = one(model, ids)
            expect.update({f"{family}/T{t}/{k}": v for k, v in e.items()})
            gaps = [float(e[f"ig_{k}_gap"][0] / (e["value"] - e["base_" + k.split("_")[0]])[0]) for k in shown]
            print(f"{family + f' T={t}':14}" + "".join(f"{g:20.1e}" for g in gaps), flush=True)
    store.save(o.outdir / "expect.safetensors", expect)


if __name__ == "__main__":
    main()
