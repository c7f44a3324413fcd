#!/usr/bin/env python3
"""bert.py OUTDIR [NAME ...]

Writes small random BERT models and what transformers and attn_lrp make of them in float64. Needs what llama.py needs.
bert_models.py lists the models.

NAME/ is a Hugging Face directory with NAME/expect.safetensors; NAME.gguf has NAME.expect.safetensors. Arrays (F64, I64)
for each length T, with the prefix "T37/"; L layers, width C, H heads, V tokens or labels:

  ids (T)                     segments (T): where there are two
  logits (rows, V)            logits_rows (rows): which positions those are; of a model with labels position 0 alone
  block0 ... (T, C)           T <= 37: outputs of the blocks
  attn0 ... (H, T, T)         attention weights, T <= 2, or T <= 37 where a model is marked "full"
  target (position, id)       the best token at a middle position, or the best label, at 0; logit (1) of it
  contrast (position, a, b)   logit a - logit b at the same position; contrast_value (1)
  grad_logit (T, C)           gradient with respect to the token embeddings; T <= 37: grad_contrast, and, where labels
                              exclude each other, grad_prob
  lrp (T, C), lrp_token (T)   attn_lrp of the target logit at the token embeddings (per element for T <= 37)
  kappa (L)                   what the softmax of each layer absorbs
  bias_q, _k, _v, _o, _fc, _mlp_proj (L), beta_ln1, _ln2 (L), beta_embed, bias_head (1), of labels bias_pooler (1), of
                              tokens bias_transform, beta_transform (1): the biases, and the shifts of the norms
  unread, unread_type (1)     the position and the type embeddings. logit = sum lrp_token + sums of all these
  lrp_contrast_token (T), kappa_contrast (L) ...   the same of the contrast

A model with embeddings has two texts of lens (2) tokens, together T, each run by itself:

  embedding (2, C)            pooled, not divided by its length; similarity (1): the cosine
  grad_similarity (T, C), and lrp ... as above, of the similarity

Prints one line per model, with the columns of gpt2.py.
"""
import copy
import json
import warnings

import no_torchvision  # noqa: F401
import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel
from transformers.models.bert import modeling_bert

import common
import store
from bert_gguf import write as write_gguf
from bert_lrp import Forward, Pair
from bert_models import BASE, CLASS, GGUF, MODELS
from llama import LENGTHS, LXT_AS_IS, seed
from lrp import Method

KINDS = {k.__name__: k for k in (BertForSequenceClassification, BertForMaskedLM, BertModel)}


def kind(row):
    return row["config"]["architectures"][0]


def build(row, weights, attention="eager"):
    c = BertConfig(**copy.deepcopy(row["config"]), attn_implementation=attention)
    more = {"add_pooling_layer": False} if kind(row) == BASE else {}
    model = KINDS[kind(row)](c, **more).double().eval().requires_grad_(False)
    state = {k: torch.from_numpy(np.ascontiguousarray(a, np.float64)) for k, a in weights.items()}
    if kind(row) == BASE:
        state = {k.removeprefix("bert."): a for k, a in state.items()}
    missing = model.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and all("position_ids" in k or "decoder" in k for k in missing.missing_keys), missing
    model.tie_weights()
    return model


