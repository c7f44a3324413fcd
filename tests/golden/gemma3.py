#!/usr/bin/env python3
"""gemma3.py OUTDIR [NAME ...]

Writes small random Gemma 3 models and what transformers and attn_lrp make of them in float64. Needs what llama.py needs.
gemma3_models.py lists the models, common.py tells of the arrays and of what is printed. The embedding is the one after
its factor: the square root of the width, rounded to the type of the embedding in a folder. Sinks of this family:

  kappa, bias_q, _k, _v, _o (L)               logit = sum lrp_token + sums of all these

Attention of transformers is the eager one: without a mask, its other one forgets the window.
"""
import sys

import no_torchvision  # noqa: F401
import numpy as np
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

import common
import gemma3_gguf
from gemma3_lrp import Forward
from gemma3_models import GGUF, MODELS

TYPES = {"BF16": torch.bfloat16, "F16": torch.float16}


def settings(row):
    return Gemma3TextConfig(**row["config"], attn_implementation="eager")


def draw(name, row):
    """Weights in float32, in the order of transformers' state_dict: activations of order 1, logits of order 1 to 10."""
    c, w = settings(row), common.Draw("gemma3", row.get("like", name))
    d, ff, size, gain = c.hidden_size, c.intermediate_size, row.get("logits", 1.0), row.get("gain", 0.3)
    q, kv = c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim
    w.matrix("model.embed_tokens.weight", c.vocab_size, d, (2.0 * size if c.tie_word_embeddings else 1.5) / d**0.5)
    for i in range(c.num_hidden_layers):
        at = f"model.layers.{i}."
        for key, out, inner in (("q", q, d), ("k", kv, d), ("v", kv, d), ("o", d, q)):
            w.linear(f"{at}self_attn.{key}_proj", out, inner, 1.2, c.attention_bias)
        for key in ("q", "k"):
            w.vector(f"{at}self_attn.{key}_norm.weight", c.head_dim, gain, 0.3)
        for key, out, inner in (("gate", ff, d), ("up", ff, d), ("down", d, ff)):
            w.linear(f"{at}mlp.{key}_proj", out, inner, 1.3, False)
        for key in ("input", "post_attention", "pre_feedforward", "post_feedforward"):
            w.vector(f"{at}{key}_layernorm.weight", d, gain, row.get("post", 0) if key.startswith("post") else 0)
    w.vector("model.norm.weight", d, gain)
    if not c.tie_word_embeddings:
        w.matrix("lm_head.weight", c.vocab_size, d, 3 * size / d**0.5)
    return w.done()


def build(row, weights):
    model = common.build(Gemma3ForCausalLM, settings(row), weights, "lm_head.weight", "model.embed_tokens.weight")
    kind = TYPES.get(row.get("dtype"))
    if kind is not None:
        embedding = model.model.embed_tokens
        embedding.embed_scale = embedding.embed_scale.to(kind).double()
    return model


def parts(model):
    return model.model.embed_tokens, model.model.layers


INSIDE = {"hub": (("", "language_model."), "vision_tower.vision_model.post_layernorm.weight"),
          "new": (("model.", "model.language_model."), "model.multi_modal_projector.mm_soft_emb_norm.weight")}


def write_folder(folder, row, weights):
    written = row.get("v5", row["config"])
    config, tensors = {"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", **written}, dict(weights)
    if row.get("head"):
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] + 1
    if row.get("bare"):
        tensors = {k.removeprefix("model."): a for k, a in tensors.items()}
    if "inside" in row:
        (was, new), other = INSIDE[row["inside"]]
        tensors = {new + k.removeprefix(was) if k.startswith(was) else k: a for k, a in tensors.items()}
        tensors[other] = np.full(3, 7, np.float32)
        config = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "mm_tokens_per_image": 256,
                  "text_config": {"model_type": "gemma3_text", **written},
                  "vision_config": {"hidden_size": 1152, "model_type": "siglip_vision_model", "num_hidden_layers": 27}}
    common.write_folder(folder, row, config, tensors)


def write_gguf(path, row, weights):
    return gemma3_gguf.write(path, settings(row), row, weights)


if __name__ == "__main__":
    common.main(__doc__, sys.modules[__name__], Forward, attention=True)
