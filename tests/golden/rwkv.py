#!/usr/bin/env python3
"""rwkv.py OUTDIR [NAME ...]

Writes small random RWKV-4 models and what transformers and attn_lrp make of them in float64. Needs what llama.py needs.
rwkv_models.py lists the models, common.py tells of the arrays and of what is printed. transformers halves the stream
after every rescale_every blocks, which changes all that an epsilon is in: it is told 0 here. Besides there are, for
T <= 5,

  attn0 ... (A, T, T)     the matrix of each channel, which acts on the values

and the sinks, what the shifts of the norms absorb:

  beta_embed (1)          pre_ln of block 0
  beta_mix, beta_ln2 (L)  ln1, ln2
  beta_f (1)              ln_out
                          logit = sum lrp_token + sums of all these
"""
import copy
import sys

import no_torchvision  # noqa: F401
import torch
from transformers import RwkvConfig, RwkvForCausalLM

import common
import rwkv_models
import store
from rwkv_lrp import Forward
from rwkv_models import GGUF, LENGTHS

MODELS = {k: {"lengths": LENGTHS, **row} for k, row in rwkv_models.MODELS.items()}


def settings(row):
    return RwkvConfig(**{**copy.deepcopy(row["config"]), "rescale_every": 0})


def draw(name, row):
    """Weights in float32: activations of order 1, logits of order 1 to 10."""
    c, r = settings(row), common.Draw("rwkv", row.get("like", name))
    d, a, ff = c.hidden_size, c.attention_hidden_size, c.intermediate_size

    def uniform(key, shape, low, high):
        r.w[key] = r.r.uniform(low, high, shape)

    mix = row.get("mix", (0, 1))
    r.matrix("rwkv.embeddings.weight", c.vocab_size, d, 0.7 if c.tie_word_embeddings else 1)
    r.norm("rwkv.blocks.0.pre_ln", d)
    for i in range(c.num_hidden_layers):
        at = f"rwkv.blocks.{i}."
        r.norm(at + "ln1", d)
        r.norm(at + "ln2", d)
        uniform(at + "attention.time_decay", a, *row.get("decay", (-4, 1)))
        r.vector(at + "attention.time_first", a, row.get("first", 0.7))
        for name_ in ("key", "value", "receptance"):
            uniform(at + "attention.time_mix_" + name_, (1, 1, d), *mix)
        r.linear(at + "attention.key", a, d, row.get("key", 1.2), False)
        r.linear(at + "attention.value", a, d, 1.2, False)
        r.linear(at + "attention.receptance", a, d, 1.2, False)
        r.linear(at + "attention.output", d, a, 1.5, False)
        for name_ in ("key", "receptance"):
            uniform(at + "feed_forward.time_mix_" + name_, (1, 1, d), *mix)
        r.linear(at + "feed_forward.key", ff, d, 1, False)
        r.linear(at + "feed_forward.receptance", d, d, 1.2, False)
        r.linear(at + "feed_forward.value", d, ff, 1, False)
    r.norm("rwkv.ln_out", d)
    if not c.tie_word_embeddings:
        r.linear("head", c.vocab_size, d, 3, False)
    return r.done()


def build(row, weights):
    return common.build(RwkvForCausalLM, settings(row), weights, "head.weight", "rwkv.embeddings.weight")


def parts(model):
    return model.rwkv.embeddings, model.rwkv.blocks


def write_folder(folder, row, weights):
    config, tensors = {"architectures": ["RwkvForCausalLM"], "model_type": "rwkv", **row["config"]}, dict(weights)
    if row.get("head"):
        tensors["head.weight"] = tensors["rwkv.embeddings.weight"]
    if row.get("bare"):
        tensors = {k.removeprefix("rwkv."): a for k, a in tensors.items()}
    common.write_folder(folder, row, config, tensors)


def maps(row, weights, expect):
    """The matrices of the short texts."""
    model, out = build(copy.deepcopy(row), weights), {}
    for t in (t for t in row["lengths"] if t <= 5):
        f = Forward(model, torch.from_numpy(expect[f"T{t}/ids"]))
        out.update({f"T{t}/attn{l}": a.numpy() for l, a in enumerate(f.maps)})
    return out


def main():
    made = common.generate(__doc__, sys.modules[__name__], Forward)
    print(f"{'model':28}{'close':>10}{'logit':>8}")
    for name, row, weights, expect, close, spread in made:
        folder = common.arguments(__doc__, MODELS).outdir / name
        store.save(folder / "expect.safetensors", {**expect, **maps(row, weights, expect)})
        print(f"{name:28}{close:10.1e}{spread:8.2f}", flush=True)


if __name__ == "__main__":
    main()
