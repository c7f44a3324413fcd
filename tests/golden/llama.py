#!/usr/bin/env python3
"""llama.py OUTDIR [NAME ...] [--no-lxt]

Writes small random Llama models and what transformers and attn_lrp make of them in float64. Needs torch 2.13.0,
transformers 4.52.4, lxt 2.1, numpy 2.4, safetensors 0.8.0, gguf 0.19.0. llama_models.py lists the models.

NAME/ is a Hugging Face directory with NAME/expect.safetensors; NAME.gguf has NAME.expect.safetensors. Arrays (F64, I64)
for each length T, with the prefix "T37/"; L layers, width C, H heads, V tokens:

  ids (T)                     logits (rows, V)            logits_rows (rows): which positions those are
  block0 ... (T, C)           T <= 37: outputs of the decoder layers, before the last norm
  attn0 ... (H, T, T)         attention weights, T <= 2, or T <= 37 where a model is marked "full"
  target (position, id)       the best next token at the end; logit, prob, logprob (1) of it
  contrast (position, a, b)   logit a - logit b at a middle position; contrast_value (1)
  grad_logit (T, C)           gradient with respect to the token embeddings; T <= 37: grad_contrast, grad_prob too
  lrp (T, C), lrp_token (T)   attn_lrp of the target logit (per element for T <= 37)
  kappa (L)                   what the softmax of each layer absorbs; bias_q, _k, _v, _o, _gate, _up, _down (L) where
                              there are biases: logit = sum lrp_token + sum kappa + sums of all bias_*
  lrp_contrast_token (T), kappa_contrast (L), bias_q_contrast (L) ...   the same of the contrast

attn_lrp of an activation that is not 0 at 0 (sigmoid, laplace): the gate is constant, the other factor gets all.

Prints one line per model:

  close   |target - sum of relevance - sinks|, of the largest of |target| and sum |relevance|
  lxt     difference of the relevance from lxt's with its 1e-10 in f(x)/(x + 1e-10) removed, of the largest value
  lxt'    the same with lxt as it is
  logit   standard deviation of the logits at the longest text
"""
import argparse
import copy
import json
import pathlib
import sys
import warnings
import zlib

import no_torchvision  # noqa: F401
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama import modeling_llama

import float64
import llama_gguf
import store
from llama_lrp import FACTOR, Forward
from llama_models import GGUF, MODELS

LXT_AS_IS = "lxt'"
LENGTHS = (1, 2, 37, 130)


def seed(*words):
    """Not Python's hash, which changes from run to run."""
    return np.random.default_rng(zlib.crc32(" ".join(map(str, words)).encode()))


def draw(name, row):
    """Weights in float32, in the order of transformers' state_dict: activations of order 1, logits of order 1 to 10."""
    c, r = LlamaConfig(**copy.deepcopy(row["config"])), seed("weights", row.get("like", name))
    d, ff, v, hd = c.hidden_size, c.intermediate_size, c.vocab_size, c.head_dim
    q, kv = c.num_attention_heads * hd, c.num_key_value_heads * hd
    w = {"model.embed_tokens.weight": r.standard_normal((v, d))}

    def linear(key, out, inner, gain, bias):
        w[key + ".weight"] = r.standard_normal((out, inner)) * gain / inner**0.5
        if bias:
            w[key + ".bias"] = r.standard_normal(out) * 0.3

    for i in range(c.num_hidden_layers):
        at = f"model.layers.{i}."
        linear(at + "self_attn.q_proj", q, d, 1.3, c.attention_bias)
        linear(at + "self_attn.k_proj", kv, d, 1.3, c.attention_bias)
        linear(at + "self_attn.v_proj", kv, d, 1.0, c.attention_bias)
        linear(at + "self_attn.o_proj", d, q, 1.0, c.attention_bias)
        linear(at + "mlp.gate_proj", ff, d, 1.5 * row.get("gate", 1.0), c.mlp_bias)
        linear(at + "mlp.up_proj", ff, d, 1.0, c.mlp_bias)
        linear(at + "mlp.down_proj", d, ff, 1.2 / row.get("gate", 1.0), c.mlp_bias)
        w[at + "input_layernorm.weight"] = 1 + 0.2 * r.standard_normal(d)
        w[at + "post_attention_layernorm.weight"] = 1 + 0.2 * r.standard_normal(d)
    w["model.norm.weight"] = 1 + 0.2 * r.standard_normal(d)
    if not c.tie_word_embeddings:
        w["lm_head.weight"] = r.standard_normal((v, d)) * 3 / d**0.5
    else:
        w["model.embed_tokens.weight"] *= 0.7
    return {k: a.astype(np.float32) for k, a in w.items()}


