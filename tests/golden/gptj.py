#!/usr/bin/env python3
"""gptj.py OUTDIR [NAME ...]

Writes small random GPT-J models and what transformers and attn_lrp make of them in float64. Needs what llama.py needs.
gptj_models.py lists the models, common.py tells of the arrays and of what is printed. Sinks of this family:

  bias_fc, bias_mlp_proj (L), bias_head (1)   the biases of mlp.fc_in, mlp.fc_out, lm_head
  beta_ln (L), beta_f (1)                     the shifts of ln_1, ln_f
                                              logit = sum lrp_token + sum kappa + sums of all these
"""
import sys

import no_torchvision  # noqa: F401
import numpy as np
from transformers import GPTJConfig, GPTJForCausalLM

import common
from gptj_lrp import Forward
from gptj_models import GGUF, MODELS  # noqa: F401


def settings(row):
    return GPTJConfig(**row["config"], attn_implementation="eager")


def draw(name, row):
    """Weights in float32, in the order of transformers' state_dict: activations of order 1, logits of order 1 to 10."""
    c, w = settings(row), common.Draw("gptj", name)
    d, v = c.n_embd, c.vocab_size
    ff = c.n_inner if c.n_inner is not None else 4 * d
    w.matrix("transformer.wte.weight", v, d, 0.8 if c.tie_word_embeddings else 1)
    for i in range(c.n_layer):
        at = f"transformer.h.{i}."
        w.norm(at + "ln_1", d)
        for name, gain in (("k_proj", 1.2), ("v_proj", 1.0), ("q_proj", 1.2), ("out_proj", 1.0)):
            w.linear(f"{at}attn.{name}", d, d, gain, False)
        w.linear(at + "mlp.fc_in", ff, d, 1.4)
        w.linear(at + "mlp.fc_out", d, ff, 1.2)
    w.norm("transformer.ln_f", d)
    if not c.tie_word_embeddings:
        w.matrix("lm_head.weight", v, d, 3 / d**0.5)
    w.vector("lm_head.bias", v, 0.5)
    return w.done()


def build(row, weights):
    return common.build(GPTJForCausalLM, settings(row), weights, "lm_head.weight", "transformer.wte.weight")


def parts(model):
    return model.transformer.wte, model.transformer.h


def write_folder(folder, row, weights):
    config, tensors = {"architectures": ["GPTJForCausalLM"], "model_type": "gptj", **row["config"]}, dict(weights)
    for i in range(row["config"]["n_layer"] if row.get("masks") else 0):
        at = f"transformer.h.{i}.attn."
        tensors[at + "bias"] = np.tril(np.ones((1, 1, 40, 40), np.float32))
        tensors[at + "masked_bias"] = np.array(-1e9, np.float32)
        tensors[at + "embed_positions"] = np.full((3, 2), 7, np.float32)
    common.write_folder(folder, row, config, tensors)


if __name__ == "__main__":
    common.main(__doc__, sys.modules[__name__], Forward, True)
