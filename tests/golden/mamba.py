#!/usr/bin/env python3
"""mamba.py OUTDIR [NAME ...]

Writes small random Mamba models and what transformers and mamba_lrp make of them in float64. Needs what llama.py needs.
mamba_models.py lists the models.

NAME/ is a Hugging Face directory with NAME/expect.safetensors (native*: config.json and tensor names of state-spaces);
NAME.gguf has NAME.expect.safetensors. Arrays (F64, I64) for each length T, with the prefix "T37/"; L layers, width C,
V tokens:

  ids (T)                     logits (rows, V)            logits_rows (rows): which positions those are
  block0 ... (T, C)           T <= 37: outputs of the blocks, before the last norm
  target (position, id)       the best next token at the end; logit, prob, logprob (1) of it
  contrast (position, a, b)   logit a - logit b at a middle position; contrast_value (1)
  grad_logit (T, C)           gradient with respect to the token embeddings; T <= 37: grad_contrast, grad_prob too
  lrp (T, C), lrp_token (T)   mamba_lrp of the target logit (per element for T <= 37)
  bias_conv, _in, _out (L)    what the biases of conv1d, in_proj and out_proj absorb, where there are any:
                              logit = sum lrp_token + sums of all bias_*. The bias of dt_proj is part of a constant.
  lrp_contrast_token (T), bias_conv_contrast (L) ...   the same of the contrast

Prints one line per model:

  close   |target - sum of relevance - sinks|, of the largest of |target| and sum |relevance|
  logit   standard deviation of the logits at the longest text
"""
import copy
import sys

import no_torchvision  # noqa: F401
import numpy as np
from transformers import MambaConfig, MambaForCausalLM

import common
from llama import seed
from mamba_gguf import write as write_gguf  # noqa: F401
from mamba_lrp import Forward
from mamba_models import GGUF, MODELS  # noqa: F401


def draw(name, row, kind=MambaConfig):
    """Weights in float32, in the order of transformers' state_dict: activations of order 1, logits of order 1 to 10."""
    c, r = kind(**copy.deepcopy(row["config"])), seed("weights", kind.model_type, row.get("like", name))
    d, di, n, rank, v = c.hidden_size, c.intermediate_size, c.state_size, c.time_step_rank, c.vocab_size
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
        w[at + "A_log"] = np.log(np.arange(1, n + 1)) + 0.3 * r.standard_normal((di, n)) - row.get("slow", 0.0)
        w[at + "D"] = 1 + 0.3 * r.standard_normal(di)
        w[at + "conv1d.weight"] = r.standard_normal((di, 1, c.conv_kernel)) * 1.2 / c.conv_kernel**0.5
        if c.use_conv_bias:
            w[at + "conv1d.bias"] = r.standard_normal(di) * 0.3
        linear(at + "in_proj", 2 * di, d, 1.3, c.use_bias)
        linear(at + "x_proj", rank + 2 * n, di, 1.5, False)
        w[at + "x_proj.weight"][rank:] *= row.get("read", 1.0)
        linear(at + "dt_proj", di, rank, 0.8, False)
        dt = np.exp(r.uniform(low, high, di))
        w[at + "dt_proj.bias"] = dt + np.log(-np.expm1(-dt))
        linear(at + "out_proj", d, di, 1.0, c.use_bias)
    w["backbone.norm_f.weight"] = 1 + 0.2 * r.standard_normal(d)
    if not c.tie_word_embeddings:
        w["lm_head.weight"] = r.standard_normal((v, d)) * 3 / d**0.5
    return {k: a.astype(np.float32) for k, a in w.items()}


def build(row, weights):
    c = MambaConfig(**row["config"])
    return common.build(MambaForCausalLM, c, weights, "lm_head.weight", "backbone.embeddings.weight")


def parts(model):
    return model.backbone.embeddings, model.backbone.layers


def write_folder(folder, row, weights, kind=MambaForCausalLM):
    config = {"architectures": [kind.__name__], "model_type": kind.config_class.model_type, **row["config"]}
    tensors = dict(weights)
    if row.get("head"):
        tensors["lm_head.weight"] = tensors["backbone.embeddings.weight"]
    if "native" in row:
        config = row["native"]
        tensors = {k.replace("backbone.embeddings.", "backbone.embedding."): a for k, a in tensors.items()}
    if row.get("bare"):
        tensors = {k.removeprefix("backbone."): a for k, a in tensors.items()}
    common.write_folder(folder, row, config, tensors)


if __name__ == "__main__":
    common.main(__doc__, sys.modules[__name__], Forward)
