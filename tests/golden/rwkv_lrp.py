"""attn_lrp on an RWKV-4 model, restated in float64 as a gradient pass with ε = 0: keys, decays, the receptances and the
normalisations are constant, the values live; an activation passes f(x)/x. The mixer is its matrix here, one for each
channel, and its adjoint is written out as a recurrence. With the account (what the shifts of the norms absorb)."""
import torch
from torch.nn import functional as F

from llama_lrp import FACTOR
from lrp import Account, dot


def matrix(k, w, u):
    """(channels, T, T): softmax over c <= r of w (r - c - 1) + k_c, of u + k_r where c = r."""
    t = len(k)
    r, c = torch.arange(t)[:, None], torch.arange(t)[None]
    e = torch.where(c < r, w[:, None, None] * (r - c - 1) + k.T[:, None], (u + k).T[:, None].expand(-1, t, -1))
    return torch.softmax(e.masked_fill(c > r, -torch.inf), -1)


def adjoint(k, w, u, g):
    """M^T g, rows from the last to the first, every exponent at most 0."""
    t, out = len(k), []
    r, c = torch.arange(t)[:, None], torch.arange(t)[None]
    e = torch.where(c < r, w[:, None, None] * (r - c - 1) + k.T[:, None], (u + k).T[:, None].expand(-1, t, -1))
    z = torch.logsumexp(e.masked_fill(c > r, -torch.inf), -1).T
    acc, top = torch.zeros(k.shape[1]), torch.full(k.shape[1:], -torch.inf)
    for i in reversed(range(t)):
        out.append(torch.exp(u + k[i] - z[i]) * g[i] + acc * torch.exp(k[i] + top))
        new = torch.maximum(top + w, -z[i])
        acc, top = acc * torch.exp(top + w - new) + g[i] * torch.exp(-z[i] - new), new
    return torch.stack(out[::-1])


class Forward(Account):
    def __init__(self, model, ids, rules=True):
        super().__init__(rules)
        core = model.rwkv
        self.layers, self.coefficients, self.maps = len(core.blocks), {}, []
        self.act, self.factor = (lambda x: F.relu(x) ** 2), FACTOR["relu2"]
        self.embed = x = core.embeddings.weight[ids].detach().clone().requires_grad_()
        for l, block in enumerate(core.blocks):
            if l == 0:
                x = self.norm(l, "beta_embed", block.pre_ln, x)
            x = self.sum(x, self.time_mix(l, block.attention, self.norm(l, "beta_mix", block.ln1, x)))
            x = self.sum(x, self.channel_mix(l, block.feed_forward, self.norm(l, "beta_ln2", block.ln2, x)))
        self.logits = self.linear(0, "bias_head", model.head, self.norm(0, "beta_f", core.ln_out, x))

    def constant(self, x):
        return x.detach() if self.rules else x

    def shift(self, n, mix):
        return self.sum(n * mix[0], F.pad(n, (0, 0, 1, 0))[:-1] * (1 - mix[0]))

    def time_mix(self, l, m, n):
        k = self.shift(self.constant(n), m.time_mix_key) @ m.key.weight.T
        r = self.shift(self.constant(n), m.time_mix_receptance) @ m.receptance.weight.T
        v = self.keep(l, "v", self.linear(l, "map_v", m.value, self.shift(n, m.time_mix_value)))
        w, u = -torch.exp(m.time_decay), m.time_first
        a = matrix(k, w, u)
        o = self.keep(l, "o", torch.einsum("hrc,ch->rh", a, v))
        self.maps.append(a.detach())
        self.coefficients[l] = k.detach(), w, u
        return self.linear(l, "map_out", m.output, torch.sigmoid(r) * self.divided("map", o))

    def channel_mix(self, l, m, n):
        k = self.activation(self.linear(l, "map_key", m.key, self.shift(n, m.time_mix_key)))
        r = self.shift(self.constant(n), m.time_mix_receptance) @ m.receptance.weight.T
        return torch.sigmoid(r) * self.linear(l, "map_value", m.value, k)

    def explain(self, value):
        out = super().explain(value)
        for l in range(self.layers):
            v, o = self.seen[l, "v"], self.seen[l, "o"]
            gv = adjoint(*self.coefficients[l], o.grad)
            off = float((v.grad - gv).abs().max())
            assert off < self.tol * max(1e-300, float(v.grad.abs().max())), f"the adjoint of layer {l}: {off}"
            assert abs(dot(v) - dot(o)) < self.tol * max(1, float((o.detach() * o.grad).abs().sum()))
        return out