def build(row, weights, inv_freq=None):
    c = LlamaConfig(**copy.deepcopy(row["config"]), attn_implementation="eager")
    model = LlamaForCausalLM(c).double().eval().requires_grad_(False)
    state = {k: torch.from_numpy(a.astype(np.float64)) for k, a in weights.items()}
    if c.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    if inv_freq is not None:
        model.model.rotary_emb.inv_freq = torch.from_numpy(inv_freq)
    return model


def write_folder(folder, row, weights):
    dtype, written = row.get("dtype", "F32"), dict(row["config"])
    if "v5" in row:
        del written["rope_scaling"], written["rope_theta"]
        written["rope_parameters"], written["dtype"] = row["v5"], "float32"
    written = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **written}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(written, indent=2) + "\n")
    on_disk = dict(weights)
    if row.get("bare"):
        on_disk = {k.removeprefix("model."): a for k, a in on_disk.items()}
    if row.get("extra"):
        for i in range(row["config"]["num_hidden_layers"]):
            on_disk[f"model.layers.{i}.self_attn.rotary_emb.inv_freq"] = np.full(3, 7, np.float32)
    if "shards" in row:
        store.save_sharded(folder, on_disk, dtype, row["shards"])
    else:
        store.save(folder / "model.safetensors", on_disk, dtype)


