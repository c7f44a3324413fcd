#!/usr/bin/env python3
"""minilm.py DIR HEED          compares heed with transformers on all-MiniLM-L6-v2, a real sentence encoder

DIR is the Hugging Face directory of the model (with modules.json), HEED the command. For ten sentences and five pairs
of them, in float64:

  ids      of `heed tokenize` equal those of the tokenizers package, without truncation and padding
  embed    largest difference of `heed embed` from the mean over the tokens divided by its length, of the largest value;
           at most 1e-6
  cosine   difference of `heed attribute --pair`'s target from the cosine; at most 1e-6
  gxi      largest difference of input_x_gradient per token from torch's gradient of the cosine with respect to the word
           embeddings, times them, of the largest value; at most 1e-4
  norm     the same of saliency (the length of the gradient); at most 1e-4
  lrp      the same of attn_lrp from the restated rules of tests/golden/bert_lrp.py; at most 1e-4
  close    residual of the account of attn_lrp, of the largest of |cosine| and sum |relevance|; at most 1e-5

Prints a line per sentence and per pair; exits 1 if anything failed. Needs torch, transformers 4.52.4, tokenizers, safetensors.
"""
import json
import pathlib
import subprocess
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / "golden")]

import no_torchvision  # noqa: E402,F401
import numpy as np  # noqa: E402
import torch  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from transformers import BertConfig, BertModel  # noqa: E402

import float64  # noqa: E402
from bert_lrp import Pair  # noqa: E402

SENTENCES = [
    "A cat sits on the mat.", "A kitten is lying on a rug.",
    "The central bank raised interest rates by half a percentage point on Thursday.",
    "Borrowing became more expensive after the monetary authority's decision.",
    "Où est la bibliothèque? – Près de l'église, naïve!", "The library is next to the church.",
    "日本語 と English, mixed: 3.14 ≈ π", "It mixes Japanese with English and numbers.",
    "x", "Call me Ishmael. Some years ago—never mind how long precisely—having little or no money in my purse, and "
         "nothing particular to interest me on shore, I thought I would sail about a little and see the watery part "
         "of the world.",
]
PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
LIMITS = {"embed": 1e-6, "cosine": 1e-6, "gxi": 1e-4, "norm": 1e-4, "lrp": 1e-4, "close": 1e-5}


def heed(command, model, *words):
    r = subprocess.run([command, words[0], "-m", model, *words[1:], "--json", "-q"], capture_output=True)
    if r.returncode:
        raise RuntimeError(f"heed {words[0]} exits {r.returncode}: {r.stderr.decode(errors='replace').strip()}")
    return json.loads(r.stdout)


def off(a, b):
    a, b = np.asarray(a, float), np.asarray(b, float)
    return float(np.abs(a - b).max() / np.abs(b).max()) if a.shape == b.shape else np.inf


def main():
    folder, command = sys.argv[1:]
    float64.everywhere()
    float64.quiet()
    config = BertConfig.from_pretrained(folder, attn_implementation="eager")
    model = BertModel(config, add_pooling_layer=False).double().eval().requires_grad_(False)
    model.load_state_dict({k: torch.from_numpy(a.astype(np.float64)) for k, a in
                           load_file(folder + "/model.safetensors").items() if "pooler" not in k}, strict=False)
    tokenizer, worst, bad = Tokenizer.from_file(folder + "/tokenizer.json"), {}, 0
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def check(where, found):
        nonlocal bad
        for k, x in found.items():
            worst[k] = max(worst.get(k, 0), x)
        wrong = [k for k, x in found.items() if not x <= LIMITS[k]]
        bad += len(wrong)
        print(f"{where:10}" + "".join(f"{k:>10}{x:9.1e}" for k, x in found.items()), *wrong, flush=True)

    def leaf(ids):
        return model.embeddings.word_embeddings(ids).clone().requires_grad_()

    def pooled(x):
        return model(inputs_embeds=x[None]).last_hidden_state[0].mean(0)

    ids = []
    for i, text in enumerate(SENTENCES):
        ids.append(torch.tensor(tokenizer.encode(text).ids))
        got = [t["id"] for t in heed(command, folder, "tokenize", "-p", text)["input"]["tokens"]]
        if got != ids[-1].tolist():
            print(f"sentence {i}: other ids")
            bad += 1
        e = pooled(leaf(ids[-1])).detach()
        check(f"{i}: T={len(got)}", {"embed": off(heed(command, folder, "embed", "-p", text)["embedding"], e / e.norm())})
    for a, b in PAIRS:
        x = [leaf(ids[a]), leaf(ids[b])]
        u, v = (pooled(y) for y in x)
        cosine = (u @ v) / (u.norm() * v.norm())
        grad = torch.autograd.grad(cosine, x)
        gxi = torch.cat([(y.detach() * g).sum(1) for y, g in zip(x, grad)])
        norm = torch.cat([g.norm(dim=1) for g in grad])
        lrp = Pair(model, torch.cat([ids[a], ids[b]]), [len(ids[a]), len(ids[b])], "mean").explain()[0].sum(1)
        doc = heed(command, folder, "attribute", "-p", SENTENCES[a], "--pair", SENTENCES[b], "-a",
                   "input_x_gradient,saliency,attn_lrp")["explanations"]
        doc = {e["method"]: e for e in doc}
        one = doc["attn_lrp"]
        size = max(abs(one["target_value"]), float(np.abs(one["relevance"]).sum()))
        check(f"{a} and {b}", {
            "cosine": abs(one["target_value"] - float(cosine.detach())), "gxi": off(doc["input_x_gradient"]["relevance"], gxi),
            "norm": off(doc["saliency"]["relevance"], norm), "lrp": off(one["relevance"], lrp),
            "close": abs(one["conservation_residual"]) / size})
    print("worst     " + "".join(f"{k:>10}{x:9.1e}" for k, x in worst.items()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
