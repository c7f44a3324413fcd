"""Relevance restated in float64 as a gradient pass, and its account. attn_lrp: the statistics of a norm are constant
(but not the mean of a LayerNorm), an activation passes f(x)/x (in closed form), each factor of a product of two live
tensors half. A Method says what is different of another one. A family's Forward(model, ids, rules) sets embed, layers
and logits; rules: False (the model itself), True (attn_lrp) or a Method."""
import dataclasses
import math

import torch

import linear_rules
import positions


@dataclasses.dataclass
class Method:
    share: float | None = None  # attention weights are constant, V takes this share (CP-LRP: 1)
    gate: bool = True  # gates of the feed-forward parts are live
    positions: bool = False  # what encodings of positions take is read out (PA-LRP)
    all_parts: bool = True  # ... and the tests compare every part of it
    read: str = "both"  # ... "tokens" or "positions" alone make up relevance
    preset: str = ""  # ... "pa_vit": a map of pixels; "bertpe": without token types
    key: bool = False  # ... a score bias belongs to the key alone
    absolute: bool = False  # ... ALiBi is slope j
    mean: bool = True  # that of a LayerNorm is live
    relkey: str = "half"  # relative keys: "unhalved": q and k take both halves; "drop": none
    softcap: str = "quotient"  # of capped logits; "derivative"
    act: str = "exact"  # "lxt": f(x)/(x + 1e-10); "derivative"
    table: tuple = ()  # of linear maps: (glob, rule, numbers ...)
    stab: str = ""  # what is added to denominators: STABILISERS


# (with the sign of the denominator, eps of maps, sums, norms (None: their own), Q K^T, A V). Official products of two
# factors divide by 2 z + eps: half of it here.
STABILISERS = {
    "lxt": (False, {"map": 1e-8, "sum": 1e-8, "norm": 1e-6, "scores": 1e-8 / 2, "values": 1e-6}),
    "pa_vision": (False, {"map": 1e-8, "sum": 1e-6, "norm": None, "scores": 1e-6 / 2, "values": 1e-6 / 2}),
    "safe_divide": (False, dict.fromkeys(("map", "sum", "norm", "scores", "values"), 1e-9)),
    "signed": (True, dict.fromkeys(("map", "sum", "norm", "scores", "values"), 1e-6)),
}


class _Divided(torch.autograd.Function):
    """R = z g, and what R / (z + eps) is as a gradient."""

    @staticmethod
    def forward(ctx, z, has_sign, eps, note):
        ctx.save_for_backward(z)
        ctx.more = has_sign, eps, note
        return z.clone()

    @staticmethod
    def backward(ctx, g):
        z, = ctx.saved_tensors
        has_sign, eps, note = ctx.more
        out = z * g / (torch.where(z < 0, z - eps, z + eps) if has_sign else z + eps)
        note(float((z * (g - out)).sum()))
        return out, None, None, None


class _Activation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, f, factor):
        ctx.save_for_backward(factor(x))
        return f(x)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0], None, None


def dot(y):
    return float((y.detach() * y.grad).sum())


