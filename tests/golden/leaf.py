#!/usr/bin/env python3
"""leaf.py OUTDIR

Explanations read at other tensors than the word embeddings, in float64, of models of bert.py, gpt2.py and bloom.py. The
tensor is what transformers' own module is given or gives, put there by a hook: gradients and integrated gradients are
torch's. attn_lrp is the restatement's (FAMILY_lrp.py) with its value and gradient there. Needs what llama.py needs.

OUTDIR/FAMILY_NAME.expect.safetensors has, with the prefix "T37/" of each length T:

  ids, segments (T)           target (position, id): the best label, or the best token at the end; value (1) of it
  LEAF_gxi (T)                sum over the width of x times gradient; LEAF: sum, normed
  LEAF_ig_zero, _token5 (T)   integrated gradients by STEPS midpoints, from 0, or from what the model makes there of token
                              5 in every position; LEAF_base_zero, _token5 (1): the target there
  LEAF_lrp (T), LEAF_rest (1) attn_lrp, and what of the target is not in it: the account of all operations behind
  ..._size (1)                of each of these the largest sum of magnitudes of a token: before a norm the terms of a token
                              cancel, for a single one all of them
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
import store
from llama import seed

STEPS, LENGTHS = 6, (1, 2, 37)
MODELS = {("bert", "plain"): ("sum", "normed"), ("bert", "relkey"): ("sum", "normed"), ("gpt2", "plain"): ("sum",),
          ("bloom", "plain"): ("normed",)}


def module(model, leaf):
    """Whose input, or output, is the leaf; true: the output."""
    if hasattr(model, "bert"):
        return model.bert.embeddings.LayerNorm, leaf == "normed"
    return (model.transformer.word_embeddings_layernorm, True) if leaf == "normed" else (model.transformer.drop, False)


class Run:
    """A model from a leaf on."""

    def __init__(self, model, leaf, segments):
        self.model, (self.part, self.behind), self.segments = model, module(model, leaf), segments

    def logits(self, ids, put=None):
        """-> the leaf's value, logits of the explained row; put: in place of the value."""
        seen = []

        def swap(x):
            seen.append(x if put is None else put)
            return seen[-1]

        if self.behind:
            h = self.part.register_forward_hook(lambda m, i, o: swap(o[0])[None])
        else:
            h = self.part.register_forward_pre_hook(lambda m, i: (swap(i[0][0])[None],))
        more = {"token_type_ids": self.segments[None]} if hasattr(self.model, "bert") else {"use_cache": False}
        out = self.model(ids[None], **more).logits[0]
        h.remove()
        return seen[0], out if out.dim() == 1 else out[-1]


def summed(key, r):
    return {key: r.sum(1).numpy(), key + "_size": r.abs().sum(1).max().numpy().reshape(1)}


def explained(f, ids, best, leaf):
    x = f.logits(ids)[0].detach()
    value = lambda y: f.logits(ids, y)[1][best]  # noqa: E731

    def gradient(y):
        y = y.clone().requires_grad_()
        return torch.autograd.grad(value(y), y)[0]

    e = summed(f"{leaf}_gxi", x * gradient(x))
    for name, base in (("zero", torch.zeros_like(x)), ("token5", f.logits(torch.full_like(ids, 5))[0].detach())):
        mean = sum(gradient(base + (k + 0.5) / STEPS * (x - base)) for k in range(STEPS)) / STEPS
        e.update(summed(f"{leaf}_ig_{name}", (x - base) * mean))
        e[f"{leaf}_base_{name}"] = value(base).detach().numpy().reshape(1)
    return e


def relevance(f, target, leaf):
    """The sum passes on what it gets: the embedding's gradient is that of the sum."""
    value = f.logits[target]
    value.backward()
    if leaf == "normed":
        x = f.seen[0, "beta_embed"][1]
        r = (x * x.grad).detach()
    else:
        x = f.embed + sum(y for y in (f.types, f.learned) if y is not None)
        r = (x * f.embed.grad).detach()
    return {**summed(f"{leaf}_lrp", r), f"{leaf}_rest": (value.detach() - r.sum()).numpy().reshape(1)}


def one(kind, name, leaves):
    family, forward = importlib.import_module(kind), importlib.import_module(kind + "_lrp").Forward
    row, expect = family.MODELS[name], {}
    model = family.build(copy.deepcopy(row), common.rounded(row, family.draw(name, copy.deepcopy(row))))
    for t in LENGTHS:
        ids = torch.from_numpy(seed("ids", "leaf", kind, name, t).integers(0, model.config.vocab_size, t))
        segments = torch.zeros_like(ids)
        if row.get("pair"):
            segments[(t + 1) // 2:] = 1
        logits = Run(model, leaves[0], segments).logits(ids)[1]
        best = int(logits.argmax())
        at = (0 if kind == "bert" else t - 1, best)
        e = {"ids": ids.numpy(), "segments": segments.numpy(), "target": np.array(at),
             "value": logits[best].detach().numpy().reshape(1)}
        for leaf in leaves:
            e.update(explained(Run(model, leaf, segments), ids, best, leaf))
            f = forward(model, ids, segments) if kind == "bert" else forward(model, ids)
            apart = float((f.logits[at] - logits[best]).detach().abs())
            assert apart < 1e-12 * max(1, float(logits.detach().abs().max())), apart
            e.update(relevance(f, at, leaf))
        expect.update({f"T{t}/{k}": v for k, v in e.items()})
    return expect


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("outdir", type=pathlib.Path)
    o = p.parse_args()
    float64.everywhere()
    float64.quiet()
    o.outdir.mkdir(parents=True, exist_ok=True)
    for (kind, name), leaves in MODELS.items():
        store.save(o.outdir / f"{kind}_{name}.expect.safetensors", one(kind, name, leaves))
        print(f"{kind}/{name}: {' '.join(leaves)}", flush=True)


if __name__ == "__main__":
    main()
