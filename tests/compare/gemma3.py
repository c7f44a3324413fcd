#!/usr/bin/env python3
"""gemma3.py GGUF HEED [--cache FILE]      compares heed with others on a real checkpoint
gemma3.py GGUF --prepare [--cache FILE]    only computes the reference side, which takes minutes

GGUF is Gemma 3 (270M or larger), HEED the command. Its weights are decoded by the package gguf, and read by transformers
and lxt in float64. First the tokenizer, of the texts of prompts.py and gemma3_tokenizers.py, whose vocabulary is the
file's: ids of `heed tokenize` equal those of sentencepiece (not where U+2581 is in the text: the file, unlike
sentencepiece, spells tokens of several spaces with spaces), and from the vocabulary as a tokenizer.json those of the
package tokenizers, special tokens as text and as tokens. Then, with <bos> in front, of the twenty texts of prompts.py and
of the last of them twice, which is longer than the window of 512 tokens:

  ten      the ten most likely next tokens of `heed predict` are transformers' in float64, in the same order
  logits   largest difference of those ten logits, of the largest logit; at most 1e-5
  lrp      largest difference of attn_lrp per token from lxt in float64, of the largest relevance; at most 1e-4
  gap      smallest distance of neighbours among the eleven best, of the largest logit: below 1e-5 the order is luck

Prints a line per text; exits 1 if anything failed. Needs torch,
transformers 4.52.4, lxt 2.1, tokenizers, sentencepiece, gguf.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from smollm2 import Heed, Reference, off  # and the way to tests/golden

import numpy as np

from gemma3_tokenizers import ODD, SPACE, SPECIAL, Vocabulary, sentencepiece_of, tokenizer_json
from prompts import LONG, PROMPTS

LRP, LOGITS = 1e-4, 1e-5


class Gemma(Reference):
    def __init__(self, gguf, cache):
        super().__init__(gguf, cache)
        self.gguf = gguf

    def _load(self):
        import warnings

        import no_torchvision  # noqa: F401
        import torch
        from gguf import GGUFReader
        from gguf.quants import dequantize
        from lxt.efficient import monkey_patch
        from transformers import Gemma3ForCausalLM, Gemma3TextConfig
        from transformers.models.gemma3 import modeling_gemma3

        import float64
        from gemma3_gguf import hf_name
        float64.everywhere()
        float64.quiet()
        torch.set_num_threads(2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            monkey_patch(modeling_gemma3)
        reader = GGUFReader(self.gguf)
        m = {k.removeprefix("gemma3."): f.contents() for k, f in reader.fields.items() if k.startswith("gemma3.")}
        state = {}
        for t in reader.tensors:
            a = torch.from_numpy(dequantize(t.data, t.tensor_type).astype(np.float64))
            state[hf_name(t.name)] = a - 1 if a.ndim == 1 else a
        state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
        config = Gemma3TextConfig(
            vocab_size=len(state["lm_head.weight"]), hidden_size=m["embedding_length"], num_hidden_layers=m["block_count"],
            intermediate_size=m["feed_forward_length"], num_attention_heads=m["attention.head_count"],
            num_key_value_heads=m["attention.head_count_kv"], head_dim=m["attention.key_length"], rms_norm_eps=1e-6,
            query_pre_attn_scalar=m["attention.key_length"], sliding_window=m["attention.sliding_window"],
            rope_theta=m["rope.freq_base"], max_position_embeddings=m["context_length"], attn_implementation="eager")
        with torch.device("meta"):
            self.model = Gemma3ForCausalLM(config)
        self.model.load_state_dict(state, assign=True)
        self.model.eval().requires_grad_(False)
        core = self.model.model  # what is in no file
        core.embed_tokens.embed_scale = torch.tensor(config.hidden_size**0.5)
        for rope, theta in ((core.rotary_emb, config.rope_theta), (core.rotary_emb_local, config.rope_local_base_freq)):
            rope.inv_freq = theta ** (-torch.arange(0, config.head_dim, 2) / config.head_dim)


def heed_ids(command, model, text, special):
    words = ["--special"] if special else []
    r = subprocess.run([command, "tokenize", "-m", model, "--no-bos", "--json", *words, "-f", "-"], input=text.encode(),
                       capture_output=True)
    if r.returncode:
        return r.stderr.decode(errors="replace").strip()
    return [t["id"] for t in json.loads(r.stdout)["input"]["tokens"]]


def tokenizers(command, gguf):
    """-> how many of all texts fail."""
    from tokenizers import Tokenizer
    v, bad = Vocabulary(gguf), 0
    encode, whole = sentencepiece_of(v), tokenizer_json(v)
    library = Tokenizer.from_str(whole)
    texts = [(t, False) for t in PROMPTS + ODD + SPECIAL] + [(t, True) for t in ODD + SPECIAL if "<" in t or "[" in t]
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as f:
        f.write(whole)
        f.flush()
        for text, special in texts:
            library.encode_special_tokens = not special
            want = {"gguf": None if special or SPACE in text else encode(text),
                    "json": library.encode(text, add_special_tokens=False).ids}
            if special and SPACE not in text:
                want["gguf"] = want["json"]
            got = {"gguf": heed_ids(command, str(gguf), text, special), "json": heed_ids(command, f.name, text, special)}
            failed = [k for k, ids in want.items() if ids is not None and ids != got[k]]
            bad += bool(failed)
            for k in failed:
                print(f"  {text[:40]!r}, special {special}, {k}: {got[k]}, not {want[k]}")
    print(f"{len(texts) - bad} of {len(texts)} texts have the same ids", flush=True)
    return bad


def judge(reference, heed, ids):
    r = reference(ids)
    ten, logits, lrp = heed.explain(ids)
    top = np.abs(r["logits"]).max()
    c = {"logits": off(logits, r["logits"][:10], top), "lrp": off(lrp, r["relevance"]),
         "gap": -np.diff(r["logits"]).max() / top}
    failed = [] if ten == r["ids"][:10] else ["ten"]
    return c, failed + [k for k, limit in (("logits", LOGITS), ("lrp", LRP)) if not c[k] <= limit]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("gguf", type=pathlib.Path)
    p.add_argument("heed", nargs="?")
    p.add_argument("--prepare", action="store_true")
    p.add_argument("--cache", type=pathlib.Path,
                   default=pathlib.Path(tempfile.gettempdir()) / "heed-gemma3.pickle")
    o = p.parse_args()
    if not o.heed and not o.prepare:
        p.error("the command is missing: gemma3.py GGUF HEED")
    reference, encode = Gemma(o.gguf, o.cache), sentencepiece_of(Vocabulary(o.gguf))
    texts = [[2, *encode(text)] for text in [*PROMPTS, LONG + "\n\n" + LONG]]
    if o.prepare:
        for n, ids in enumerate(texts):
            print(f"{n + 1:4}{len(ids):8}  next {reference(ids)['ids'][0]}", flush=True)
        return 0
    bad = tokenizers(o.heed, o.gguf)
    print(f"{'text':>4}{'tokens':>8}{'logits':>10}{'lrp':>10}{'gap':>10}  result")
    heed = Heed(o.heed, o.gguf)
    for n, ids in enumerate(texts):
        c, failed = judge(reference, heed, ids)
        bad += bool(failed)
        line = f"{len(ids):8}" + "".join(f"{c[k]:10.1e}" for k in ("logits", "lrp", "gap"))
        print(f"{n + 1:4}{line}  {'FAILED: ' + ', '.join(failed) if failed else 'ok'}", flush=True)
    print("all agree" if not bad else f"{bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
