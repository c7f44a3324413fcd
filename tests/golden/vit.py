#!/usr/bin/env python3
"""vit.py OUTDIR [NAME ...]

Writes small random ViT and DeiT models and what transformers and attn_lrp make of them in float64. Needs torch and
transformers. vit_models.py lists the models.

NAME/ is a Hugging Face directory, with a preprocessor_config.json, and NAME/expect.safetensors. Arrays (F64, I64), all with the prefix "image/"; L layers,
width C, H heads, V classes, T tokens (learned ones, then patches), P = channels x pixels of a patch:

  pixels (channels, height, width)            the input
  logits (1, V)               logits_rows (1): 0
  block0 ... (T, C)           T <= 37: outputs of the blocks, before the last norm
  attn0 ... (H, T, T)         T <= 37: attention weights
  target (0, class)           the best class; logit, prob, logprob (1) of it
  contrast (0, a, b)          logit a - logit b; contrast_value (1)
  grad_logit, grad_contrast, grad_prob (T, P) gradient with respect to the pixels, by patch; zero for learned tokens
  lrp (T, P), lrp_token (T)   attn_lrp of the target logit; of learned tokens <token, g>, in lrp_token only
  prefix (1)                  the sum of these
  kappa, bias_q, _k, _v, _o, _fc, _mlp_proj, beta_ln1, beta_ln2 (L), bias_patch, bias_head, beta_f, unread (1)
                              what is absorbed. logit = sum lrp_token + sums of all these
  lrp_contrast_token (T), kappa_contrast (L) ...   the same of the contrast
"""
import copy
import json

import no_torchvision  # noqa: F401
import numpy as np
import torch
from transformers import (DeiTConfig, DeiTForImageClassification, DeiTForImageClassificationWithTeacher, ViTConfig,
                          ViTForImageClassification)

import common
import store
from llama import seed
from vit_lrp import Forward, unfold
from vit_models import MODELS


def build(name, row, weights=None):
    config = copy.deepcopy(row["config"])
    config["id2label"] = {int(k): v for k, v in config["id2label"].items()}
    kind, head = (ViTConfig, ViTForImageClassification) if name.startswith("vit") else (
        DeiTConfig, DeiTForImageClassificationWithTeacher if row.get("teacher") else DeiTForImageClassification)
    model = head(kind(**config, attn_implementation="eager")).double().eval().requires_grad_(False)
    if weights is not None:
        model.load_state_dict({k: torch.from_numpy(np.ascontiguousarray(a, np.float64)) for k, a in weights.items()})
    return model


def draw(name, row):
    """Weights in float32: activations of order 1, logits of order 1 to 10."""
    r, out = seed("weights", "vit", name), {}
    for key, v in build(name, row).state_dict().items():
        shape, last = tuple(v.shape), key.split(".")[-2:]
        if "layernorm" in key:
            a = (last[1] == "weight") + 0.2 * r.standard_normal(shape)
        elif len(shape) == 1:
            a = 0.3 * r.standard_normal(shape)
        elif last[0] == "embeddings":
            a = 0.6 * r.standard_normal(shape)
        else:
            gain = 3 if "classifier" in key else 1.2
            a = gain * r.standard_normal(shape) / np.prod(shape[1:]) ** 0.5
        out[key] = a.astype(np.float32)
    return out


def leaf(gradient, size, learned):
    """Of pixels -> of the rows of the model."""
    rows = unfold(gradient, size).numpy()
    return np.concatenate([np.zeros((learned, rows.shape[1])), rows])


