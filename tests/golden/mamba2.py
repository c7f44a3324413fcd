#!/usr/bin/env python3
"""mamba2.py OUTDIR [NAME ...]

Writes small random Mamba 2 models and what transformers and mamba_lrp make of them in float64. Needs what llama.py
needs. mamba2_models.py lists the models; arrays and columns are those of mamba.py. A model whose norm after the gate is
over groups, or that has none, is transformers' with that norm in place of its own.
"""
import copy
import sys

import no_torchvision  # noqa: F401
import numpy as np
import torch
from transformers import Mamba2Config, Mamba2ForCausalLM

import common
import mamba
from llama import seed
from mamba import parts  # noqa: F401
from mamba2_gguf import write as write_gguf  # noqa: F401
from mamba2_lrp import Forward
from mamba2_models import GGUF, MODELS  # noqa: F401


def draw(name, row):
    """Weights in float32, in the order of transformers' state_dict: activations of order 1, logits of order 1 to 10."""
    c, r = Mamba2Config(**copy.deepcopy(row["config"])), seed("weights", "mamba2", row.get("like", name))
    d, h, n, v = c.hidden_size, c.num_heads, c.state_size, c.vocab_size
    e, mixed = h * c.head_dim, h * c.head_dim + 2 * c.n_groups * n
    w = {"backbone.embeddings.weight": r.standard_normal((v, d)) * (0.7 if c.tie_word_embeddings else 1)}

    def linear(key, out, inner, gain, bias):
        w[key + ".weight"] = r.standard_normal((out, inner)) * gain / inner**0.5
        if bias:
            w[key + ".bias"] = r.standard_normal(out) * 0.3

    low, high = np.log(row.get("dt", (0.03, 0.5)))
    for i in range(c.num_hidden_layers):
        at = f"backbone.layers.{i}."
        w[at + "norm.weight"] = 1 + 0.2 * r.standard_normal(d)
        at += "mixer."
        dt = np.exp(r.uniform(low, high, h))
        w[at + "dt_bias"] = dt + np.log(-np.expm1(-dt))
        w[at + "A_log"] = np.log(r.uniform(0.5, 6, h)) - row.get("slow", 0.0)
        w[at + "D"] = 1 + 0.3 * r.standard_normal(h)
        w[at + "conv1d.weight"] = r.standard_normal((mixed, 1, c.conv_kernel)) * 1.2 / c.conv_kernel**0.5
        if c.use_conv_bias:
            w[at + "conv1d.bias"] = r.standard_normal(mixed) * 0.3
        linear(at + "in_proj", e + mixed + h, d, 1.3, c.use_bias)
        if row.get("norm") != "none":
            w[at + "norm.weight"] = 1 + 0.2 * r.standard_normal(e)
        linear(at + "out_proj", d, e, 1.0, c.use_bias)
    w["backbone.norm_f.weight"] = 1 + 0.2 * r.standard_normal(d)
    if not c.tie_word_embeddings:
        w["lm_head.weight"] = r.standard_normal((v, d)) * 3 / d**0.5
    return {k: a.astype(np.float32) for k, a in w.items()}


class GroupNorm(torch.nn.Module):
    """The gate, then RMSNorm over each `width` neighbours; with a width of 0 the gate alone."""

    def __init__(self, norm, width):
        super().__init__()
        self.weight, self.variance_epsilon, self.width = norm.weight, norm.variance_epsilon, width

    def forward(self, x, gate):
        x = x * torch.nn.functional.silu(gate)
        if self.width == 0:
            return x
        g = x.unflatten(-1, (-1, self.width))
        return self.weight * (g * torch.rsqrt(g.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)).flatten(-2)


def build(row, weights):
    c, weights = Mamba2Config(**row["config"]), dict(weights)
    if row.get("norm") == "none":
        for i in range(c.num_hidden_layers):
            weights[f"backbone.layers.{i}.mixer.norm.weight"] = np.ones(c.num_heads * c.head_dim)
    model = common.build(Mamba2ForCausalLM, c, weights, "lm_head.weight", "backbone.embeddings.weight")
    for block in model.backbone.layers if "norm" in row else ():
        width = c.num_heads * c.head_dim // c.n_groups
        block.mixer.norm = GroupNorm(block.mixer.norm, width if row["norm"] == "grouped" else 0)
    return model


def write_folder(folder, row, weights):
    mamba.write_folder(folder, row, weights, Mamba2ForCausalLM)


if __name__ == "__main__":
    common.main(__doc__, sys.modules[__name__], Forward)
