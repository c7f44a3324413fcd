#!/usr/bin/env python3
"""gpt2.py OUTDIR [NAME ...]

Writes small random GPT-2 models and what transformers and attn_lrp make of them in float64. Needs what llama.py needs.
gpt2_models.py lists the models.

common.py tells of the arrays. Sinks of this family:

  bias_c_attn, _c_proj, _fc, _mlp_proj (L)    the biases of attn.c_attn (q, k and v together), attn.c_proj, mlp.c_fc,
                              mlp.c_proj
  beta_ln1, beta_ln2 (L), beta_f (1)          the shifts of ln_1, ln_2, ln_f
  unread (1)                  the position embeddings. logit = sum lrp_token + sums of all these

Prints two more columns:

  lxt     difference of the relevance from lxt's with its 1e-10 in f(x)/(x + 1e-10) removed, of the largest value
  lxt'    the same with lxt as it is
"""
import copy
import sys
import warnings

import no_torchvision  # noqa: F401
import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.models.gpt2 import modeling_gpt2

import common
from gpt2_gguf import write as write_gguf  # noqa: F401
from gpt2_lrp import Forward
from gpt2_models import GGUF, MODELS  # noqa: F401
from llama import LXT_AS_IS


def draw(name, row):
    """Weights in float32, in the order of transformers' state_dict: activations of order 1, logits of order 1 to 10."""
    c, w = GPT2Config(**row["config"]), common.Draw("gpt2", name)
    d, v = c.n_embd, c.vocab_size
    ff = c.n_inner if c.n_inner is not None else 4 * d
    w.matrix("transformer.wte.weight", v, d, 0.8 if c.tie_word_embeddings else 1)
    w.matrix("transformer.wpe.weight", c.n_positions, d, 0.5)

    def conv1d(key, inner, out, gain):
        w.matrix(key + ".weight", inner, out, gain / inner**0.5)
        w.vector(key + ".bias", out, 0.3)

    for i in range(c.n_layer):
        at = f"transformer.h.{i}."
        w.norm(at + "ln_1", d)
        conv1d(at + "attn.c_attn", d, 3 * d, 1.2 if c.scale_attn_weights else 0.8)
        conv1d(at + "attn.c_proj", d, d, 1.0)
        w.norm(at + "ln_2", d)
        conv1d(at + "mlp.c_fc", d, ff, 1.4)
        conv1d(at + "mlp.c_proj", ff, d, 1.2)
    w.norm("transformer.ln_f", d)
    if not c.tie_word_embeddings:
        w.matrix("lm_head.weight", v, d, 3 / d**0.5)
    return w.done()


def build(row, weights, **more):
    c = GPT2Config(**{**copy.deepcopy(row["config"]), **more}, attn_implementation="eager")
    return common.build(GPT2LMHeadModel, c, weights, "lm_head.weight", "transformer.wte.weight")


def parts(model):
    return model.transformer.wte, model.transformer.h


def write_folder(folder, row, weights):
    config, tensors = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", **row["config"]}, dict(weights)
    if row.get("head"):
        tensors["lm_head.weight"] = tensors["transformer.wte.weight"]
    if row.get("masks"):
        n = row["config"]["n_positions"]
        for i in range(row["config"]["n_layer"]):
            tensors[f"transformer.h.{i}.attn.bias"] = np.tril(np.ones((1, 1, n, n), np.float32))
            tensors[f"transformer.h.{i}.attn.masked_bias"] = np.array(-1e4, np.float32)
    if not row.get("prefix"):
        tensors = {k.removeprefix("transformer."): a for k, a in tensors.items()}
    common.write_folder(folder, row, config, tensors)


def against_lxt(made):
    """After everything else: it changes the classes of torch and transformers for good."""
    from lxt.efficient import monkey_patch, rules
    from lxt.efficient.models.gpt2 import attnLRP
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monkey_patch(modeling_gpt2, patch_map=attnLRP)
    defaults, out = rules.identity_rule_implicit_fn.forward, {}
    for name, row, weights, expect, *_ in made:
        # lxt does not reach the other order of operations, which is the same function.
        model, worst = build(row, weights, reorder_and_upcast_attn=False), {}
        for eps in (0.0, 1e-10):
            defaults.__defaults__ = (eps,)
            for key in [k for k in expect if k.endswith("/lrp_token")]:
                t = key.split("/")[0]
                ids, best = torch.from_numpy(expect[t + "/ids"]), int(expect[t + "/target"][1])
                x = model.transformer.wte(ids).clone().requires_grad_()
                model(inputs_embeds=x[None], use_cache=False).logits[0, -1, best].backward()
                r = (x * x.grad).detach().numpy()
                mine, r = (expect[t + "/lrp"], r) if t + "/lrp" in expect else (expect[key], r.sum(1))
                worst[eps] = max(worst.get(eps, 0), np.abs(mine - r).max() / np.abs(mine).max())
        assert worst[0.0] < 1e-10, (name, worst)
        out[name] = (worst[0.0], worst[1e-10])
    return out


def main():
    made = common.generate(__doc__, sys.modules[__name__], Forward, True)
    lxt = against_lxt(made)
    print(f"{'model':28}{'close':>10}{'lxt':>10}{LXT_AS_IS:>10}{'logit':>8}")
    for name, *_, close, spread in made:
        print(f"{name:28}{close:10.1e}{lxt[name][0]:10.1e}{lxt[name][1]:10.1e}{spread:8.2f}")


if __name__ == "__main__":
    main()
