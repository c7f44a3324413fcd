#!/usr/bin/env python3
"""Trains the tokenizer and the model and writes them in Hugging Face format. Needs torch, tokenizers and safetensors.

    python3 train.py data .                        the shipped model: trained on train/ and validation/
    python3 train.py data /tmp/try --validate      trained on train/ alone, measured on validation/

After a passage the model's next token is the novel's. Two main terms are minimised: cross-entropy over the whole vocabulary with
the novel's token as target, taken after every prefix of FIRST tokens or more of a window (so passages of any length up to
the window's serve), and a language model's cross-entropy over the other tokens. A small third term keeps the mean of the
six novels' logits near 0: a novel's logit then speaks of the choice between novels, and so does its attribution. Some input tokens are replaced at random.
The weights written are the running average of those seen while training. Nothing here reads held-out/.
"""
import argparse
import json
import math
import pathlib
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

from prepare import NOVELS

SPECIAL = [f"<|{name}|>" for name in NOVELS]  # ids 0 to 5
FIRST = 8


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, head = c, c.width // c.heads
        self.q_proj = nn.Linear(c.width, c.heads * head, bias=False)
        self.k_proj = nn.Linear(c.width, c.kv_heads * head, bias=False)
        self.v_proj = nn.Linear(c.width, c.kv_heads * head, bias=False)
        self.o_proj = nn.Linear(c.heads * head, c.width, bias=False)

    def forward(self, x, cos, sin):
        c, (b, t, _) = self.c, x.shape
        q = self.q_proj(x).view(b, t, c.heads, -1).transpose(1, 2)
        k = self.k_proj(x).view(b, t, c.kv_heads, -1).transpose(1, 2)
        v = self.v_proj(x).view(b, t, c.kv_heads, -1).transpose(1, 2)

        def rope(z):
            a, b = z.chunk(2, -1)
            return (z * cos + torch.cat((-b, a), -1) * sin).to(z.dtype)

        q, k = rope(q), rope(k)
        k = k.repeat_interleave(c.heads // c.kv_heads, 1)
        v = v.repeat_interleave(c.heads // c.kv_heads, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=c.dropout if self.training else 0.0)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c.width, c.hidden, bias=False)
        self.up_proj = nn.Linear(c.width, c.hidden, bias=False)
        self.down_proj = nn.Linear(c.hidden, c.width, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self_attn, self.mlp = Attention(c), MLP(c)
        self.input_layernorm = nn.RMSNorm(c.width, eps=1e-5)
        self.post_attention_layernorm = nn.RMSNorm(c.width, eps=1e-5)
        self.drop = nn.Dropout(c.dropout)

    def forward(self, x, cos, sin):
        x = x + self.drop(self.self_attn(self.input_layernorm(x), cos, sin))
        return x + self.drop(self.mlp(self.post_attention_layernorm(x)))


class Llama(nn.Module):
    """Same names as transformers' LlamaModel; the head is the embedding."""

    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c.vocabulary, c.width)
        self.layers = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.norm = nn.RMSNorm(c.width, eps=1e-5)
        self.drop = nn.Dropout(c.dropout)
        head = c.width // c.heads
        angle = torch.outer(torch.arange(512).float(), 10000.0 ** (-torch.arange(0, head, 2).float() / head))
        angle = torch.cat((angle, angle), -1)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)
        for layer in self.layers:
            for p in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * c.layers))

    def forward(self, ids):
        t = ids.shape[1]
        x = self.drop(self.embed_tokens(ids))
        for layer in self.layers:
            x = layer(x, self.cos[:t], self.sin[:t])
        return F.linear(self.norm(x), self.embed_tokens.weight)


def flow(text):
    """The lines of a paragraph joined; one line end between paragraphs."""
    return "\n".join(p.replace("\n", " ") for p in text.strip("\n").split("\n\n"))


def load(data, kinds):
    """[(novel, part's text)]"""
    return [(i, path.read_text(encoding="utf-8")) for kind in kinds for i, name in enumerate(NOVELS)
            for path in sorted((data / kind).glob(f"{name}-*.txt"))]


def train_tokenizer(texts, size):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    return tokenizer


def windows(parts, length=128, step=64):
    """[(novel, ids)]: every window that lies wholly in one part."""
    return [(novel, ids[a:a + length]) for novel, ids in parts for a in range(0, len(ids) - length + 1, step)]


@torch.no_grad()
def accuracy(model, sample, device):
    model.eval()
    right, loss = 0, 0.0
    for a in range(0, len(sample), 256):
        batch = sample[a:a + 256]
        logits = model(torch.tensor([ids for _, ids in batch], device=device))[:, -1].float()
        novel = torch.tensor([n for n, _ in batch], device=device)
        right += (logits.argmax(-1) == novel).sum().item()
        loss += F.cross_entropy(logits, novel, reduction="sum").item()
    model.train()
    return right / len(sample), loss / len(sample)


