#!/usr/bin/env python3
"""attributions.py OUTDIR

Writes OUTDIR/expect.safetensors: attention_rollout, attention_x_gradient and transformer_attribution of the models of
MODELS, in float64, on their own texts of T = 1 and T = 37 tokens. Needs what llama.py needs. Attention weights and
their gradients are those of transformers; products of the layers are formed as matrices, from the first to the last.
Relevance of the attention weights is that of relevance_form.py. Arrays (F64, I64) with the prefix "llama/plain/T37/":

  ids (T)
  end, middle (position, id), contrast (position, a, b)     the targets
  NAME_end, NAME_middle, NAME_contrast (T)                  the row of the explained position (tattr: no contrast, of
      which relevance at the logits, and so everywhere, adds up to 0); NAME is
      rollout, with _raw (row_norm off), _max, _min (of heads), _late (start_layer 1), _no_self
      attn_grad, tattr, with _norm (row_norm on), _late, _no_self
  float32_end, float32_middle (1)   the largest difference of tattr_no_self, of its largest value, in DRAWS draws in
      which every weight and the output of every operation is off by up to half a unit in the last place of float32:
      R / z is large where z is small

Models that read both ways have "NAME/input/" with the input (subjects.py) and "end" alone; of two texts there is no
target, each begins with the mean of its rows (of rollout they are one text), and there is no tattr.

Of BERT's models with masked tokens masked_untied_f16 stands for them: of "masked" tattr with its default options is 4e-5
off in float32 with one compiler and 9e-6 with another, where 2e-5 is asked.

Prints one line per model: how far vector and matrix form are apart, the row sums of rollout from 1, float32.
"""
import argparse
import copy
import pathlib

import no_torchvision  # noqa: F401
import numpy as np
import torch

import bert
import bloom
import common
import float64
import gpt2
import gpt_neox
import gptj
import llama
import relevance_form
import rules
import store
import subjects
import vit

FAMILIES = {"llama": llama, "gpt2": gpt2, "gpt_neox": gpt_neox, "gptj": gptj, "bloom": bloom}
MODELS = ("llama/plain", "llama/gqa2_tied_bf16", "gpt2/plain", "gpt_neox/plain", "gpt_neox/sequential", "gptj/plain",
          "bloom/plain", "bloom/late_bf16")
ENCODERS = ("bert/plain", "bert/relkey", "bert/relkeyquery", "bert/masked_untied_f16", "bert/embed_mean",
             "vit/vit_plain", "vit/deit_plain", "vit/deit_teacher")
DRAWS = 8


def norm(m):
    return m / m.sum(-1, keepdim=True)


def product(layers, row_norm, first=0, no_self=False):
    """Rows of (I + A_L) ... (I + A_first), layers a list of (T, T)."""
    t = len(layers[0])
    one, stay = torch.eye(t), torch.ones(t)
    r, v = one, one
    for a in layers[first:]:
        m = one + a
        stay = stay / m.sum(-1) if row_norm else stay
        r = (norm(m) if row_norm else m) @ r
    for a in reversed(layers[first:]):  # every row as a vector that goes down
        v = v @ norm(one + a) if row_norm else v + v @ a
    apart = float((r - v).abs().max() / r.abs().max())
    return (r - torch.diag(stay) if no_self else r), apart


def rows(e, name, layers, at, variants):
    worst = 0
    for suffix, how in variants.items():
        r, apart = product(layers, **how)
        e[name.replace("_", suffix + "_", 1)] = r[at].numpy()
        worst = max(worst, apart)
    return worst


