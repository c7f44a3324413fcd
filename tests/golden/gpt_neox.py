#!/usr/bin/env python3
"""gpt_neox.py OUTDIR [NAME ...]

Writes small random GPT-NeoX models and what transformers and attn_lrp make of them in float64. Needs what llama.py
needs. gpt_neox_models.py lists the models, common.py tells of the arrays and of what is printed. Sinks of this family,
where there are any:

  bias_qkv, _o, _fc, _mlp_proj (L)   the biases of attention.query_key_value (q, k and v together), attention.dense,
                                     mlp.dense_h_to_4h, mlp.dense_4h_to_h
  beta_ln1, beta_ln2 (L), beta_f (1) the shifts of input_layernorm, post_attention_layernorm, final_layer_norm
                                     logit = sum lrp_token + sum kappa + sums of all these
"""
import sys

import no_torchvision  # noqa: F401
import numpy as np
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

import common
import decoder_gguf
from gpt_neox_lrp import Forward
from gpt_neox_models import GGUF, MODELS  # noqa: F401


def settings(row):
    config = {k: v for k, v in row["config"].items() if k != "rope_parameters"}
    return GPTNeoXConfig(**config, **row.get("as", {}), attn_implementation="eager")


def draw(name, row):
    """Weights in float32, in the order of transformers' state_dict: activations of order 1, logits of order 1 to 10."""
    c, w = settings(row), common.Draw("gpt_neox", name)
    d, ff, v = c.hidden_size, c.intermediate_size, c.vocab_size
    w.matrix("gpt_neox.embed_in.weight", v, d, 0.8 if c.tie_word_embeddings else 1)
    for i in range(c.num_hidden_layers):
        at = f"gpt_neox.layers.{i}."
        w.norm(at + "input_layernorm", d)
        w.norm(at + "post_attention_layernorm", d)
        w.linear(at + "attention.query_key_value", 3 * d, d, 1.2, c.attention_bias)
        w.linear(at + "attention.dense", d, d, 1.0, c.attention_bias)
        w.linear(at + "mlp.dense_h_to_4h", ff, d, 1.4)
        w.linear(at + "mlp.dense_4h_to_h", d, ff, 1.2)
    w.norm("gpt_neox.final_layer_norm", d)
    if not c.tie_word_embeddings:
        w.matrix("embed_out.weight", v, d, 3 / d**0.5)
    return w.done()


def build(row, weights):
    return common.build(GPTNeoXForCausalLM, settings(row), weights, "embed_out.weight", "gpt_neox.embed_in.weight")


def parts(model):
    return model.gpt_neox.embed_in, model.gpt_neox.layers


def write_folder(folder, row, weights):
    config, tensors = {"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", **row["config"]}, dict(weights)
    if row.get("head"):
        tensors["embed_out.weight"] = tensors["gpt_neox.embed_in.weight"]
    for i in range(row["config"]["num_hidden_layers"] if row.get("masks") else 0):
        at = f"gpt_neox.layers.{i}.attention."
        tensors[at + "bias"] = np.tril(np.ones((1, 1, 40, 40), np.float32))
        tensors[at + "masked_bias"] = np.array(-1e9, np.float32)
        tensors[at + "rotary_emb.inv_freq"] = np.full(3, 7, np.float32)
    if row.get("bare"):
        tensors = {k.removeprefix("gpt_neox."): a for k, a in tensors.items()}
    common.write_folder(folder, row, config, tensors)


def write_gguf(path, row, weights):
    return decoder_gguf.write(path, "gptneox", settings(row), row, weights)


if __name__ == "__main__":
    common.main(__doc__, sys.modules[__name__], Forward, True)
