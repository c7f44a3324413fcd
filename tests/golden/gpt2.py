#!/usr/bin/env python3
"""gpt2.py OUTDIR [NAME ...]

Writes small random GPT-2 models and what transformers and attn_lrp make of them in float64. Needs what llama.py needs.
gpt2_models.py lists the models.

NAME/ is a Hugging Face directory with NAME/expect.safetensors; NAME.gguf has NAME.expect.safetensors. Arrays (F64, I64)
for each length T, with the prefix "T37/"; L layers, width C, H heads, V tokens:

  ids (T)                     logits (rows, V)            logits_rows (rows): which positions those are
  block0 ... (T, C)           T <= 37: outputs of the blocks, before the last norm
  attn0 ... (H, T, T)         attention weights, T <= 2, or T <= 37 where a model is marked "full"
  target (position, id)       the best next token at the end; logit, prob, logprob (1) of it
  contrast (position, a, b)   logit a - logit b at a middle position; contrast_value (1)
  grad_logit (T, C)           gradient with respect to the token embeddings; T <= 37: grad_contrast, grad_prob too
  lrp (T, C), lrp_token (T)   attn_lrp of the target logit at the token embeddings (per element for T <= 37)
  kappa (L)                   what the softmax of each layer absorbs
  bias_c_attn, _c_proj, _fc, _mlp_proj (L)    the biases of attn.c_attn (q, k and v together), attn.c_proj, mlp.c_fc,
                              mlp.c_proj
  beta_ln1, beta_ln2 (L), beta_f (1)          the shifts of ln_1, ln_2, ln_f
  unread (1)                  the position embeddings. logit = sum lrp_token + sums of all these
  lrp_contrast_token (T), kappa_contrast (L) ...   the same of the contrast

Prints one line per model:

  close   |target - sum of relevance - sinks|, of the largest of |target| and sum |relevance|
  lxt     difference of the relevance from lxt's with its 1e-10 in f(x)/(x + 1e-10) removed, of the largest value
  lxt'    the same with lxt as it is
  logit   standard deviation of the logits at the longest text
"""
import copy
import warnings

import no_torchvision  # noqa: F401
import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.models.gpt2 import modeling_gpt2

import common
import gpt2_gguf
import store
from gpt2_lrp import Forward
from gpt2_models import GGUF, MODELS
from llama import LXT_AS_IS, seed


def draw(name, row):
    """Weights in float32, in the order of transformers' state_dict: activations of order 1, logits of order 1 to 10."""
    c, r = GPT2Config(**copy.deepcopy(row["config"])), seed("weights", "gpt2", name)
    d, v = c.n_embd, c.vocab_size
    ff = c.n_inner if c.n_inner is not None else 4 * d
    w = {"transformer.wte.weight": r.standard_normal((v, d)) * (0.8 if c.tie_word_embeddings else 1),
         "transformer.wpe.weight": r.standard_normal((c.n_positions, d)) * 0.5}

    def linear(key, inner, out, gain):
        w[key + ".weight"] = r.standard_normal((inner, out)) * gain / inner**0.5
        w[key + ".bias"] = r.standard_normal(out) * 0.3

    def norm(key):
        w[key + ".weight"] = 1 + 0.2 * r.standard_normal(d)
        w[key + ".bias"] = 0.2 * r.standard_normal(d)

    for i in range(c.n_layer):
        at = f"transformer.h.{i}."
        norm(at + "ln_1")
        linear(at + "attn.c_attn", d, 3 * d, 1.2 if c.scale_attn_weights else 0.8)
        linear(at + "attn.c_proj", d, d, 1.0)
        norm(at + "ln_2")
        linear(at + "mlp.c_fc", d, ff, 1.4)
        linear(at + "mlp.c_proj", ff, d, 1.2)
    norm("transformer.ln_f")
    if not c.tie_word_embeddings:
        w["lm_head.weight"] = r.standard_normal((v, d)) * 3 / d**0.5
    return {k: a.astype(np.float32) for k, a in w.items()}


def build(row, weights, **more):
    c = GPT2Config(**{**copy.deepcopy(row["config"]), **more}, attn_implementation="eager")
    model = GPT2LMHeadModel(c).double().eval().requires_grad_(False)
    state = {k: torch.from_numpy(np.ascontiguousarray(a, np.float64)) for k, a in weights.items()}
    if c.tie_word_embeddings:
        state["lm_head.weight"] = state["transformer.wte.weight"]
    model.load_state_dict(state)
    return model


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
    for name, (row, weights, expect) in made.items():
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
    o, made, lines = common.arguments(__doc__, [*MODELS, *GGUF]), {}, {}
    for name, row in {**MODELS, **GGUF}.items():
        if o.names and name not in o.names:
            continue
        weights = draw(name, row)
        if name in GGUF:
            weights = gpt2_gguf.write(o.outdir / (name + ".gguf"), row, weights)
            file = o.outdir / (name + ".expect.safetensors")
        else:
            weights = common.rounded(row, weights)
            write_folder(o.outdir / name, row, weights)
            file = o.outdir / name / "expect.safetensors"
        model = build(row, weights)
        expect, *lines[name] = common.one(name, row, model, (model.transformer.wte, model.transformer.h), Forward, True)
        store.save(file, expect)
        made[name] = row, weights, expect
    lxt = against_lxt(made)
    print(f"{'model':28}{'close':>10}{'lxt':>10}{LXT_AS_IS:>10}{'logit':>8}")
    for name, (close, spread) in lines.items():
        print(f"{name:28}{close:10.1e}{lxt[name][0]:10.1e}{lxt[name][1]:10.1e}{spread:8.2f}")


if __name__ == "__main__":
    main()