def draw(name, row):
    """Weights in float32: activations of order 1, logits of order 1 to 10."""
    c, r = BertConfig(**copy.deepcopy(row["config"])), seed("weights", "bert", row.get("like", name))
    d, w = c.hidden_size, {}

    def linear(key, inner, out, gain):
        w[key + ".weight"] = r.standard_normal((out, inner)) * gain / inner**0.5
        w[key + ".bias"] = r.standard_normal(out) * 0.3

    def norm(key):
        w[key + ".weight"] = 1 + 0.2 * r.standard_normal(d)
        w[key + ".bias"] = 0.2 * r.standard_normal(d)

    e = "bert.embeddings."
    w[e + "word_embeddings.weight"] = r.standard_normal((c.vocab_size, d)) * 0.9
    w[e + "position_embeddings.weight"] = r.standard_normal((c.max_position_embeddings, d)) * 0.5
    w[e + "token_type_embeddings.weight"] = r.standard_normal((c.type_vocab_size, d)) * 0.5
    norm(e + "LayerNorm")
    for i in range(c.num_hidden_layers):
        at = f"bert.encoder.layer.{i}."
        for n, gain in (("query", 1.3), ("key", 1.3), ("value", 1.2)):
            linear(at + "attention.self." + n, d, d, gain)
        if c.position_embedding_type != "absolute":
            n = 2 * c.max_position_embeddings - 1
            w[at + "attention.self.distance_embedding.weight"] = r.standard_normal((n, d // c.num_attention_heads)) * 0.7
        linear(at + "attention.output.dense", d, d, 1.0)
        norm(at + "attention.output.LayerNorm")
        linear(at + "intermediate.dense", d, c.intermediate_size, 1.4)
        linear(at + "output.dense", c.intermediate_size, d, 1.2)
        norm(at + "output.LayerNorm")
    if kind(row) == CLASS:
        linear("bert.pooler.dense", d, d, 1.0)
        linear("classifier", d, c.num_labels, 3.0)
    elif kind(row) != BASE:
        p = "cls.predictions."
        linear(p + "transform.dense", d, d, 1.3)
        norm(p + "transform.LayerNorm")
        w[p + "bias"] = r.standard_normal(c.vocab_size) * 0.3
        if not c.tie_word_embeddings:
            w[p + "decoder.weight"] = r.standard_normal((c.vocab_size, d)) * 2 / d**0.5
            w[p + "decoder.bias"] = w[p + "bias"]
    return {k: a.astype(np.float32) for k, a in w.items()}


def write_folder(folder, row, weights):
    tensors, r = dict(weights), seed("more", folder.name)
    tensors["bert.embeddings.position_ids"] = np.arange(row["config"]["max_position_embeddings"])[None]
    tensors.update({k: r.standard_normal(n).astype(np.float32) for k, n in row.get("more", {}).items()})
    if row.get("old"):
        names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        tensors = {k if (end := ".".join(k.split(".")[-2:])) not in names else k.removesuffix(end) + names[end]: a
                   for k, a in tensors.items()}
    if not row.get("prefix"):
        tensors = {k.removeprefix("bert."): a for k, a in tensors.items()}
    tensors.pop("cls.predictions.decoder.bias", None) if row.get("prefix") else tensors.pop("cls.predictions.bias", None)
    whole = {k: "I64" if a.dtype.kind == "i" else row.get("dtype", "F32") for k, a in tensors.items()}
    if "keep" in row:
        whole.update({k: "F32" for k in tensors if k.endswith(row["keep"])})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **row["config"]}, indent=2) + "\n")
    if "shards" in row:
        store.save_sharded(folder, tensors, whole, row["shards"])
    else:
        store.save(folder / "model.safetensors", tensors, whole)
    if row.get("pooling"):
        write_pooling(folder, row)


