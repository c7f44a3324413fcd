#!/usr/bin/env python3
"""smollm2.py GGUF HFDIR HEED [--cache FILE]      compares heed with transformers and lxt on a real checkpoint
smollm2.py GGUF HFDIR --prepare [--cache FILE]   only computes the reference side, which takes minutes

GGUF and HFDIR are one SmolLM2 model, as GGUF and as the Hugging Face directory with the same weights in float32; HEED
is the command. For twenty texts (prompts.py):

  ids      of `heed tokenize`, with each of the two models, equal those of the tokenizers package
  ten      the ten most likely next tokens of `heed predict` are transformers' in float64, in the same order
  logits   largest difference of those ten logits, of the largest logit
  lrp      largest difference of attn_lrp per token from lxt in float64, of the largest relevance; at most 1e-4
  pair     largest difference of GGUF and HFDIR in the relevance and in the ten logits, likewise; at most 1e-5
  gap      smallest distance of neighbours among the eleven best, of the largest logit: below 1e-5 the order is luck

Prints a line per text; exits 1 if anything failed. Needs torch, transformers 4.52.4, lxt 2.1, tokenizers, safetensors.
"""
import argparse
import hashlib
import json
import pathlib
import pickle
import subprocess
import sys
import tempfile
import time
import warnings

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / "golden")]

import numpy as np  # noqa: E402

from prompts import PROMPTS  # noqa: E402

LRP, PAIR, LOGITS = 1e-4, 1e-5, 1e-4