def one(name):
    family, key = name.split("/")
    f = FAMILIES[family]
    row = f.MODELS[key]
    weights = common.rounded(row, f.draw(key, copy.deepcopy(row)))
    model, like, made, apart, f32, sums = f.build(copy.deepcopy(row), weights), row.get("like", key), {}, 0, 0, 0
    noise = llama.seed("noise", name)
    embedding = f.parts(model)[0] if family != "llama" else model.model.embed_tokens
    for t in (1, 37):
        e, vocab = {}, model.config.vocab_size
        ids = torch.from_numpy(llama.seed("ids", like, t).integers(0, vocab, t))
        x = embedding(ids).clone().requires_grad_()
        out = model(inputs_embeds=x[None], output_attentions=True, use_cache=False, attention_mask=torch.ones(1, t))
        logits, weights_of = out.logits[0], out.attentions
        best, (at, a, b) = llama.targets(ids, logits, vocab, like)
        e["ids"], e["end"] = ids.numpy(), np.array([t - 1, best])
        e["middle"], e["contrast"] = np.array([at, a]), np.array([at, a, b])
        heads = [w[0].detach() for w in weights_of]
        targets = (("end", t - 1, {best: 1.0}), ("middle", at, {a: 1.0}), ("contrast", at, {a: 1.0, b: -1.0}))
        for tag, pos, seed in targets:
            for how, fuse in (("", lambda w: w.mean(0)), ("max", lambda w: w.amax(0)), ("min", lambda w: w.amin(0))):
                layers = [fuse(w) for w in heads]
                if how:
                    e[f"rollout_{how}_{tag}"] = product(layers, True)[0][pos].numpy()
                    continue
                apart = max(apart, rows(e, "rollout_" + tag, layers, pos, {
                    "": {"row_norm": True}, "_raw": {"row_norm": False}, "_late": {"row_norm": True, "first": 1},
                    "_no_self": {"row_norm": True, "no_self": True}}))
                sums = max(sums, abs(float(product(layers, True)[0].sum(-1).sub(1).abs().max())))
            value = sum(c * logits[pos, k] for k, c in seed.items())
            grads = [g[0] for g in torch.autograd.grad(value, weights_of, retain_graph=True)]
            relevance = tag != "contrast" and relevance_form.of(family, model, ids, pos, seed, logits.detach())
            variants = {"": {"row_norm": False}, "_norm": {"row_norm": True}, "_late": {"row_norm": False, "first": 1},
                        "_no_self": {"row_norm": False, "no_self": True}}
            for method, other in (("attn_grad", heads), ("tattr", relevance))[:1 if tag == "contrast" else 2]:
                layers = [(g * w).clamp(min=0).mean(0) for g, w in zip(grads, other)]
                sub = {}
                apart = max(apart, rows(sub, "X_" + tag, layers, pos, variants))
                e.update({method + k.removeprefix("X"): y for k, y in sub.items()})
            if tag == "contrast":
                continue
            want, off = e["tattr_no_self_" + tag], 0
            for _ in range(DRAWS):
                rough = relevance_form.of(family, model, ids, pos, seed, None, noise)
                layers = [(g * w).clamp(min=0).mean(0) for g, w in zip(grads, rough)]
                off = max(off, np.abs(product(layers, False, no_self=True)[0][pos].numpy() - want).max())
            e["float32_" + tag] = np.array([float(f"{off / max(np.abs(want).max(), 1e-9):.2g}")])
            f32 = max(f32, float(e["float32_" + tag][0]))
        made.update({f"{name}/T{t}/{k}": y for k, y in e.items()})
    print(f"{name:24}{apart:10.1e}{sums:10.1e}{f32:10.1e}", flush=True)
    return made


VARIANTS = {
    "rollout": {"": {"row_norm": True}, "_raw": {"row_norm": False}, "_late": {"row_norm": True, "first": 1},
                "_no_self": {"row_norm": True, "no_self": True}},
    "attn_grad": {"": {"row_norm": False}, "_norm": {"row_norm": True}, "_late": {"row_norm": False, "first": 1},
                  "_no_self": {"row_norm": False, "no_self": True}},
}
VARIANTS["tattr"] = VARIANTS["attn_grad"]


