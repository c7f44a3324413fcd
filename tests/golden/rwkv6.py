#!/usr/bin/env python3
"""rwkv6.py OUTDIR [NAME ...]

Writes small random RWKV-6 models and what a PyTorch module (rwkv6_model.py, whose gradients are confirmed by differences)
and mamba_lrp make of them in float64. Needs what llama.py needs. rwkv6_models.py lists the models; common.py tells of the
arrays (attn0 ...: the matrices of the mixers), and besides there are

  beta_embed (1), beta_mix, beta_group, beta_ln2 (L), beta_f (1)   what the shifts of the norms absorb: pre_ln, ln1, ln_x,
                                                                   ln2 and ln_out
"""
import copy
import sys

import no_torchvision  # noqa: F401
import torch

import common
from llama import seed
from rwkv6_gguf import write as write_gguf  # noqa: F401
from rwkv6_lrp import Forward
from rwkv6_model import Config, Rwkv6, check_gradient
from rwkv6_models import GGUF, MODELS  # noqa: F401


def configuration(row):
    c = Config(row.get("ranks", (32, 64)), row.get("ignored", False), **copy.deepcopy(row["config"]))
    if "types" in row:  # llama.cpp has one eps
        c.ln_out_epsilon = c.layer_norm_epsilon
    return c


def draw(name, row):
    """Weights in float32: activations of order 1, logits of order 1 to 10."""
    c, r = configuration(row), common.Draw("rwkv6", row.get("like", name))
    d, a, (mix, rank) = c.hidden_size, c.width, c.ranks
    low, high = row.get("decay", (-4.0, 1.0))
    r.matrix("rwkv.embeddings.weight", c.vocab_size, d, 0.4 if c.tie_word_embeddings else 1)
    r.norm("rwkv.blocks.0.pre_ln", d)
    for i in range(c.num_hidden_layers):
        at = f"rwkv.blocks.{i}."
        r.norm(at + "ln1", d)
        r.norm(at + "ln2", d)
        for name_ in "xwkvrg":
            r.w[at + "attention.time_maa_" + name_] = r.r.uniform(0, 1, (1, 1, d))
        r.matrix(at + "attention.time_maa_w1", d, 5 * mix, 0.8 / d**0.5)
        r.w[at + "attention.time_maa_w2"] = r.r.standard_normal((5, mix, d)) * 0.5 / mix**0.5
        r.w[at + "attention.time_decay"] = r.r.uniform(low, high, (1, 1, a))
        r.matrix(at + "attention.time_decay_w1", d, rank, 1 / d**0.5)
        r.matrix(at + "attention.time_decay_w2", rank, a, row.get("sway", 0.5) / rank**0.5)
        r.matrix(at + "attention.time_faaaa", c.heads, c.head_size, 0.6)
        for name_ in ("receptance", "key", "value", "gate"):
            r.linear(at + f"attention.{name_}", a, d, 1, False)
        r.linear(at + "attention.output", d, a, 1, False)
        r.norm(at + "attention.ln_x", a)
        for name_ in "kr":
            r.w[at + "feed_forward.time_maa_" + name_] = r.r.uniform(0, 1, (1, 1, d))
        r.linear(at + "feed_forward.key", c.inner, d, 1, False)
        r.linear(at + "feed_forward.receptance", d, d, 1, False)
        r.linear(at + "feed_forward.value", d, c.inner, 1, False)
    r.norm("rwkv.ln_out", d)
    if not c.tie_word_embeddings:
        r.linear("head", c.vocab_size, d, 3, False)
    return r.done()


def build(row, weights):
    model = common.build(Rwkv6, configuration(row), weights, "head.weight", "rwkv.embeddings.weight")
    ids = torch.from_numpy(seed("differences").integers(0, model.config.vocab_size, 9))
    check_gradient(model, ids, 7)
    return model


def parts(model):
    return model.rwkv.embeddings, model.rwkv.blocks


def write_folder(folder, row, weights):
    config, tensors = {"architectures": ["Rwkv6ForCausalLM"], "model_type": "rwkv6", **row["config"]}, dict(weights)
    if row.get("head"):
        tensors["head.weight"] = tensors["rwkv.embeddings.weight"]
    if row.get("bare"):
        tensors = {k.removeprefix("rwkv."): a for k, a in tensors.items()}
    common.write_folder(folder, row, config, tensors)


if __name__ == "__main__":
    common.main(__doc__, sys.modules[__name__], Forward, attention=True)