class Account:
    """One forward pass that keeps what the account needs."""

    tol = 1e-12  # of what must agree in rounding
    learned = absolute = None  # position embeddings; score biases in their absolute form
    entered = types = tokens = None  # where positions enter, if not at embed; token types; learned tokens, leaves too
    both_ways = False  # a query sees later keys
    factor = act = pixels = None  # pixels: the shape of a picture

    def __init__(self, rules):
        self.method = rules if isinstance(rules, Method) else Method()
        self.rules, self.acts = bool(rules), []
        self.relative, self.caps, self.lost = {}, [], []
        self.seen, self.biases, self.noted, self.tables, self.scale_of, self.means = {}, {}, {}, {}, {}, {}

    def divided(self, kind, z, own=None):
        if not self.rules or not self.method.stab:
            return z
        has_sign, eps = STABILISERS[self.method.stab]
        return _Divided.apply(z, has_sign, own if eps[kind] is None else eps[kind], self.lost.append)

    def sum(self, a, b):
        return self.divided("sum", a + b)

    def product(self, a, b):
        return (a @ b.detach() + a.detach() @ b) / 2 if self.rules else a @ b

    def gated(self, a, b):
        return (a * b.detach() + a.detach() * b) / 2 if self.rules else a * b

    def activation(self, x, act=None, factor=None):
        f, factor, how = act or self.act, factor or self.factor, self.method.act
        if not self.rules or how == "exact":
            return _Activation.apply(x, f, factor) if self.rules else f(x)
        x.retain_grad()
        y = f(x) if how == "derivative" else _Activation.apply(x, f, lambda x: f(x) / (x + 1e-10))
        y.retain_grad()
        self.acts.append((x, y))
        return y

    def lossy(self, z, f):
        """f by its derivative: what is lost of capped logits."""
        z.retain_grad()
        y = f(z)
        y.retain_grad()
        self.caps.append((z, y))
        return y

    def glu(self, a, u):
        """act(a) u; where act(0) is not 0, the gate is a constant and u gets all."""
        fixed = not self.method.gate or (self.factor is None and self.method.act == "exact")
        if self.rules and fixed:
            return self.act(a).detach() * u
        return self.gated(self.activation(a), u)

    def norm(self, l, name, m, x):
        mean = x.mean(-1, keepdim=True)
        r = torch.rsqrt((x - mean).pow(2).mean(-1, keepdim=True) + m.eps)
        if self.rules and not self.method.mean:
            mean = mean.detach()
            self.means[l, name] = -m.weight * mean * r
        y = self.shifted(l, name, m.weight * ((x - mean) * (r.detach() if self.rules else r)), m.bias)
        return self.divided("norm", y, m.eps)

    def linear(self, l, name, m, x):
        return self.map(l, name, linear_rules.Dense, m.weight, m.bias, x)

    def map(self, l, name, kind, w, b, x):
        rule = linear_rules.chosen(self.method.table, l, name) if self.rules else None
        if rule is None:
            y = kind.to(w, x)
            return self.divided("map", y if b is None else self.shifted(l, name, y, b))
        note = lambda *sinks: self.noted.setdefault((l, name), sinks)  # noqa: E731
        return linear_rules.Map.apply(x, kind, w, torch.zeros(w.shape[0]) if b is None else b, rule, note)

    def relative_keys(self, l, q, k, distances):
        """(H, T, T): q and, where keys have them, too, k with the table's row of each pair, a copy of its own (H, T, T, D)."""
        table, both = distances
        copies, s, how = [], 0, self.method.relkey if self.rules else "half"
        for x, name in ((q, "hid,hijd->hij"), (k, "hjd,hijd->hij"))[:1 + both]:
            e = table.expand(q.shape[0], *table.shape).clone().requires_grad_()
            f = lambda a, b: torch.einsum(name, a, b)  # noqa: B023, E731
            if how == "half":
                copies.append(e)
                s = s + ((f(x, e.detach()) + f(x.detach(), e)) / 2 if self.rules else f(x, e))
            else:
                s = s + f(x if how == "unhalved" else x.detach(), e.detach())
        self.relative[l] = copies, s.detach()
        return s

    def attention(self, l, q, k, v, scale, bias=None, rope=None, causal=True, distances=None):
        """(H, T, D) -> (T, H D); bias: (H, T, T), added to the scaled scores; rope: (cos, sin, neighbours), (T, R);
        causal: True, False, or what masks scores, (T, T); distances: of relative_keys()."""
        t, self.both_ways = q.shape[1], causal is False
        mask = torch.full((t, t), -math.inf).triu(1) if causal is True else 0.0 if causal is False else causal
        if rope is not None:
            q, k = positions.rotated(self, l, (q, k), rope)
        q, k = self.keep(l, "q", q), self.keep(l, "k", k)
        z = self.product(q, k.transpose(1, 2))
        if distances is not None:
            z = z + self.relative_keys(l, q, k, distances)
        s = self.divided("scores", self.keep(l, "z", z)) * scale
        if bias is not None:
            s, self.biases[l] = s + bias, bias
        s = self.divided("sum", self.keep(l, "sum", s))
        s = self.keep(l, "s", s + mask)
        w = self.keep(l, "w", torch.softmax(s, -1))
        share = self.method.share
        if self.rules and share is not None:
            o = w.detach() @ v
            o = self.keep(l, "o", share * o + (1 - share) * o.detach())
        else:
            o = self.keep(l, "o", self.product(w, v))
        self.scale_of[l] = scale
        return self.divided("values", o).transpose(0, 1).reshape(t, -1)

    def shifted(self, l, name, y, b):
        y = self.keep(l, name, y + b)
        self.seen[l, name] = (b, y)
        return y

    def keep(self, l, name, y):
        if y.requires_grad:
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
        if l in self.relative or self.method.stab:  # dq is not of Q K^T alone, or not all of it
            by_query = by_scores
        scale = max(1, float((w * ga).abs().sum()), float((o * go).abs().sum()))
        for other in (by_log, by_query):
            assert abs(float(by_scores - other)) < self.tol * scale, (by_scores, by_log, by_query)
        return float(by_query)

    def absorbed(self, l, name):
        b, y = self.seen[l, name]
        return 0.0 if y.grad is None else float((b.detach() * y.grad).sum())

    def attention_sinks(self, layers):
        layers = [l for l in layers if (l, "w") in self.seen]
        if not layers:
            return {}
        if self.method.share is not None:
            lost = 1 - self.method.share
            return {"leak": [lost * dot(self.seen[l, "o"]) for l in layers]} if lost else {}
        sinks = {"kappa": [self.kappa(l) for l in layers]}
        if self.biases and not self.method.positions:
            sinks["pos_bias"] = [float((self.biases[l] * self.seen[l, "sum"].grad).sum()) for l in layers]
        if self.relative and self.method.relkey == "drop":
            sinks["leak_keys"] = [float((self.relative[l][1] * self.seen[l, "z"].grad).sum()) for l in layers]
        if self.relative and not self.method.positions:
            sinks["unread_keys"] = [sum(map(dot, self.relative[l][0])) for l in layers]
        return sinks

    def explain(self, value):
        """value: a scalar made of self.logits, linear in them -> (T, C) relevance, {sink: (L,) or (1,)}."""
        value.backward()
        return closed(float(value.detach()), *self.read(), self.tol)

    def sum_grad(self):
        return (self.embed if self.entered is None else self.entered).grad

    def read(self):
        """After a backward pass: relevance of the embeddings, and the sinks."""
        layers = range(self.layers)
        sinks = self.attention_sinks(layers)
        names = dict.fromkeys(name for (_, name), y in self.seen.items() if isinstance(y, tuple))
        for name in names:
            sinks[name] = [self.absorbed(l, name) for l in layers if (l, name) in self.seen]
        if self.acts:
            sinks["gate"] = [dot(y) - dot(x) for x, y in self.acts]
        if self.caps:
            sinks["softcap"] = [dot(y) - dot(z) for z, y in self.caps]
        if self.noted:
            sinks["bias_maps"], sinks["eps"] = zip(*self.noted.values())
        if self.lost:
            sinks["eps_stab"] = self.lost
        if self.method.positions:
            self.parts = positions.read(self)
            sinks["position"] = [float(self.parts["position"].sum())] if self.parts else []
        elif self.learned is not None:
            sinks["unread"] = [float((self.learned * self.sum_grad()).sum())]
        if self.types is not None:
            share = self.types * self.embed.grad
            sinks["type" if self.method.positions else "unread_type"] = [float(share.sum())]
        if self.means:
            sinks["leak_mean"] = [float((v * self.seen[at][1].grad).sum().detach()) for at, v in self.means.items()]
        if self.tokens is not None:
            sinks["prefix"] = [dot(self.tokens)]
        return (self.embed * self.embed.grad).detach(), sinks


def closed(value, relevance, sinks, tol=1e-12):
    """The account must close."""
    rest = value - float(relevance.sum()) - sum(map(sum, sinks.values()))
    total = max(abs(value), float(relevance.abs().sum()))
    assert abs(rest) < tol * total, (rest, total)
    return relevance.numpy(), sinks, abs(rest) / total
