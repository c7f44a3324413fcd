"""What the restatements of attn_lrp share for models with LayerNorm: a LayerNorm's deviation is constant and its mean is
not, an activation passes f(x)/x (in closed form), each factor of a product of two live tensors half. With the account:
what the softmax (kappa), score biases (pos_bias), the biases, the shifts of the norms (beta) and, where there are any,
the position embeddings (unread) absorb. A family's Forward(model, ids, rules=True) sets embed, layers and logits."""
import math

import torch


class Account:
    """One forward pass that keeps what the account needs; rules=False is the model itself."""

    positions = None
    factor = act = None

    def __init__(self, rules):
        self.rules, self.seen, self.biases = rules, {}, {}

    def product(self, a, b):
        return (a @ b.detach() + a.detach() @ b) / 2 if self.rules else a @ b

    def activation(self, x):
        return x * self.factor(x).detach() if self.rules else self.act(x)

    def norm(self, l, name, m, x):
        x = x - x.mean(-1, keepdim=True)
        r = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.eps)
        return self.shifted(l, name, m.weight * (x * (r.detach() if self.rules else r)), m.bias)

    def linear(self, l, name, m, x):
        y = x @ m.weight.T
        return y if m.bias is None else self.shifted(l, name, y, m.bias)

    def attention(self, l, q, k, v, scale, bias=None, causal=True):
        """(H, T, D) -> (T, H D); bias: (H, T, T), added to the scaled scores."""
        t = q.shape[1]
        mask = torch.full((t, t), -math.inf).triu(1) if causal else 0.0
        q = self.keep(l, "q", q)
        s = self.product(q, k.transpose(1, 2)) * scale
        if bias is not None:
            s, self.biases[l] = s + bias, bias
        s = self.keep(l, "s", s + mask)
        w = self.keep(l, "w", torch.softmax(s, -1))
        o = self.keep(l, "o", self.product(w, v))
        return o.transpose(0, 1).reshape(t, -1)

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
        by_bias = (self.biases[l] * gs).sum() if l in self.biases else zero
        by_scores = 0.5 * (w * ga - torch.where(live, s, zero) * gs).sum()
        by_log = 0.5 * (w * ga - torch.where(live & (w > 0), w.clamp_min(1e-300).log(), zero) * gs).sum()
        by_query = 0.5 * ((o * go).sum() - (q * dq).sum() - by_bias)
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
        if self.biases:
            sinks["pos_bias"] = [float((self.biases[l] * self.seen[l, "s"].grad).sum()) for l in layers]
        names = dict.fromkeys(name for (_, name), y in self.seen.items() if isinstance(y, tuple))
        for name in names:
            sinks[name] = [self.absorbed(l, name) for l in layers if (l, name) in self.seen]
        if self.positions is not None:
            sinks["unread"] = [float((self.positions * self.embed.grad).sum())]
        return (self.embed * self.embed.grad).detach(), sinks


def closed(value, relevance, sinks):
    """The account must close."""
    rest = value - float(relevance.sum()) - sum(map(sum, sinks.values()))
    total = max(abs(value), float(relevance.abs().sum()))
    assert abs(rest) < 1e-12 * total, (rest, total)
    return relevance.numpy(), sinks, abs(rest) / total
