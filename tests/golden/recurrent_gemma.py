#!/usr/bin/env python3
"""recurrent_gemma.py OUTDIR [NAME ...]

Writes small random RecurrentGemma models and what transformers and attn_lrp make of them in float64. Needs what llama.py
needs. recurrent_gemma_models.py lists the models, common.py tells of the arrays and of what is printed. The embedding is
the one after its factor, the square root of the width rounded to bfloat16. Sinks of this family, of the layers that have
them, in order:

  kappa, bias_q, _k, _v, _o                   of attention layers
  bias_y, bias_x, bias_conv, bias_out         of recurrent layers: linear_y, linear_x, conv_1d, linear_out
  bias_gate, bias_up, bias_down (L)
                                              logit = sum lrp_token + sums of all these

transformers is changed in three points: its mask forgets the window in a text that is longer (W keys are seen here, the
query's own included); it sums states in float32; and it keeps the states of the run before.
"""
import sys
import types

import no_torchvision  # noqa: F401
import numpy as np
import torch
from transformers import RecurrentGemmaConfig, RecurrentGemmaForCausalLM
from transformers.models.recurrent_gemma.modeling_recurrent_gemma import RecurrentGemmaRglru

import common
from recurrent_gemma_lrp import Forward, windowed
from recurrent_gemma_models import GGUF, MODELS  # noqa: F401


def settings(row):
    return RecurrentGemmaConfig(**row["config"])


def draw(name, row):
    """Weights in float32, in the order of transformers' state_dict: activations of order 1, logits of order 1 to 10."""
    c, w = settings(row), common.Draw("recurrent_gemma", row.get("like", name))
    d, e, ff, heads = c.hidden_size, c.lru_width, c.intermediate_size // 2, c.num_attention_heads
    size = row.get("logits", 1.0)
    w.matrix("model.embed_tokens.weight", c.vocab_size, d, 0.7 * size if c.tie_word_embeddings else 0.4)

    def block(key, at):
        width = e // heads
        w.w[f"{at}{key}_weight"] = w.r.standard_normal((heads, width, width)) * 0.5 / width**0.5
        w.w[f"{at}{key}_bias"] = w.r.standard_normal((heads, width)) * 0.4

    for i in range(c.num_hidden_layers):
        at = f"model.layers.{i}."
        w.vector(at + "temporal_pre_norm.weight", d, 0.2)
        mix = at + "temporal_block."
        if c.layers_block_type[i] == "attention":
            kv = c.num_key_value_heads * c.head_dim
            for key, out, gain in (("q_proj", heads * c.head_dim, 1.2), ("k_proj", kv, 1.2), ("v_proj", kv, 1.0)):
                w.linear(mix + key, out, d, gain, c.attention_bias)
            w.linear(mix + "o_proj", d, heads * c.head_dim, 1.0)
        else:
            w.linear(mix + "linear_y", e, d, 1.2)
            w.linear(mix + "linear_x", e, d, 1.2)
            w.linear(mix + "linear_out", d, e, 1.2)
            w.w[mix + "conv_1d.weight"] = w.r.standard_normal((e, 1, c.conv1d_width)) * 1.2 / c.conv1d_width**0.5
            w.vector(mix + "conv_1d.bias", e, 0.3)
            life = np.exp(w.r.uniform(*np.log(row.get("decay", (2e-2, 0.4))), e))
            w.w[mix + "rg_lru.recurrent_param"] = np.log(np.expm1(life))
            block("rg_lru.input_gate", mix)
            block("rg_lru.recurrent_gate", mix)
        w.vector(at + "channel_pre_norm.weight", d, 0.2)
        for key, out, inner, gain in (("gate", ff, d, 1.4), ("up", ff, d, 1.2), ("down", d, ff, 1.2)):
            w.linear(f"{at}mlp_block.{key}_proj", out, inner, gain)
    w.vector("model.final_norm.weight", d, 0.2)
    if not c.tie_word_embeddings:
        w.matrix("lm_head.weight", c.vocab_size, d, 3 * size / d**0.5)
    return w.done()


def mask(self, attention_mask, x, cache_position):
    return windowed(x.shape[1], self.config.attention_window_size)[None, None]


def build(row, weights):
    RecurrentGemmaRglru._rnn_scan.__defaults__ = (torch.float64,)
    model = common.build(RecurrentGemmaForCausalLM, settings(row), weights, "lm_head.weight",
                         "model.embed_tokens.weight")
    core = model.model
    core._update_causal_mask = types.MethodType(mask, core)
    core.scale = float(core.normalizer)
    core.normalizer = torch.ones(())  # parts() does it
    forget = lambda m, i: setattr(m, "recurrent_states", None)  # noqa: E731
    for layer in core.layers:
        if hasattr(layer.temporal_block, "rg_lru"):
            layer.temporal_block.rg_lru.register_forward_pre_hook(forget)
    return model


def parts(model):
    return lambda ids: model.model.scale * model.model.embed_tokens(ids), model.model.layers


def write_folder(folder, row, weights):
    config, tensors = {"architectures": ["RecurrentGemmaForCausalLM"], "model_type": "recurrent_gemma",
                       **row["config"]}, dict(weights)
    if row.get("head"):
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    if row.get("bare"):
        tensors = {k.removeprefix("model."): a for k, a in tensors.items()}
    common.write_folder(folder, row, config, tensors)


if __name__ == "__main__":
    common.main(__doc__, sys.modules[__name__], Forward)