def plain(name, model, pixels):
    core = getattr(model, model.config.model_type)
    blocks, hooks = [], []
    for layer in core.encoder.layer:
        hooks.append(layer.register_forward_hook(lambda m, i, out: blocks.append(out[0][0].detach().numpy())))
    x = pixels.clone().requires_grad_()
    out = model(pixel_values=x[None], output_attentions=True)
    for h in hooks:
        h.remove()
    logits = out.logits[0]
    best, (a, b) = int(logits.argmax()), seed("contrast", name).choice(len(logits), 2, replace=False)
    size, learned = tuple(core.embeddings.patch_embeddings.patch_size), 2 if name.startswith("deit") else 1
    e = {"pixels": pixels.numpy(), "logits": logits.detach().numpy()[None], "logits_rows": np.array([0])}
    if len(blocks[0]) <= 37:
        e.update({f"block{i}": y for i, y in enumerate(blocks)})
        e.update({f"attn{i}": y[0].detach().numpy() for i, y in enumerate(out.attentions)})
    logprob, contrast = logits.log_softmax(-1)[best], logits[a] - logits[b]
    gradient = lambda y: leaf(torch.autograd.grad(y, x, retain_graph=True)[0], size, learned)  # noqa: E731
    e["target"], e["logit"] = np.array([0, best]), logits[best].detach().numpy().reshape(1)
    e["logprob"], e["prob"] = (y.detach().numpy().reshape(1) for y in (logprob, logprob.exp()))
    e["contrast"], e["contrast_value"] = np.array([0, a, b]), contrast.detach().numpy().reshape(1)
    e["grad_logit"], e["grad_contrast"] = gradient(logits[best]), gradient(contrast)
    e["grad_prob"] = gradient(logprob.exp())
    return e


def relevance(model, pixels, e):
    """The restated model must give logits and gradient; with the rules, relevance of both targets."""
    out, close = {}, 0.0
    f = Forward(model, pixels, rules=False)
    f.logits[0, e["target"][1]].backward()
    diff = max(np.abs(f.logits.detach().numpy() - e["logits"]).max() / np.abs(e["logits"]).max(),
               np.abs(f.embed.grad.numpy() - e["grad_logit"][len(f.tokens):]).max() / np.abs(e["grad_logit"]).max())
    assert diff < 1e-12, f"the restated model differs by {diff}"
    for tag in ("lrp", "lrp_contrast"):
        f = Forward(model, pixels)
        z = f.logits[0]
        r, sinks, rest = f.explain(z[e["target"][1]] if tag == "lrp" else z[e["contrast"][1]] - z[e["contrast"][2]])
        close, learned = max(close, rest), (f.tokens * f.tokens.grad).detach().sum(1).numpy()
        if tag == "lrp":
            out["lrp"] = np.concatenate([np.zeros((len(learned), r.shape[1])), r])
        out[tag + "_token"] = np.concatenate([learned, r.sum(1)])
        out.update({k + tag.removeprefix("lrp"): np.array(v) for k, v in sinks.items()})
    return out, close


def write_folder(folder, name, row, weights):
    kind = name.split("_")[0]
    head = {"vit": "ViTForImageClassification", "deit": "DeiTForImageClassification"}[kind]
    config = {"architectures": [head + "WithTeacher" * row.get("teacher", False)], "model_type": kind, **row["config"]}
    tensors = {k.removeprefix(kind + ".") if row.get("base") else k: a for k, a in weights.items()}
    common.write_folder(folder, row, config, tensors)
    if row["config"].get("num_channels", 3) == 3:
        size = row["config"]["image_size"]
        (folder / "preprocessor_config.json").write_text(json.dumps(
            {"image_processor_type": "ViTImageProcessor", "size": size, "resample": 2}, indent=2) + "\n")


def main():
    o = common.arguments(__doc__, MODELS)
    print(f"{'model':28}{'tokens':>8}{'close':>10}{'logit':>8}")
    for name, row in MODELS.items():
        if o.names and name not in o.names:
            continue
        weights = common.rounded(row, draw(name, row))
        write_folder(o.outdir / name, name, row, weights)
        model = build(name, row, weights)
        size = row["config"]["image_size"]
        h, w = size if isinstance(size, list) else (size, size)
        r = seed("pixels", name)
        pixels = torch.from_numpy(r.standard_normal((row["config"].get("num_channels", 3), h, w)).astype(np.float32)
                                  .astype(np.float64))
        e = plain(name, model, pixels)
        more, close = relevance(model, pixels, e)
        store.save(o.outdir / name / "expect.safetensors", {f"image/{k}": v for k, v in {**e, **more}.items()})
        print(f"{name:28}{len(more['lrp_token']):8}{close:10.1e}{e['logits'].std():8.2f}")


if __name__ == "__main__":
    main()
