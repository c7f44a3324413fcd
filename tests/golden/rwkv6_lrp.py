"""mamba_lrp on an RWKV-6 model, restated in float64 as a gradient pass with ε = 0: the weights of the shifts, r, k, the decay,
the bonus, the receptance of the channel mix and the normalisations are constant; the value and the gate are live, each
factor of the product with SiLU(g) gets half; an activation passes f(x)/x. The mixer is its matrix here, and its adjoint is
written out as a recurrence. With the account (what the shifts of the norms absorb)."""
import torch
from torch.nn import functional as F

from llama_lrp import FACTOR
from lrp import Account, dot
from rwkv6_model import matrix


class Forward(Account):
    def __init__(self, model, ids, rules=True):
        super().__init__(rules)
        core, cfg = model.rwkv, model.config
        self.layers, self.coefficients, self.size = len(core.blocks), {}, cfg.head_size
        self.embed = core.embeddings.weight[ids].detach().clone().requires_grad_()
        x = self.embed
        for l, block in enumerate(core.blocks):
            if block.pre_ln is not None:
                x = self.norm(l, "beta_embed", block.pre_ln, x)
            x = self.sum(x, self.time_mix(l, block.attention, self.norm(l, "beta_mix", block.ln1, x)))
            x = self.sum(x, self.channel_mix(l, block.feed_forward, self.norm(l, "beta_ln2", block.ln2, x)))
        self.logits = self.linear(0, "bias_head", model.head, self.norm(0, "beta_f", core.ln_out, x))

    def constant(self, x):
        return x.detach() if self.rules else x

    def shift(self, n, weight):
        return self.divided("sum", n + weight.reshape(-1, n.shape[1]) * (F.pad(n, (0, 0, 1, 0))[:-1] - n))

    def run(self, name, x):
        self.act, self.factor = {"silu": F.silu, "relu2": lambda x: F.relu(x) ** 2}[name], FACTOR[name]
        return self.activation(x)

    def time_mix(self, l, m, n):
        t, h, d = len(n), m.heads, m.size
        fixed = self.constant(n)
        low = torch.tanh(self.shift(fixed, m.time_maa_x) @ m.time_maa_w1).view(t, 5, -1)
        mu = {c: getattr(m, "time_maa_" + c)[0] + low[:, j] @ m.time_maa_w2[j] for j, c in enumerate("wkvrg")}
        r = (self.shift(fixed, mu["r"]) @ m.receptance.weight.T).view(t, h, d)
        k = (self.shift(fixed, mu["k"]) @ m.key.weight.T).view(t, h, d)
        w = m.time_decay[0] + torch.tanh(self.shift(fixed, mu["w"]) @ m.time_decay_w1) @ m.time_decay_w2
        decay = torch.exp(-torch.exp(w)).view(t, h, d)
        v = self.keep(l, "v", self.linear(l, "map_v", m.value, self.shift(n, self.constant(mu["v"]))).view(t, h, d))
        o = self.keep(l, "o", torch.einsum("hrc,chj->rhj", matrix(r, k, decay, m.time_faaaa), v))
        self.coefficients[l] = [y.detach() for y in (r, k, decay, m.time_faaaa)]
        c = self.divided("map", o)
        c = c - c.mean(-1, keepdim=True)
        rho = self.constant(torch.rsqrt(c.pow(2).mean(-1, keepdim=True) + m.ln_x.eps))
        y = self.shifted(l, "beta_group", (c * rho).reshape(t, -1) * m.ln_x.weight, m.ln_x.bias)
        y = self.divided("norm", y, m.ln_x.eps)
        g = self.run("silu", self.linear(l, "map_g", m.gate, self.shift(n, self.constant(mu["g"]))))
        return self.linear(l, "map_out", m.output, self.gated(g, y))

    def channel_mix(self, l, m, n):
        k = self.run("relu2", self.linear(l, "map_key", m.key, self.shift(n, m.time_maa_k)))
        k = self.linear(l, "map_value", m.value, k)
        return torch.sigmoid(self.shift(self.constant(n), m.time_maa_r) @ m.receptance.weight.T) * k

    def explain(self, value):
        out = super().explain(value)
        for l in range(self.layers):
            v, o = self.seen[l, "v"], self.seen[l, "o"]
            r, k, decay, u = self.coefficients[l]
            g, gv = torch.zeros(u.shape + u.shape[1:]), []
            for t in reversed(range(len(v))):
                go = o.grad[t][:, None, :]
                gv.append((k[t][:, :, None] * (g + (r[t] * u)[:, :, None] * go)).sum(1))
                g = decay[t][:, :, None] * g + r[t][:, :, None] * go
            size = max(1e-300, float(v.grad.abs().max()))
            assert float((torch.stack(gv[::-1]) - v.grad).abs().max()) < self.tol * size, "the adjoint of the mixer"
            assert abs(dot(v) - dot(o)) < self.tol * max(1e-300, float((o.detach() * o.grad).abs().sum()))
        return out
