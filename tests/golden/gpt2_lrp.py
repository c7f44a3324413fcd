"""attn_lrp on a GPT-2 model, restated in float64 as a gradient pass with ε = 0: a LayerNorm's deviation is constant
and its mean is not, an activation passes f(x)/x (in closed form), each factor of a product of two live tensors half.
Read at the token embeddings only. With the account: what the softmax (kappa), the biases, the shifts of the norms (beta)
and the position embeddings (unread) absorb."""
import math

import torch

from llama_lrp import FACTOR


class Rules:
    """The rules, and what the account needs of a forward pass; rules=False is the model itself. Who inherits it makes
    self.embed, a leaf, self.logits and self.layers; self.addends, {name: what is added to self.embed}; and names its
    sinks, those of each layer and others."""

    LAYERED, SINGLE = (), ()

    def __init__(self, rules):
        self.rules, self.seen = rules, {}

    def attention(self, l, q, k, v, heads, scale, mask=0.0):
        """q, k, v: (T, C) -> (T, C)"""
        q, k, v = (y.view(len(y), heads, -1).transpose(0, 1) for y in (q, k, v))
        q = self.keep(l, "q", q)
        s = self.keep(l, "s", self.product(q, k.transpose(1, 2)) * scale + mask)
        w = self.keep(l, "w", torch.softmax(s, -1))
        o = self.keep(l, "o", self.product(w, v))
        return o.transpose(0, 1).reshape(o.shape[1], -1)

    def activation(self, x, act, factor):
        return x * factor(x).detach() if self.rules else act(x)

    def product(self, a, b):
        return (a @ b.detach() + a.detach() @ b) / 2 if self.rules else a @ b

    def norm(self, l, name, m, x):
        x = x - x.mean(-1, keepdim=True)
        r = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.eps)
        return self.shifted(l, name, m.weight * (x * (r.detach() if self.rules else r)), m.bias)

    def shifted(self, l, name, y, b):
        y = self.keep(l, name, y + b)
        self.seen[l, name] = (b, y)
        return y

    def keep(self, l, name, y):
        y.retain_grad()
        self.seen[l, name] = y
        return y

    def kappa(self, l):
        """Half of what goes into the softmax and not out of it, in three ways."""
        w, s, o, q = (self.seen[l, c] for c in ("w", "s", "o", "q"))
        # The halves at A V and at Q K are in these gradients already: w.grad = gA/2, s.grad = gS/2, q.grad = dQ/4.
        ga, gs, go, dq = 2 * w.grad, 2 * s.grad, o.grad, 4 * q.grad
        w, s, o, q = (y.detach() for y in (w, s, o, q))
        live, zero = torch.isfinite(s), torch.zeros(())
        by_scores = 0.5 * (w * ga - torch.where(live, s, zero) * gs).sum()
        by_log = 0.5 * (w * ga - torch.where(live & (w > 0), w.clamp_min(1e-300).log(), zero) * gs).sum()
        by_query = 0.5 * ((o * go).sum() - (q * dq).sum())
        scale = max(1, float((w * ga).abs().sum()), float((o * go).abs().sum()))
        for other in (by_log, by_query):
            assert abs(float(by_scores - other)) < 1e-12 * scale, (by_scores, by_log, by_query)
        return float(by_query)

    def absorbed(self, l, name):
        b, y = self.seen[l, name]
        return float((b.detach() * y.grad).sum())

    def explain(self, value):
        """value: a scalar made of self.logits, linear in them -> (T, C) relevance, {sink: (L,) or (1,)}."""
        value.backward()
        return closed(float(value.detach()), *self.read())

    def read(self):
        """After a backward pass: relevance of the embeddings, and the sinks."""
        layers = range(self.layers)
        sinks = {"kappa": [self.kappa(l) for l in layers]}
        for name in self.LAYERED:
            sinks[name] = [self.absorbed(l, name) for l in layers]
        for name in self.SINGLE:
            if (0, name) in self.seen:
                sinks[name] = [self.absorbed(0, name)]
        for name, y in self.addends.items():
            sinks[name] = [float((y * self.embed.grad).sum())]
        return (self.embed * self.embed.grad).detach(), sinks


def closed(value, relevance, sinks):
    """The account must close."""
    rest = value - float(relevance.sum()) - sum(map(sum, sinks.values()))
    total = max(abs(value), float(relevance.abs().sum()))
    assert abs(rest) < 1e-12 * total, (rest, total)
    return relevance.numpy(), sinks, abs(rest) / total


class Forward(Rules):
    """A GPT-2."""

    LAYERED = ("bias_c_attn", "bias_c_proj", "bias_fc", "bias_mlp_proj", "beta_ln1", "beta_ln2")
    SINGLE = ("beta_f",)

    def __init__(self, model, ids, rules=True):
        super().__init__(rules)
        cfg, core, t = model.config, model.transformer, len(ids)
        act, factor, self.layers = core.h[0].mlp.act, FACTOR[cfg.activation_function], len(core.h)
        self.embed = core.wte.weight[ids].detach().clone().requires_grad_()
        self.addends = {"unread": core.wpe.weight[:t].detach()}
        x = self.embed + self.addends["unread"]
        mask = torch.full((t, t), -math.inf).triu(1)
        for l, block in enumerate(core.h):
            scale = (cfg.n_embd // cfg.n_head) ** -0.5 if cfg.scale_attn_weights else 1.0
            if cfg.scale_attn_by_inverse_layer_idx:
                scale /= l + 1
            z = self.linear(l, "bias_c_attn", block.attn.c_attn, self.norm(l, "beta_ln1", block.ln_1, x))
            o = self.attention(l, *z.chunk(3, -1), cfg.n_head, scale, mask)
            x = x + self.linear(l, "bias_c_proj", block.attn.c_proj, o)
            f = self.linear(l, "bias_fc", block.mlp.c_fc, self.norm(l, "beta_ln2", block.ln_2, x))
            x = x + self.linear(l, "bias_mlp_proj", block.mlp.c_proj, self.activation(f, act, factor))
        self.logits = self.norm(0, "beta_f", core.ln_f, x) @ model.lm_head.weight.T

    def linear(self, l, name, m, x):
        """Conv1D: the weight is (in, out)."""
        return self.shifted(l, name, x @ m.weight, m.bias)