class Reference:
    """transformers and lxt in float64; what was computed once is kept in a file."""

    def __init__(self, weights, cache):
        self.folder, self.cache, self.model = weights.parent, cache, None
        self.key = (weights.stat().st_size, hashlib.sha256(weights.open("rb").read(1 << 22)).hexdigest())
        self.known = {}
        if cache.exists():
            key, known = pickle.loads(cache.read_bytes())
            self.known = known if key == self.key else {}

    def _load(self):
        import no_torchvision  # noqa: F401
        import torch
        from lxt.efficient import monkey_patch
        from safetensors.numpy import load_file
        from transformers import LlamaConfig, LlamaForCausalLM
        from transformers.models.llama import modeling_llama

        import float64
        float64.everywhere()
        float64.quiet()
        torch.set_num_threads(2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            monkey_patch(modeling_llama)
        config = LlamaConfig.from_pretrained(self.folder)
        config._attn_implementation = "eager"
        self.model = LlamaForCausalLM(config).double().eval().requires_grad_(False)
        state = {k: torch.from_numpy(a.astype(np.float64)) for k, a in
                 load_file(self.folder / "model.safetensors").items()}
        state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
        self.model.load_state_dict(state)

    def __call__(self, ids):
        """-> {"ids": eleven best, "logits", "relevance" (T)}"""
        if tuple(ids) not in self.known:
            if self.model is None:
                self._load()
            import torch
            x = self.model.model.embed_tokens(torch.tensor(ids)).requires_grad_()
            logits = self.model(inputs_embeds=x[None], use_cache=False, logits_to_keep=1).logits[0, -1]
            best = logits.detach().topk(11)
            logits[best.indices[0]].backward()
            self.known[tuple(ids)] = {"ids": best.indices.tolist(), "logits": best.values.numpy(),
                                      "relevance": (x.detach() * x.grad).sum(1).numpy()}
            self.cache.parent.mkdir(parents=True, exist_ok=True)
            self.cache.write_bytes(pickle.dumps((self.key, self.known)))
        return self.known[tuple(ids)]


class Heed:
    def __init__(self, command, model):
        self.command, self.model = command, str(model)

    def __call__(self, *words):
        r = subprocess.run([self.command, words[0], "-m", self.model, *words[1:], "--json"], capture_output=True)
        if r.returncode:
            raise RuntimeError(f"heed {words[0]} exits {r.returncode}: {r.stderr.decode(errors='replace').strip()}")
        return json.loads(r.stdout)

    def tokenize(self, text):
        special = ["--special"] if "<|" in text else []
        return [t["id"] for t in self("tokenize", "-p", text, *special)["input"]["tokens"]]

    def explain(self, ids):
        """-> (ids of the ten best, their logits, relevance)."""
        ids = ",".join(map(str, ids))
        tokens = self("predict", "--ids", ids, "--top", "10")["predictions"][0]["tokens"]
        e = self("attribute", "--ids", ids, "-a", "attn_lrp")["explanations"][0]
        return [t["id"] for t in tokens], np.array([t["logit"] for t in tokens]), np.array(e["relevance"], float)


def off(a, b, scale=None):
    """Largest difference, of the largest value of b; infinite where the shapes differ."""
    if a.shape != b.shape:
        return np.inf
    scale = np.abs(b).max() if scale is None else scale
    worst = np.abs(a - b).max() / scale
    return worst if np.isfinite(worst) else np.inf


def judge(text, tokenizer, reference, gguf, folder):
    """-> (number of tokens, the columns as a dictionary, what failed)."""
    ids = gguf.tokenize(text)
    expected = tokenizer.encode(text, add_special_tokens=False).ids
    failed = [] if ids == expected and folder.tokenize(text) == expected else ["ids"]
    r = reference(ids)
    (ten, logits, lrp), (_, logits2, lrp2) = gguf.explain(ids), folder.explain(ids)
    top = np.abs(r["logits"]).max()
    c = {"logits": off(logits, r["logits"][:10], top), "lrp": off(lrp, r["relevance"]),
         "pair": max(off(lrp, lrp2), off(logits, logits2, top)), "gap": -np.diff(r["logits"]).max() / top}
    if ten != r["ids"][:10]:
        failed.append("ten")
    failed += [k for k, limit in (("logits", LOGITS), ("lrp", LRP), ("pair", PAIR)) if not c[k] <= limit]
    return len(ids), c, failed


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("gguf", type=pathlib.Path)
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("heed", nargs="?")
    p.add_argument("--prepare", action="store_true")
    p.add_argument("--cache", type=pathlib.Path,
                   default=pathlib.Path(tempfile.gettempdir()) / "heed-smollm2.pickle")
    o = p.parse_args()
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(o.folder / "tokenizer.json"))
    reference = Reference(o.folder / "model.safetensors", o.cache)
    if o.prepare:
        for n, text in enumerate(PROMPTS):
            start, ids = time.time(), tokenizer.encode(text, add_special_tokens=False).ids
            r = reference(ids)
            gap = -np.diff(r["logits"]).max() / np.abs(r["logits"]).max()
            best = tokenizer.decode(r["ids"][:1], skip_special_tokens=False)
            took = time.time() - start
            print(f"{n + 1:3}{len(ids):6} tokens {took:6.1f} s  gap {gap:8.1e}  next {best!r}", flush=True)
        return 0
    if not o.heed:
        p.error("the command is missing: smollm2.py GGUF HFDIR HEED")
    gguf, folder, bad = Heed(o.heed, o.gguf), Heed(o.heed, o.folder), 0
    print(f"{'text':>4}{'tokens':>8}{'logits':>10}{'lrp':>10}{'pair':>10}{'gap':>10}  result")
    for n, text in enumerate(PROMPTS):
        try:
            t, c, failed = judge(text, tokenizer, reference, gguf, folder)
            line = f"{t:8}" + "".join(f"{c[k]:10.1e}" for k in ("logits", "lrp", "pair", "gap"))
        except (RuntimeError, KeyError, IndexError, TypeError, ValueError, OSError) as e:
            line, failed = " " * 48, [f"{type(e).__name__}: {e}"]
        bad += bool(failed)
        print(f"{n + 1:4}{line}  {'FAILED: ' + ', '.join(failed) if failed else 'ok'}", flush=True)
    print(f"{len(PROMPTS) - bad} of {len(PROMPTS)} texts agree")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