def targets(ids, logits, vocab, name):
    """(best next token at the end), (middle position, two ids)."""
    t, r = len(ids), seed("contrast", name, len(ids))
    a, b = (int(i) for i in r.choice(vocab, 2, replace=False))
    return int(logits[-1].argmax()), ((t - 1) // 2, a, b)


def plain(model, ids, name, full):
    """Values and gradients of transformers, unchanged."""
    t, e, vocab = len(ids), {}, model.config.vocab_size
    blocks, hooks = [], []
    for layer in model.model.layers:
        hooks.append(layer.register_forward_hook(lambda m, i, out: blocks.append(out[0][0].detach().numpy())))
    x = model.model.embed_tokens(ids).clone().requires_grad_()
    out = model(inputs_embeds=x[None], output_attentions=True, use_cache=False)
    for h in hooks:
        h.remove()
    logits = out.logits[0]
    best, (at, a, b) = targets(ids, logits, vocab, name)
    rows = list(range(t)) if t <= full and vocab <= 200 else list(range(max(0, t - 3), t))
    e["ids"], e["logits"], e["logits_rows"] = ids.numpy(), logits.detach()[rows].numpy(), np.array(rows)
    if t <= 37:
        e.update({f"block{i}": y for i, y in enumerate(blocks)})
    if t <= full:
        e.update({f"attn{i}": y[0].detach().numpy() for i, y in enumerate(out.attentions)})
    logprob = logits[-1].log_softmax(-1)[best]
    gradient = lambda y: torch.autograd.grad(y, x, retain_graph=True)[0].numpy()  # noqa: E731
    e["target"], e["logit"] = np.array([t - 1, best]), logits[-1, best].detach().numpy().reshape(1)
    e["logprob"], e["prob"] = (y.detach().numpy().reshape(1) for y in (logprob, logprob.exp()))
    e["contrast"], contrast = np.array([at, a, b]), logits[at, a] - logits[at, b]
    e["contrast_value"] = contrast.detach().numpy().reshape(1)
    e["grad_logit"] = gradient(logits[-1, best])
    if t <= 37:
        e["grad_contrast"], e["grad_prob"] = gradient(contrast), gradient(logprob.exp())
    return e, logits.detach()


def relevance(model, ids, name, logits):
    """attn_lrp of both targets, with the account of each."""
    e, close = {}, 0.0
    best, (at, a, b) = targets(ids, logits, model.config.vocab_size, name)
    for tag in ("lrp", "lrp_contrast"):
        f = Forward(model, ids)
        diff = float((f.logits.detach() - logits).abs().max() / logits.abs().max())
        assert diff < 1e-13, f"{name}: the restated forward pass differs by {diff}"
        r, sinks, rest = f.explain(f.logits[-1, best] if tag == "lrp" else f.logits[at, a] - f.logits[at, b])
        close = max(close, rest)
        if tag == "lrp" and len(ids) <= 37:
            e["lrp"] = r
        e[tag + "_token"] = r.sum(1)
        e.update({k + tag.removeprefix("lrp"): np.array(v) for k, v in sinks.items()})
    return e, close


def lxt_relevance(model, ids, best):
    x = model.model.embed_tokens(ids).clone().requires_grad_()
    model(inputs_embeds=x[None], use_cache=False).logits[0, -1, best].backward()
    return (x * x.grad).detach().numpy()


def against_lxt(made):
    """After everything else: it changes the classes of transformers for good."""
    from lxt.efficient import monkey_patch, rules
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monkey_patch(modeling_llama)
    defaults = rules.identity_rule_implicit_fn.forward
    for name, (model, expect, _) in made.items():
        worst = {}
        for eps in (0.0, 1e-10):
            defaults.__defaults__ = (eps,)
            for key in [k for k in expect if k.endswith("/lrp_token")]:
                t = key.split("/")[0]
                ids, best = torch.from_numpy(expect[t + "/ids"]), int(expect[t + "/target"][1])
                r = lxt_relevance(model, ids, best)
                mine, r = (expect[t + "/lrp"], r) if t + "/lrp" in expect else (expect[key], r.sum(1))
                worst[eps] = max(worst.get(eps, 0), np.abs(mine - r).max() / np.abs(mine).max())
        made[name] += (worst[0.0], worst[1e-10])
        # Where the gate is a constant, lxt's f(x)/x has a pole and is another rule.
        assert FACTOR[model.config.hidden_act] is None or worst[0.0] < 1e-8, (name, worst)


def one(name, row, weights, model):
    expect, close, vocab = {}, 0.0, row["config"]["vocab_size"]
    for t in row.get("lengths", LENGTHS):
        ids = torch.from_numpy(seed("ids", row.get("like", name), t).integers(0, vocab, t))
        e, logits = plain(model, ids, row.get("like", name), 37 if row.get("full") else 2)
        r, rest = relevance(model, ids, row.get("like", name), logits)
        close = max(close, rest)
        expect.update({f"T{t}/{k}": v for k, v in {**e, **r}.items()})
    return model, expect, close, float(logits.std())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("outdir", type=pathlib.Path)
    p.add_argument("names", nargs="*")
    p.add_argument("--no-lxt", action="store_true")
    o = p.parse_args()
    o.outdir.mkdir(parents=True, exist_ok=True)
    float64.everywhere()
    float64.quiet()
    if unknown := set(o.names) - set(MODELS) - set(GGUF):
        sys.exit(f"no such model: {', '.join(sorted(unknown))}")
    made = {}
    for name, row in {**MODELS, **GGUF}.items():
        if o.names and name not in o.names:
            continue
        weights, inv_freq = draw(name, row), None
        if name in GGUF:
            weights, inv_freq = llama_gguf.write(o.outdir / (name + ".gguf"), row, weights)
            file = o.outdir / (name + ".expect.safetensors")
        else:
            weights = {k: store.rounded(a, row.get("dtype", "F32")) for k, a in weights.items()}
            write_folder(o.outdir / name, row, weights)
            file = o.outdir / name / "expect.safetensors"
        model, expect, close, spread = one(name, row, weights, build(row, weights, inv_freq))
        store.save(file, expect)
        made[name] = (model, expect, (close, spread))
    if not o.no_lxt:
        against_lxt(made)
    print(f"{'model':24}{'close':>10}{'lxt':>10}{LXT_AS_IS:>10}{'logit':>8}")
    for name, (_, _, (close, spread), *lxt) in made.items():
        print(f"{name:24}{close:10.1e}" + ("{:10.1e}{:10.1e}".format(*lxt) if lxt else " " * 20) + f"{spread:8.2f}")


if __name__ == "__main__":
    main()
