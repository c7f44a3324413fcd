"""What mamba.py and gpt2.py share: values and gradients of transformers, relevance with its account, the files."""
import argparse
import json
import pathlib
import sys

import numpy as np
import torch

import float64
import store
from llama import LENGTHS, seed, targets


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
