"""attn_lrp on a GPT-2 model, restated in float64 as a gradient pass with ε = 0: a LayerNorm's deviation is constant
and its mean is not, an activation passes f(x)/x (in closed form), each factor of a product of two live tensors half.
Read at the token embeddings only. With the account: what the softmax (kappa), the biases, the shifts of the norms (beta)
and the position embeddings (unread) absorb."""
import math

import torch

from llama_lrp import FACTOR


class Forward:
    """One forward pass that keeps what the account needs; rules=False is the model itself."""

    def __init__(self, model, ids, rules=True):
        cfg, core, t = model.config, model.transformer, len(ids)
        self.rules, self.seen, self.layers = rules, {}, len(core.h)
        self.act, self.factor = core.h[0].mlp.act, FACTOR[cfg.activation_function]
        self.embed = core.wte.weight[ids].detach().clone().requires_grad_()
        self.positions = core.wpe.weight[:t].detach()
        x, heads = self.embed + self.positions, cfg.n_head
        mask = torch.full((t, t), -math.inf).triu(1)
        for l, block in enumerate(core.h):
            scale = (cfg.n_embd // heads) ** -0.5 if cfg.scale_attn_weights else 1.0
            if cfg.scale_attn_by_inverse_layer_idx:
                scale /= l + 1
            z = self.linear(l, "bias_c_attn", block.attn.c_attn, self.norm(l, "beta_ln1", block.ln_1, x))
            q, k, v = (y.view(t, heads, -1).transpose(0, 1) for y in z.chunk(3, -1))
            q = self.keep(l, "q", q)
            s = self.keep(l, "s", self.product(q, k.transpose(1, 2)) * scale + mask)
            w = self.keep(l, "w", torch.softmax(s, -1))
            o = self.keep(l, "o", self.product(w, v))
            x = x + self.linear(l, "bias_c_proj", block.attn.c_proj, o.transpose(0, 1).reshape(t, -1))
            f = self.linear(l, "bias_fc", block.mlp.c_fc, self.norm(l, "beta_ln2", block.ln_2, x))
            f = f * self.factor(f).detach() if rules else self.act(f)
            x = x + self.linear(l, "bias_mlp_proj", block.mlp.c_proj, f)
        self.logits = self.norm(0, "beta_f", core.ln_f, x) @ model.lm_head.weight.T

    def product(self, a, b):
        return (a @ b.detach() + a.detach() @ b) / 2 if self.rules else a @ b

    def norm(self, l, name, m, x):
        x = x - x.mean(-1, keepdim=True)
        r = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.eps)
        return self.shifted(l, name, m.weight * (x * (r.detach() if self.rules else r)), m.bias)

    def linear(self, l, name, m, x):
        """Conv1D: the weight is (in, out)."""
        return self.shifted(l, name, x @ m.weight, m.bias)

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
        layers = range(self.layers)
        sinks = {"kappa": [self.kappa(l) for l in layers]}
        for name in ("bias_c_attn", "bias_c_proj", "bias_fc", "bias_mlp_proj", "beta_ln1", "beta_ln2"):
            sinks[name] = [self.absorbed(l, name) for l in layers]
        sinks["beta_f"] = [self.absorbed(0, "beta_f")]
        sinks["unread"] = [float((self.positions * self.embed.grad).sum())]
        relevance, value = (self.embed * self.embed.grad).detach(), float(value.detach())
        rest = value - float(relevance.sum()) - sum(map(sum, sinks.values()))
        total = max(abs(value), float(relevance.abs().sum()))
        assert abs(rest) < 1e-12 * total, (rest, total)
        return relevance.numpy(), sinks, abs(rest) / total
