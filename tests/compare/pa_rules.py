"""pa_lrp of a Llama model restated in float64, from its definition alone: statistics of norms and f(x)/x of activations
are constants, each factor of a product of two live tensors passes half, and the tables of the rotation are leaves, a
copy for each layer. Written once, for two uses: as a gradient (Gradient), and as a function whose ordinary derivatives
are the relevance (Frozen), so that differences of values can confirm the gradient."""
import math

import torch


class Gradient:
    @staticmethod
    def const(x):
        return x.detach()

    @staticmethod
    def product(f, a, b):
        return (f(a, b.detach()) + f(a.detach(), b)) / 2


class Frozen:
    """What Gradient detaches stays as it was in the first pass."""

    def __init__(self):
        self.seen, self.next = [], None

    def again(self):
        self.next = 0

    def _old(self, *new):
        if self.next is None:
            self.seen.append(new)
            return new
        self.next += 1
        return self.seen[self.next - 1]

    def const(self, x):
        return self._old(x)[0]

    def product(self, f, a, b):
        a0, b0 = self._old(a, b)
        return (f(a, b0) + f(a0, b)) / 2


def turned(x):
    a, b = x.chunk(2, -1)
    return torch.cat((-b, a), -1)


def tables(model, t):
    """cosines and sines (T, D) of the rotation"""
    return [y[0] for y in model.model.rotary_emb(model.lm_head.weight, torch.arange(t)[None])]


def forward(model, rules, embed, rotation, note=lambda l, name, x: x):
    """embed (..., T, C); rotation: cosines and sines (..., T, D) of each layer -> logits (..., V) of the last row."""
    cfg, core, t = model.config, model.model, embed.shape[-2]
    groups, mask = cfg.num_attention_heads // cfg.num_key_value_heads, torch.full((t, t), -math.inf).triu(1)

    def norm(m, x):
        return m.weight * x * rules.const(torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.variance_epsilon))

    def heads(y, size):
        return y.unflatten(-1, (-1, size)).transpose(-2, -3)

    x = embed
    for l, (block, (cos, sin)) in enumerate(zip(core.layers, rotation)):
        a, m, n = block.self_attn, block.mlp, norm(block.input_layernorm, x)
        q, k, v = (heads(p(n), a.head_dim) for p in (a.q_proj, a.k_proj, a.v_proj))
        q, k = (rules.product(torch.mul, y, cos[..., None, :, :]) + rules.product(torch.mul, turned(y), sin[..., None, :, :])
                for y in (q, k))
        k, v = (y.repeat_interleave(groups, -3) for y in (k, v))
        q, k = note(l, "q", q), note(l, "k", k)
        scores = rules.product(torch.matmul, q, k.transpose(-1, -2)) * a.head_dim**-0.5
        w = torch.softmax(note(l, "s", scores) + mask, -1)
        o = note(l, "o", rules.product(torch.matmul, w, v))
        x = x + a.o_proj(o.transpose(-2, -3).flatten(-2))
        n = norm(block.post_attention_layernorm, x)
        gate = m.gate_proj(n)
        x = x + m.down_proj(rules.product(torch.mul, gate * rules.const(torch.sigmoid(gate)), m.up_proj(n)))
    return norm(core.norm, x[..., -1, :]) @ model.lm_head.weight.T


def explain(model, ids):
    """Relevance of the most likely next token: arrays named as in a result of heed, and its target and value."""
    embed = model.model.embed_tokens.weight[ids].detach().clone().requires_grad_()
    rotation = [[y.clone().requires_grad_() for y in tables(model, len(ids))] for _ in model.model.layers]
    kept = {}

    def note(l, name, x):
        x.retain_grad()
        kept[l, name] = x
        return x

    logits = forward(model, Gradient, embed, rotation, note)
    target = int(logits.argmax())
    logits[target].backward()
    layers, t = range(len(rotation)), len(ids)
    size = {l: (kept[l, "q"] * kept[l, "q"].grad + kept[l, "k"] * kept[l, "k"].grad).detach() / 2 for l in layers}
    # s.grad is half of the plain gradient already: that of A V
    pairs = [(kept[l, "s"] * kept[l, "s"].grad).detach().sum(0) / 2 for l in layers]
    cos, sin = (torch.stack([(pair[i] * pair[i].grad).sum(-1) for pair in rotation]).detach() for i in range(2))
    half = size[0].shape[-1] // 2
    token = (embed * embed.grad).sum(-1).detach()
    code = token + (cos.abs() + sin.abs()).sum(0)
    # q.grad is a quarter of the plain gradient: the halves of A V and of Q K
    kappa = [(kept[l, "o"] * kept[l, "o"].grad).sum() - 4 * (kept[l, "q"] * kept[l, "q"].grad).sum() for l in layers]
    made = {
        "token_relevance": token, "position_relevance": cos + sin,
        "position_relevance_cos": cos, "position_relevance_sin": sin,
        "position_relevance_head": torch.stack([size[l].sum(-1) for l in layers]),
        "position_relevance_frequency": torch.stack([(s[..., :half] + s[..., half:]).sum(0).T for s in size.values()]),
        "position_relevance_distance": torch.stack([torch.stack([p.diagonal(-d).sum() for d in range(t)])
                                                    for p in pairs]),
        "sum": token + (cos + sin).sum(0), "code": code / code.abs().max(), "kappa": torch.stack(kappa).detach() / 2}
    return {k: y.numpy() for k, y in made.items()} | {"target": target, "value": float(logits[target].detach())}


def differences(model, ids, target, h=1e-4):
    """token_relevance and cosine and sine terms (layer, T) as differences of values of the frozen function, when one
    embedding, or one row of one table in one layer, is made larger and smaller by h of itself."""
    embed, base, t = model.model.embed_tokens.weight[ids].detach(), tables(model, len(ids)), len(ids)
    rules, same = Frozen(), [base] * len(model.model.layers)
    up = 1 + h * torch.cat((torch.eye(t), -torch.eye(t)))[..., None]

    def slopes(embed, rotation):
        rules.again()
        y = forward(model, rules, embed, rotation)[..., target]
        return (y[:t] - y[t:]) / (2 * h)

    with torch.no_grad():
        forward(model, rules, embed, same)
        made = {"token_relevance": slopes(embed * up, same)}
        for i, name in enumerate(("position_relevance_cos", "position_relevance_sin")):
            rows = []
            for l in range(len(same)):
                changed = [base[j] * up if i == j else base[j] for j in range(2)]
                rows.append(slopes(embed, same[:l] + [changed] + same[l + 1:]))
            made[name] = torch.stack(rows)
    cos, sin, token = (made[k] for k in ("position_relevance_cos", "position_relevance_sin", "token_relevance"))
    code = token + (cos.abs() + sin.abs()).sum(0)
    made |= {"sum": token + (cos + sin).sum(0), "code": code / code.abs().max()}
    return {k: y.numpy() for k, y in made.items()}
