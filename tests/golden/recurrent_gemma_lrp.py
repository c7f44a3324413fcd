"""attn_lrp on a RecurrentGemma model, restated in float64; the rules and the account are those of lrp.py. The gates of
the recurrence and its decay are constant (so nothing goes through them), its product with the gate of its block has two
live factors, and the cap of the logits passes y/z. The recurrence's adjoint is written out, twice: as a recurrence and
as a matrix."""
import torch
from torch.nn import functional as F

from linear_rules import Conv
from llama_lrp import FACTOR
from lrp import Account, _Activation


def tables(t, r, base):
    """(T, r): pairs (i, i + r/2)."""
    angle = torch.arange(t)[:, None] * base ** (-torch.arange(0, r, 2) / r)
    return (torch.cat((y, y), -1) for y in (angle.cos(), angle.sin()))


def windowed(t, window):
    """0 where a query sees a key, itself and window - 1 before it."""
    i = torch.arange(t)
    distance = i[:, None] - i[None, :]
    return torch.zeros(t, t).masked_fill((distance < 0) | (distance >= window), float("-inf"))


class Gemma(Account):
    """What this family and Gemma 3 share."""

    def capped(self, z, cap):
        f = lambda z: cap * torch.tanh(z / cap)  # noqa: E731
        if self.rules and self.method.softcap == "derivative":
            return self.lossy(z, f)
        return _Activation.apply(z, f, lambda z: torch.tanh(z / cap) / (z / cap)) if self.rules else f(z)

    def constant(self, x):
        return x.detach() if self.rules else x

    def norm(self, l, name, m, x):
        """RMSNorm with the gain 1 + w"""
        return (1 + m.weight) * (x * self.constant(torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.eps)))


class Forward(Gemma):
    def __init__(self, model, ids, rules=True):
        cfg, core = model.config, model.model
        super().__init__(rules)
        self.layers, self.recurrences = len(core.layers), {}
        self.act, self.factor = core.layers[0].mlp_block.act_fn, FACTOR[cfg.hidden_activation]
        self.mask, self.tables_of = windowed(len(ids), cfg.attention_window_size), cfg
        x = core.scale * core.embed_tokens.weight[ids]
        self.embed = x = x.detach().clone().requires_grad_()
        for l, block in enumerate(core.layers):
            mix = self.recurrent if hasattr(block.temporal_block, "rg_lru") else self.attend
            x = self.sum(x, mix(l, block.temporal_block, self.norm(l, None, block.temporal_pre_norm, x)))
            n, m = self.norm(l, None, block.channel_pre_norm, x), block.mlp_block
            gate, up = self.linear(l, "bias_gate", m.gate_proj, n), self.linear(l, "bias_up", m.up_proj, n)
            x = self.sum(x, self.linear(l, "bias_down", m.down_proj, self.glu(gate, up)))
        z = self.linear(0, "bias_head", model.lm_head, self.norm(0, None, core.final_norm, x))
        self.logits = self.capped(z, cfg.logits_soft_cap)

    def attend(self, l, a, n):
        cfg, t = self.tables_of, len(n)
        q, k, v = (self.linear(l, "bias_" + c, getattr(a, c + "_proj"), n).view(t, -1, a.head_dim).transpose(0, 1)
                   for c in "qkv")
        k, v = (y.repeat_interleave(a.num_key_value_groups, 0) for y in (k, v))
        cos, sin = tables(t, int(cfg.partial_rotary_factor * a.head_dim), cfg.rope_theta)
        o = self.attention(l, q, k, v, a.head_dim**-0.5, rope=(cos, sin, False), causal=self.mask)
        return self.linear(l, "bias_o", a.o_proj, o)

    def recurrent(self, l, m, n):
        y = self.activation(self.linear(l, "bias_y", m.linear_y, n))
        x = self.linear(l, "bias_x", m.linear_x, n)
        c = self.keep(l, "c", self.map(l, "bias_conv", Conv, m.conv_1d.weight[:, 0], m.conv_1d.bias, x))
        g, fixed = m.rg_lru, self.constant(c)
        blocks = fixed.view(len(c), g.num_attention_heads, g.block_width)
        gate = lambda w, b: torch.sigmoid(torch.einsum("thi,hio->tho", blocks, w) + b).flatten(1)  # noqa: E731
        log_a = -8 * gate(g.recurrent_gate_weight, g.recurrent_gate_bias) * F.softplus(g.recurrent_param)
        start = (torch.arange(len(c)) == 0)[:, None]
        a = torch.where(start, 0.0, torch.exp(log_a))
        root = torch.where(start, 1.0, torch.sqrt(-torch.expm1(2 * log_a)))
        assert float(root.detach().min()) ** 2 > 1e-3  # where the reference, too, has the exact gradient of the root
        w = root * gate(g.input_gate_weight, g.input_gate_bias)
        h, out = torch.zeros(c.shape[1]), []
        for t in range(len(c)):
            h = a[t] * h + w[t] * c[t]
            out.append(h)
        h = self.keep(l, "h", torch.stack(out))
        self.recurrences[l] = a.detach(), w.detach()
        return self.linear(l, "bias_out", m.linear_out, self.gated(self.divided("map", h), y))

    def check_recurrence(self, l):
        (a, w), c, h = self.recurrences[l], self.seen[l, "c"], self.seen[l, "h"]
        g, t, carry = h.grad, len(h), torch.zeros(h.shape[1])
        by_recurrence, by_matrix = torch.zeros(h.shape), torch.zeros(h.shape)
        for i in reversed(range(t)):
            carry = g[i] + carry
            by_recurrence[i] = w[i] * carry
            carry = a[i] * carry
        for row in range(t):
            product = torch.ones(h.shape[1])
            for col in range(row, -1, -1):
                by_matrix[col] += product * w[col] * g[row]
                product = product * a[col]
        size = max(1e-300, float(c.grad.abs().max()))
        for other in (by_recurrence, by_matrix):
            assert float((c.grad - other).abs().max()) < self.tol * size, "the adjoint of the recurrence"

    def explain(self, value):
        out = super().explain(value)
        for l in self.recurrences:
            self.check_recurrence(l)
        return out
