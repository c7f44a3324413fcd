#!/usr/bin/env python3
"""bloom.py OUTDIR [NAME ...]

Writes small random BLOOM models and what transformers and attn_lrp make of them in float64. Needs what llama.py needs.
bloom_models.py lists the models, common.py tells of the arrays and of what is printed. Sinks of this family:

  pos_bias (L)                       ALiBi in its relative form
  bias_qkv, _o, _fc, _mlp_proj (L)   the biases of self_attention.query_key_value (q, k and v together),
                                     self_attention.dense, mlp.dense_h_to_4h, mlp.dense_4h_to_h
  beta_embed (1), beta_ln1, beta_ln2 (L), beta_f (1)   the shifts of word_embeddings_layernorm, input_layernorm,
                                     post_attention_layernorm, ln_f
                                     logit = sum lrp_token + sum kappa + sums of all these
"""
import sys

import no_torchvision  # noqa: F401
from transformers import BloomConfig, BloomForCausalLM

import common
import decoder_gguf
from bloom_lrp import Forward
from bloom_models import GGUF, MODELS  # noqa: F401


def settings(row):
    return BloomConfig(**row["config"], attn_implementation="eager")


def draw(name, row):
    """Weights in float32, in the order of transformers' state_dict: activations of order 1, logits of order 1 to 10."""
    c, w = settings(row), common.Draw("bloom", name)
    d, v = c.hidden_size, c.vocab_size
    w.matrix("transformer.word_embeddings.weight", v, d, 0.8 if c.tie_word_embeddings else 1)
    w.norm("transformer.word_embeddings_layernorm", d)
    for i in range(c.n_layer):
        at = f"transformer.h.{i}."
        w.norm(at + "input_layernorm", d)
        w.linear(at + "self_attention.query_key_value", 3 * d, d, 1.2)
        w.linear(at + "self_attention.dense", d, d, 1.0)
        w.norm(at + "post_attention_layernorm", d)
        w.linear(at + "mlp.dense_h_to_4h", 4 * d, d, 1.4)
        w.linear(at + "mlp.dense_4h_to_h", d, 4 * d, 1.2)
    w.norm("transformer.ln_f", d)
    if not c.tie_word_embeddings:
        w.matrix("lm_head.weight", v, d, 3 / d**0.5)
    return w.done()


def build(row, weights):
    return common.build(BloomForCausalLM, settings(row), weights, "lm_head.weight",
                        "transformer.word_embeddings.weight")


def parts(model):
    return model.transformer.word_embeddings, model.transformer.h


def write_folder(folder, row, weights):
    config, tensors = {"architectures": ["BloomForCausalLM"], "model_type": "bloom", **row["config"]}, dict(weights)
    if row.get("head"):
        tensors["lm_head.weight"] = tensors["transformer.word_embeddings.weight"]
    if row.get("bare"):
        tensors = {k.removeprefix("transformer."): a for k, a in tensors.items()}
    common.write_folder(folder, row, config, tensors)


def write_gguf(path, row, weights):
    return decoder_gguf.write(path, "bloom", settings(row), row, weights)


if __name__ == "__main__":
    common.main(__doc__, sys.modules[__name__], Forward, True)
