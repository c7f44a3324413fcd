"""What the scripts of the families but llama.py share: values and gradients of transformers, relevance with its account,
the files. ARRAYS tells of the arrays in the expect files; each script adds the sinks of its family."""
import argparse
import copy
import json
import pathlib
import sys

import numpy as np
import torch

import float64
import store
from llama import LENGTHS, seed, targets


ARRAYS = """
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
  lrp_contrast_token (T), kappa_contrast (L) ...   the same of the contrast

Prints one line per model:

  close   |target - sum of relevance - sinks|, of the largest of |target| and sum |relevance|
  logit   standard deviation of the logits at the longest text
"""


class Draw:
    """Random weights, drawn in the order of the calls."""

    def __init__(self, *words):
        self.r, self.w = seed("weights", *words), {}

    def matrix(self, key, rows, cols, size):
        self.w[key] = self.r.standard_normal((rows, cols)) * size

    def vector(self, key, n, size, mean=0):
        self.w[key] = mean + size * self.r.standard_normal(n)

    def linear(self, key, out, inner, gain, bias=True):
        self.matrix(key + ".weight", out, inner, gain / inner**0.5)
        if bias:
            self.vector(key + ".bias", out, 0.3)

    def norm(self, key, n):
        self.vector(key + ".weight", n, 0.2, 1)
        self.vector(key + ".bias", n, 0.2)

    def done(self):
        return {k: a.astype(np.float32) for k, a in self.w.items()}


def build(kind, config, weights, head, embedding):
    """A model of transformers in float64; head: its weight is the embedding's where the configuration ties them."""
    model = kind(config).double().eval().requires_grad_(False)
    state = {k: torch.from_numpy(np.ascontiguousarray(a, np.float64)) for k, a in weights.items()}
    if config.tie_word_embeddings:
        state[head] = state[embedding]
    model.load_state_dict(state)
    return model


def plain(model, parts, ids, name, full, attention=False):
    """Values and gradients of transformers, unchanged. parts: (token embedding, blocks)."""
    embedding, layers = parts
    t, e, vocab = len(ids), {}, model.config.vocab_size
    blocks, hooks = [], []
    for layer in layers:
        hooks.append(layer.register_forward_hook(
            lambda m, i, out: blocks.append((out[0] if isinstance(out, tuple) else out)[0].detach().numpy())))
    x = embedding(ids).clone().requires_grad_()
    # The reordered attention of gpt2 in transformers 4.52.4 works with a mask only.
    more = {"output_attentions": True, "attention_mask": torch.ones(1, t)} if attention else {}
    out = model(inputs_embeds=x[None], use_cache=False, **more)
    for h in hooks:
        h.remove()
    logits = out.logits[0]
    best, (at, a, b) = targets(ids, logits, vocab, name)
    rows = list(range(t)) if t <= full and vocab <= 200 else list(range(max(0, t - 3), t))
    e["ids"], e["logits"], e["logits_rows"] = ids.numpy(), logits.detach()[rows].numpy(), np.array(rows)
    if t <= 37:
        e.update({f"block{i}": y for i, y in enumerate(blocks)})
    if attention and t <= full:
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


def relevance(forward, model, ids, name, logits, gradient):
    """forward(model, ids) without the rules must give logits and gradient; with them, relevance of both targets."""
    e, close = {}, 0.0
    best, (at, a, b) = targets(ids, logits, model.config.vocab_size, name)
    f = forward(model, ids, rules=False)
    f.logits[-1, best].backward()
    g = torch.from_numpy(gradient)
    diff = max(float((f.logits.detach() - logits).abs().max() / logits.abs().max()),
               float((f.embed.grad - g).abs().max() / g.abs().max()))
    assert diff < 1e-12, f"{name}: the restated model differs by {diff}"
    for tag in ("lrp", "lrp_contrast"):
        f = forward(model, ids)
        assert float((f.logits.detach() - logits).abs().max() / logits.abs().max()) < 1e-12
        r, sinks, rest = f.explain(f.logits[-1, best] if tag == "lrp" else f.logits[at, a] - f.logits[at, b])
        close = max(close, rest)
        if tag == "lrp" and len(ids) <= 37:
            e["lrp"] = r
        e[tag + "_token"] = r.sum(1)
        e.update({k + tag.removeprefix("lrp"): np.array(v) for k, v in sinks.items()})
    return e, close


def one(name, row, model, parts, forward, attention=False):
    """-> (arrays of the expect file, closing of the account, spread of the logits)."""
    expect, close, vocab, like = {}, 0.0, model.config.vocab_size, row.get("like", name)
    for t in row.get("lengths", LENGTHS):
        ids = torch.from_numpy(seed("ids", like, t).integers(0, vocab, t))
        e, logits = plain(model, parts, ids, like, 37 if row.get("full") else 2, attention)
        r, rest = relevance(forward, model, ids, like, logits, e["grad_logit"])
        close = max(close, rest)
        expect.update({f"T{t}/{k}": v for k, v in {**e, **r}.items()})
    return expect, close, float(logits.std())


def write_folder(folder, row, config, tensors):
    """config.json and the weights; row: "dtype", "keep" (name endings that stay F32), "shards"."""
    dtype = row.get("dtype", "F32")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if "keep" in row:
        dtype = {k: "F32" if k.endswith(row["keep"]) else dtype for k in tensors}
    if "shards" in row:
        store.save_sharded(folder, tensors, dtype, row["shards"])
    else:
        store.save(folder / "model.safetensors", tensors, dtype)


def rounded(row, weights):
    """The weights as they come back from the file."""
    keep = row.get("keep", ())
    return {k: a if k.endswith(keep) else store.rounded(a, row.get("dtype", "F32")) for k, a in weights.items()}


def generate(doc, family, forward, attention=False):
    """Every model that the command line names: its files and its expect file. -> [(name, row, weights, expect, close,
    spread)]. family: a module or object with MODELS, GGUF; draw(name, row), build(row, weights), parts(model),
    write_folder(folder, row, weights), write_gguf(path, row, weights)."""
    o, made = arguments(doc, [*family.MODELS, *family.GGUF]), []
    for name, row in {**family.MODELS, **family.GGUF}.items():
        if o.names and name not in o.names:
            continue
        weights = family.draw(name, copy.deepcopy(row))
        if name in family.GGUF:
            weights = family.write_gguf(o.outdir / (name + ".gguf"), row, weights)
            file = o.outdir / (name + ".expect.safetensors")
        else:
            weights = rounded(row, weights)
            family.write_folder(o.outdir / name, row, weights)
            file = o.outdir / name / "expect.safetensors"
        model = family.build(copy.deepcopy(row), weights)
        expect, close, spread = one(name, row, model, family.parts(model), forward, attention)
        store.save(file, expect)
        made.append((name, row, weights, expect, close, spread))
    return made


def main(doc, family, forward, attention=False):
    made = generate(doc, family, forward, attention)
    print(f"{'model':28}{'close':>10}{'logit':>8}")
    for name, *_, close, spread in made:
        print(f"{name:28}{close:10.1e}{spread:8.2f}", flush=True)


def arguments(doc, names):
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("outdir", type=pathlib.Path)
    p.add_argument("names", nargs="*")
    o = p.parse_args()
    if unknown := set(o.names) - set(names):
        sys.exit(f"no such model: {', '.join(sorted(unknown))}")
    o.outdir.mkdir(parents=True, exist_ok=True)
    float64.everywhere()
    float64.quiet()
    return o