def export(model, c, tokenizer, out):
    from safetensors.torch import save_file
    out.mkdir(parents=True, exist_ok=True)
    weights = {"model." + k: v.detach().to("cpu", torch.bfloat16).contiguous() for k, v in model.state_dict().items()}
    save_file(weights, str(out / "model.safetensors"), metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16",
        "vocab_size": c.vocabulary, "hidden_size": c.width, "intermediate_size": c.hidden,
        "num_hidden_layers": c.layers, "num_attention_heads": c.heads, "num_key_value_heads": c.kv_heads,
        "head_dim": c.width // c.heads, "hidden_act": "silu", "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "rope_scaling": None, "attention_bias": False, "mlp_bias": False,
        "tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": None, "initializer_range": 0.02}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    (out / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": False, "clean_up_tokenization_spaces": False,
        "model_max_length": 512, "bos_token": None, "eos_token": None,
        "additional_special_tokens": SPECIAL}, indent=2) + "\n")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("data", type=pathlib.Path)
    a.add_argument("out", type=pathlib.Path)
    a.add_argument("--validate", action="store_true")
    for name, value in dict(vocabulary=3072, width=144, layers=4, heads=6, kv_heads=2, hidden=384, seed=1, steps=2000, batch=64,
                            window=224).items():
        a.add_argument("--" + name.replace("_", "-"), type=int, default=value)
    for name, value in dict(rate=3e-3, decay=0.1, dropout=0.15, replace=0.3, lm=4.0, average=0.998, wrapped=0.3, smooth=0.0,
                            bpe_dropout=0.1, centre=0.1).items():
        a.add_argument("--" + name.replace("_", "-"), type=float, default=value)
    a.add_argument("--every", type=int, default=500)
    a.add_argument("--compile", action="store_true", help="torch.compile")
    a.add_argument("--label", default="")
    c = a.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(c.seed)
    start = time.time()

    texts = load(c.data, ["train"] if c.validate else ["train", "validation"])
    both = [(n, t, f) for n, t in texts for t, f in ((flow(t), 1 - c.wrapped), (t, c.wrapped)) if f > 0]
    tokenizer = train_tokenizer((t for _, t, _ in both), c.vocabulary)
    c.vocabulary = tokenizer.get_vocab_size()
    test = windows([(n, tokenizer.encode(flow(t)).ids) for n, t in load(c.data, ["validation"])]) if c.validate else []
    encoded = [(n, e.ids, f) for (n, _, f), e in zip(both, tokenizer.encode_batch([t for _, t, _ in both]))]
    if c.bpe_dropout > 0:  # the same text in other tokens, so that words are known by their pieces too
        tokenizer.model.dropout = c.bpe_dropout
        again = [(n, e.ids, f / 2) for (n, _, f), e in zip(both, tokenizer.encode_batch([t for _, t, _ in both]))]
        encoded = [(n, ids, f / 2) for n, ids, f in encoded] + again
        tokenizer.model.dropout = None
    starts, chances, flat, novel_of = [], [], [], []
    for novel, ids, chance in encoded:
        n = len(ids) - c.window
        starts.append(torch.arange(len(flat), len(flat) + n))
        chances.append(torch.full((n,), chance))
        flat += ids
        novel_of += [novel] * len(ids)
    starts, chances = torch.cat(starts).to(device), torch.cat(chances).to(device)
    cumulated = chances.double().cumsum(0)
    flat, novel_of = torch.tensor(flat, device=device), torch.tensor(novel_of, device=device)
    offset = torch.arange(c.window, device=device)

    model = Llama(c).to(device)
    mean = Llama(c).to(device)
    mean.load_state_dict(model.state_dict())
    count = sum(p.numel() for p in model.parameters())
    print(f"{c.label} {len(flat)} tokens, {count} weights, {len(test)} validation windows, {time.time() - start:.1f} s", flush=True)
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2]
    vectors = [p for n, p in model.named_parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": c.decay}, {"params": vectors, "weight_decay": 0.0}],
                                  lr=c.rate, betas=(0.9, 0.98), fused=device == "cuda")
    forward = torch.compile(model) if c.compile else model
    for step in range(c.steps):
        warm = min(1.0, (step + 1) / 200)
        for group in optimizer.param_groups:
            group["lr"] = c.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / c.steps)))
        pick = torch.searchsorted(cumulated, torch.rand(c.batch, device=device, dtype=torch.double) * cumulated[-1])
        at = starts[pick.clamp(max=len(starts) - 1)]
        ids = flat[at[:, None] + offset]
        novel = novel_of[at]
        share = torch.rand(c.batch, 1, device=device) * c.replace
        noise = flat[torch.randint(len(flat), ids.shape, device=device)]
        inputs = torch.where(torch.rand(ids.shape, device=device) < share, noise, ids)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            logits = forward(inputs)
        logits = logits.float()
        named = logits[:, FIRST - 1:]
        loss = F.cross_entropy(named.flatten(0, 1), novel[:, None].expand(-1, named.shape[1]).flatten(), label_smoothing=c.smooth)
        words = F.cross_entropy(logits[:, :-1, len(SPECIAL):].flatten(0, 1), ids[:, 1:].flatten() - len(SPECIAL))
        centre = named[..., :len(SPECIAL)].mean(-1).square().mean()
        optimizer.zero_grad(set_to_none=True)
        (loss + c.lm * words + c.centre * centre).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        keep = min(c.average, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(mean.parameters()), list(model.parameters()), 1 - keep)
        if (step + 1) % c.every == 0 or step + 1 == c.steps:
            line = f"{c.label} step {step + 1} novel {loss.item():.4f} words {words.item():.3f} {time.time() - start:.0f} s"
            if test:
                line += " validation %.4f (loss %.3f), not averaged %.4f" % (*accuracy(mean, test, device),
                                                                           accuracy(model, test, device)[0])
            print(line, flush=True)
    export(mean, c, tokenizer, c.out)


if __name__ == "__main__":
    main()