def positive(grads, other):
    return [(g[0] * (w[0] if w.dim() == 4 else w)).clamp(min=0).mean(0).detach() for g, w in zip(grads, other)]


def encoder(name):
    """A model that reads both ways: the row of the explained position, or, of two texts that are compared, the mean of
    their rows, each by itself."""
    family, key = name.split("/")
    f = {"bert": bert, "vit": vit}[family]
    model = rules.model_of(f, key, f.MODELS[key])
    subject = subjects.of(family, f, __import__(family + "_lrp").Forward, model, key, f.MODELS[key])
    e, pair = {k: v for k, v in subject.arrays().items() if k != "target"}, isinstance(subject, subjects.Similarity)
    model.requires_grad_(True)  # gradients of attention weights need a leaf
    if family == "vit":
        outs = [model(pixel_values=subject.ids[None], output_attentions=True)]
        model_input = subject.ids
    elif pair:
        outs = [model(input_ids=i[None], output_attentions=True) for i in subject.ids.split(subject.lens)]
    else:
        model_input = (subject.ids, subject.segments)
        outs = [model(input_ids=subject.ids[None], token_type_ids=subject.segments[None], output_attentions=True)]
    rows_of = lambda r: r.mean(0) if pair else r[at]  # noqa: E731
    if pair:
        assert subject.how == "mean"
        u, v = (out.last_hidden_state[0].mean(0) for out in outs)
        value = u @ v / (u.norm() * v.norm())
    else:
        logits = outs[0].logits if outs[0].logits.dim() == 2 else outs[0].logits[0]
        at, best = subject.target
        value, e["end"] = logits[at, best], np.array(subject.target)

    def put(tag, layers_of):
        for suffix, how in VARIANTS[tag].items():
            e[f"{tag}{suffix}_end"] = np.concatenate([rows_of(product(y, **how)[0]).numpy() for y in layers_of])

    grads = [torch.autograd.grad(value, out.attentions, retain_graph=True) for out in outs]
    put("attn_grad", [positive(g, out.attentions) for g, out in zip(grads, outs)])
    if pair:  # there is no target that would compare them: one text
        segments = torch.from_numpy(e["segments"])[None]
        outs = [model(input_ids=subject.ids[None], token_type_ids=segments, output_attentions=True)]
    put("rollout", [[w[0].mean(0).detach() for w in out.attentions] for out in outs])
    for how, fuse in (("max", torch.Tensor.amax), ("min", torch.Tensor.amin)):
        e[f"rollout_{how}_end"] = np.concatenate([
            rows_of(product([fuse(w[0], 0).detach() for w in out.attentions], True)[0]).numpy() for out in outs])
    if not pair:
        put("tattr", [positive(grads[0], relevance_form.of(family, model, model_input, at, {best: 1.0}, logits.detach()))])
        noise, want, off = llama.seed("noise", name), e["tattr_no_self_end"], 0
        for _ in range(DRAWS):
            rough = relevance_form.of(family, model, model_input, at, {best: 1.0}, None, noise)
            rough = product(positive(grads[0], rough), False, no_self=True)[0][at].numpy()
            off = max(off, np.abs(rough - want).max())
        e["float32_end"] = np.array([float(f"{off / max(np.abs(want).max(), 1e-9):.2g}")])
    print(f"{name:24}{'':20}{float(e.get('float32_end', [0])[0]):10.1e}", flush=True)
    return {f"{name}/input/{k}": y for k, y in e.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("outdir", type=pathlib.Path)
    o = p.parse_args()
    o.outdir.mkdir(parents=True, exist_ok=True)
    float64.everywhere()
    float64.quiet()
    print(f"{'model':24}{'forms':>10}{'sums':>10}{'float32':>10}")
    made = {}
    for name in MODELS:
        made.update(one(name))
    for name in ENCODERS:
        made.update(encoder(name))
    store.save(o.outdir / "expect.safetensors", made)


if __name__ == "__main__":
    main()
