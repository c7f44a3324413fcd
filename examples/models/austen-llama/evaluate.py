#!/usr/bin/env python3
"""Measures the exported model with transformers on the held-out parts, beside a classifier that counts words.

    python3 evaluate.py data .                         accuracy by novel
    python3 evaluate.py data . --occlude passage.txt   which words of a passage count

A window is LENGTH tokens of one held-out part, one every 64 tokens; the answer is the most probable of all tokens after it.
"""
import argparse
import collections
import math
import pathlib
import re

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from prepare import NOVELS
from train import SPECIAL, flow, load, windows


@torch.no_grad()
def answers(model, sample):
    found = []
    for a in range(0, len(sample), 64):
        found.append(model(torch.tensor([ids for _, ids in sample[a:a + 64]])).logits[:, -1].float())
    return torch.cat(found)


def word_counts(tokenizer, parts, sample):
    """Multinomial naive Bayes over lower-cased words, add 0.1."""
    def words(text):
        return re.findall(r"[a-z']+", text.lower())

    counts = [collections.Counter() for _ in NOVELS]
    for novel, text in parts:
        counts[novel].update(words(text))
    known = set().union(*counts)
    total = [sum(c.values()) for c in counts]
    weight = {w: [math.log((c[w] + 0.1) / (t + 0.1 * len(known))) for c, t in zip(counts, total)] for w in known}
    right = 0
    for novel, ids in sample:
        score = [math.log(t / sum(total)) for t in total]
        for w in words(tokenizer.decode(ids)):
            if w in weight:
                score = [s + x for s, x in zip(score, weight[w])]
        right += score.index(max(score)) == novel
    return right / len(sample)


def table(logits, sample):
    best = logits.argmax(-1).tolist()
    seen, right = collections.Counter(), collections.Counter()
    for (novel, _), answer in zip(sample, best):
        seen[novel] += 1
        right[novel] += answer == novel
    for i, name in enumerate(NOVELS):
        print(f"  {name:18} {right[i]:5} of {seen[i]:5}  {100 * right[i] / seen[i]:5.1f} %")
    print(f"  {'all':18} {sum(right.values()):5} of {len(sample):5}  {100 * sum(right.values()) / len(sample):5.1f} %")


def occlude(model, tokenizer, path):
    """Each word (a space and what follows) is replaced by tokens of a comma; how far the answer's logit falls."""
    text = path.read_text(encoding="utf-8").rstrip("\n")
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = tokenizer.convert_ids_to_tokens(ids)
    logits = answers(model, [(0, ids)])[0]
    probability = logits.softmax(-1)
    top = probability.topk(3)
    print(f"{len(ids)} tokens;", ", ".join(f"{tokenizer.convert_ids_to_tokens(i)} {p:.4f}" for p, i in zip(top.values.tolist(),
                                                                                           top.indices.tolist())))
    groups = []
    for i, piece in enumerate(pieces):
        if groups and re.match(r"[A-Za-z]", piece):
            groups[-1].append(i)
        else:
            groups.append([i])
    comma = tokenizer(",", add_special_tokens=False)["input_ids"]
    changed = [(0, [comma[0] if i in group else x for i, x in enumerate(ids)]) for group in groups]
    answer = top.indices[0]
    drop = logits[answer] - answers(model, changed)[:, answer]
    for j in drop.topk(10).indices.tolist():
        print(f"  {drop[j]:8.3f}  {tokenizer.decode([ids[i] for i in groups[j]]).strip()!r} at {groups[j][0]}")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("data", type=pathlib.Path)
    a.add_argument("model", type=pathlib.Path)
    a.add_argument("--length", type=int, default=128)
    a.add_argument("--occlude", type=pathlib.Path, metavar="FILE")
    c = a.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(c.model)
    model = AutoModelForCausalLM.from_pretrained(c.model, torch_dtype=torch.float32).eval()
    assert tokenizer.convert_tokens_to_ids(SPECIAL) == list(range(len(SPECIAL)))
    if c.occlude:
        return occlude(model, tokenizer, c.occlude)
    held_out = load(c.data, ["held-out"])
    for title, form in (("paragraphs in one line each", flow), ("lines as in the source", lambda text: text)):
        parts = [(n, tokenizer(form(t), add_special_tokens=False)["input_ids"]) for n, t in held_out]
        sample = windows(parts, c.length)
        logits = answers(model, sample)
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([n for n, _ in sample])).item()
        print(f"held-out passages of {c.length} tokens, {title}: cross-entropy {loss:.3f}")
        table(logits, sample)
        print(f"  word counts alone: {100 * word_counts(tokenizer, load(c.data, ['train', 'validation']), sample):.1f} %")


if __name__ == "__main__":
    main()