def write_pooling(folder, row):
    path = "sentence_transformers.models."
    modules = [{"idx": i, "name": str(i), "path": p, "type": path + t} for i, (p, t) in enumerate(
        (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")))]
    (folder / "modules.json").write_text(json.dumps(modules, indent=2) + "\n")
    keys = {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens", "mean_sqrt_len": "mean_sqrt_len_tokens"}
    mode = {"word_embedding_dimension": row["config"]["hidden_size"],
            **{"pooling_mode_" + v: k == row["pooling"] for k, v in keys.items()}}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(mode, indent=2) + "\n")


def run(model, ids, segments, attention=False):
    """-> leaf, transformers' output, outputs of the blocks"""
    core, blocks, hooks = getattr(model, "bert", model), [], []
    for layer in core.encoder.layer:
        hooks.append(layer.register_forward_hook(lambda m, i, out: blocks.append(out[0][0].detach().numpy())))
    x = core.embeddings.word_embeddings(ids).clone().requires_grad_()
    out = model(inputs_embeds=x[None], token_type_ids=segments[None], output_attentions=attention)
    for h in hooks:
        h.remove()
    return x, out, blocks


def targets(model, name, logits, t):
    """(position, best), (position, a, b)"""
    at, r = 0 if len(logits) == 1 and hasattr(model, "classifier") else t // 2, seed("contrast", name, t)
    a, b = (int(i) for i in r.choice(logits.shape[1], 2, replace=False))
    return (at, int(logits[at].argmax())), (at, a, b)


def plain(model, row, ids, segments, name):
    t, e, full = len(ids), {}, 37 if row.get("full") else 2
    x, out, blocks = run(model, ids, segments, t <= full)
    logits = out.logits if kind(row) == CLASS else out.logits[0]
    (at, best), (_, a, b) = targets(model, name, logits, t)
    rows = list(range(len(logits))) if len(logits) <= 37 else [0, at, t - 1]
    e["ids"], e["logits"], e["logits_rows"] = ids.numpy(), logits.detach()[rows].numpy(), np.array(rows)
    if segments.any():
        e["segments"] = segments.numpy()
    if t <= 37:
        e.update({f"block{i}": y for i, y in enumerate(blocks)})
    if t <= full:
        e.update({f"attn{i}": y[0].detach().numpy() for i, y in enumerate(out.attentions)})
    gradient = lambda y: torch.autograd.grad(y, x, retain_graph=True)[0].numpy()  # noqa: E731
    contrast, prob = logits[at, a] - logits[at, b], logits[at].softmax(-1)[best]
    e["target"], e["logit"] = np.array([at, best]), logits[at, best].detach().numpy().reshape(1)
    e["contrast"], e["contrast_value"] = np.array([at, a, b]), contrast.detach().numpy().reshape(1)
    e["grad_logit"] = gradient(logits[at, best])
    if t <= 37:
        e["grad_contrast"] = gradient(contrast)
        if model.config.problem_type != "multi_label_classification":
            e["grad_prob"] = gradient(prob)
    return e, logits.detach()


def same(f, logits, grad, name):
    g = torch.from_numpy(grad)
    diff = max(float((f - logits).abs().max() / logits.abs().max()), float((g[0] - g[1]).abs().max() / g[1].abs().max()))
    assert diff < 1e-12, f"{name}: the restated model differs by {diff}"


def relevance(model, ids, segments, name, logits, gradient):
    e, close = {}, 0.0
    (at, best), (_, a, b) = targets(model, name, logits, len(ids))
    f = Forward(model, ids, segments, rules=False)
    f.logits[at, best].backward()
    same(f.logits.detach(), logits, np.stack([f.embed.grad.numpy(), gradient]), name)
    for tag in ("lrp", "lrp_contrast"):
        f = Forward(model, ids, segments)
        r, sinks, rest = f.explain(f.logits[at, best] if tag == "lrp" else f.logits[at, a] - f.logits[at, b])
        close = max(close, rest)
        if tag == "lrp" and len(ids) <= 37:
            e["lrp"] = r
        e[tag + "_token"] = r.sum(1)
        e.update({k + tag.removeprefix("lrp"): np.array(v) for k, v in sinks.items()})
    return e, close


def pooled(hidden, how):
    if how == "cls":
        return hidden[0]
    return hidden.sum(0) / (len(hidden) ** 0.5 if how == "mean_sqrt_len" else len(hidden))


def similarity(model, row, ids, name):
    t, how = len(ids), row["pooling"] or "mean"
    lens = [t // 2, t - t // 2]
    runs = [run(model, i, torch.zeros_like(i)) for i in ids.split(lens)]
    u, v = (pooled(out.last_hidden_state[0], how) for _, out, _ in runs)
    value = (u @ v) / (u.norm() * v.norm())
    grads = torch.autograd.grad(value, [x for x, _, _ in runs])
    e = {"ids": ids.numpy(), "lens": np.array(lens), "embedding": torch.stack([u, v]).detach().numpy(),
         "similarity": value.detach().numpy().reshape(1), "grad_similarity": torch.cat(grads).numpy()}
    if t <= 37:
        e.update({f"block{i}": np.concatenate([b[i] for _, _, b in runs]) for i in range(len(runs[0][2]))})
    f = Pair(model, ids, lens, how, rules=False)
    f.value.backward()
    g = np.stack([np.concatenate([o.embed.grad.numpy() for o in f.one]), e["grad_similarity"]])
    same(f.value.detach(), value.detach(), g, name)
    r, sinks, rest = Pair(model, ids, lens, how).explain()
    if t <= 37:
        e["lrp"] = r
    return {**e, "lrp_token": r.sum(1), **{k: np.array(v) for k, v in sinks.items()}}, rest, 0.0


def one(name, row, model):
    expect, close, spread, vocab = {}, 0.0, 0.0, model.config.vocab_size
    like = row.get("like", name)
    for t in row.get("lengths", LENGTHS):
        ids = torch.from_numpy(seed("ids", like, t).integers(0, vocab, t))
        segments = torch.zeros_like(ids)
        if row.get("pair"):
            segments[(t + 1) // 2:] = 1
        if kind(row) == BASE:
            if t < 2:
                continue
            e, rest, spread = similarity(model, row, ids, like)
        else:
            e, logits = plain(model, row, ids, segments, like)
            r, rest = relevance(model, ids, segments, like, logits, e["grad_logit"])
            e, spread = {**e, **r}, float(logits.std())
        close = max(close, rest)
        expect.update({f"T{t}/{k}": v for k, v in e.items()})
    return expect, close, spread


def against_lxt(made):
    """After everything else: it changes the classes of torch and transformers for good."""
    from lxt.efficient import monkey_patch, rules
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monkey_patch(modeling_bert)
    defaults, out = rules.identity_rule_implicit_fn.forward, {}
    for name, (row, weights, expect) in made.items():
        if kind(row) == BASE:
            continue
        model, worst = build(row, weights), {}
        for eps in (0.0, 1e-10):
            defaults.__defaults__ = (eps,)
            for key in [k for k in expect if k.endswith("/lrp_token")]:
                t = key.split("/")[0]
                ids, (at, best) = torch.from_numpy(expect[t + "/ids"]), expect[t + "/target"]
                segments = torch.from_numpy(expect.get(t + "/segments", 0 * expect[t + "/ids"]))
                x, got, _ = run(model, ids, segments)
                (got.logits if kind(row) == CLASS else got.logits[0])[at, best].backward()
                r = (x * x.grad).detach().numpy()
                mine, r = (expect[t + "/lrp"], r) if t + "/lrp" in expect else (expect[key], r.sum(1))
                if model.config.position_embedding_type != "absolute":  # there lxt has a rule of its own
                    f = Forward(model, ids, segments, rules=Method(relkey="unhalved"))
                    mine = f.explain(f.logits[at, best])[0]
                    mine = mine if t + "/lrp" in expect else mine.sum(1)
                worst[eps] = max(worst.get(eps, 0), np.abs(mine - r).max() / np.abs(mine).max())
        assert worst[0.0] < 1e-10, (name, worst)
        out[name] = (worst[0.0], worst[1e-10])
    return out


def main():
    o, made, lines = common.arguments(__doc__, [*MODELS, *GGUF]), {}, {}
    for name, row in {**MODELS, **GGUF}.items():
        if o.names and name not in o.names:
            continue
        weights, folder = common.rounded(row, draw(name, row)), o.outdir / name
        if name in GGUF:
            weights = write_gguf(o.outdir / (name + ".gguf"), row, weights)
            file = o.outdir / (name + ".expect.safetensors")
        else:
            write_folder(folder, row, weights)
            file = folder / "expect.safetensors"
        model = build(row, weights)
        expect, *lines[name] = one(name, row, model)
        store.save(file, expect)
        made[name] = row, weights, expect
    lxt = against_lxt(made)
    print(f"{'model':28}{'close':>10}{'lxt':>10}{LXT_AS_IS:>10}{'logit':>8}")
    for name, (close, spread) in lines.items():
        a, b = lxt.get(name, (np.nan, np.nan))
        print(f"{name:28}{close:10.1e}{a:10.1e}{b:10.1e}{spread:8.2f}")


if __name__ == "__main__":
    main()
