#!/usr/bin/env python3
"""pa_vit.py

The official configuration of PA-LRP for DeiT, step by step as its code goes: relevance itself is carried back, 1 at the
class, every quotient with the stabiliser that stands there, in float64, on the golden ViT and DeiT models with one
head. Prints, relative to the largest value, how far heed's restatement of `pa_lrp -O preset=pa_vit`, which divides by
no stabiliser, is from that map (tests/golden/rules/vit, with which tests/test_rules.c compares heed), with the official
stabilisers and with all of them 1e-12; and how far `-O stab=pa_vision` is from it with the official ones, but that of the
last norm its own. Needs what tests/golden/llama.py needs. Exits with 1 if the second or the third is beyond 1e-8."""
import pathlib
import sys

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
sys.path.insert(0, str(GOLDEN))

import no_torchvision  # noqa: E402, F401
import numpy as np  # noqa: E402
import torch  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402

import float64  # noqa: E402
import linear_rules  # noqa: E402
import rules  # noqa: E402
import vit  # noqa: E402
from relevance_form import Rule, passes  # noqa: E402
from vit_lrp import unfold  # noqa: E402

OFFICIAL = {"add": 1e-6, "map": 1e-8, "product": 1e-6, "norm": None, "last": 1e-5, "gamma": 1e-6}
OWN = {**OFFICIAL, "last": None}
TINY = dict.fromkeys(OFFICIAL, 1e-12)


def add(a, b, eps):
    return Rule.apply(torch.add, lambda r, y, a, b: (a * r / (y + eps), b * r / (y + eps)), a, b)


def dense(m, x, eps):
    w, b = m.weight, 0 if m.bias is None else m.bias
    return Rule.apply(lambda x: x @ w.T + b, lambda r, y, x: (x * ((r / (y + eps)) @ w),), x)


def gamma(w, b, x, g, eps):
    """The generalised gamma rule: one denominator for outputs above 0, one for those below."""
    parts = linear_rules.parts

    def rule(r, z, x):
        (xp, xm), (wp, wm), (bp, bm) = parts(x), parts(w), parts(b)
        more, less, out = w + g * wp, w + g * wm, 0
        for u, v, c, side in ((more, less, bp, z > 0), (less, more, bm, z < 0)):
            d = xp @ u.T + xm @ v.T + b + g * c
            s = torch.where(side, r, 0.0) / torch.where(d < 0, d - eps, d + eps)
            out = out + xp * (s @ u) + xm * (s @ v)
        return (out,)
    return Rule.apply(lambda x: x @ w.T + b, rule, x)


def norm(m, x, eps):
    def rule(r, y, x):
        s = (x.var(-1, unbiased=False, keepdim=True) + m.eps).sqrt()
        v = m.weight * r / (y + eps) / s
        return (x * (v - v.mean(-1, keepdim=True)),)
    return Rule.apply(m, rule, x)


def attend(w, v, eps):
    """Weights are constant; both results of the half rule are doubled, and V's is halved again."""
    return Rule.apply(lambda v: w @ v, lambda r, o, v: (v * (w.transpose(1, 2) @ (r / (2 * o + eps))),), v)


def relevance(model, pixels, label, stab):
    cfg = model.config
    core = getattr(model, cfg.model_type)
    e, heads = core.embeddings, cfg.num_attention_heads
    patch, size = e.patch_embeddings.projection, tuple(e.patch_embeddings.patch_size)
    x = unfold(pixels, size).clone().requires_grad_()
    position = e.position_embeddings[0].clone().requires_grad_()
    tokens = [e.cls_token[0]] + ([e.distillation_token[0]] if cfg.model_type == "deit" else [])
    z = torch.cat([*tokens, gamma(patch.weight.flatten(1), patch.bias, x, 100.0, stab["gamma"])])
    z = add(z, position, stab["add"])
    for block in core.encoder.layer:
        a, t = block.attention.attention, len(z)
        n = norm(block.layernorm_before, z, stab["norm"] or block.layernorm_before.eps)
        q, k, v = (f.view(t, heads, -1).transpose(0, 1) for f in
                   (a.query(n.detach()), a.key(n.detach()), dense(a.value, n, stab["map"])))
        w = torch.softmax(q @ k.transpose(1, 2) / (cfg.hidden_size // heads) ** 0.5, -1)
        o = attend(w, v, stab["product"]).transpose(0, 1).reshape(t, -1)
        z = add(dense(block.attention.output.dense, o, stab["map"]), z, stab["add"])
        n = norm(block.layernorm_after, z, stab["norm"] or block.layernorm_after.eps)
        up, down = block.intermediate.dense, block.output.dense
        f = passes(block.intermediate.intermediate_act_fn, gamma(up.weight, up.bias, n, 0.05, stab["gamma"]))
        z = add(gamma(down.weight, down.bias, f, 0.05, stab["gamma"]), z, stab["add"])
    head = model.classifier
    logits = gamma(head.weight, head.bias, norm(core.layernorm, z, stab["last"] or core.layernorm.eps)[:1], 0.05, stab["gamma"])
    one = torch.zeros_like(logits)
    one[0, label] = 1
    logits.backward(one)
    (channels, h, w), (a, b) = pixels.shape, size
    r = x.grad.reshape(-1, channels, a, b).sum(1) + position.grad.sum(1)[len(tokens):, None, None] / (a * b)
    image = torch.zeros(h, w)
    image[:h // a * a, :w // b * b] = r.clamp(min=0).reshape(h // a, w // b, a, b).transpose(1, 2).flatten(0, 1).flatten(1)
    return image.numpy().reshape(-1)


def main():
    float64.everywhere()
    float64.quiet()
    print(f"{'model':20}{'official':>10}{'1e-12':>10}{'stab':>10}")
    bad = False
    for name, row in vit.MODELS.items():
        if row.get("teacher"):
            continue
        model = rules.model_of(vit, name, row)
        want = load_file(GOLDEN / "rules" / "vit" / (name + ".expect.safetensors"))
        pixels, map_ = torch.from_numpy(want["pixels"]), want["pa_preset/pixel"]
        off = lambda stab, map_: np.abs(  # noqa: E731
            relevance(model, pixels, int(want["target"][1]), stab) - map_).max() / np.abs(map_).max()  # noqa: B023
        d = [off(OFFICIAL, map_), off(TINY, map_), off(OWN, want["pa_stab/pixel"])]
        bad = bad or not max(d[1:]) < 1e-8
        print(f"{name:20}" + "".join(f"{x:10.1e}" for x in d))
    sys.exit(bad)


if __name__ == "__main__":
    main()
