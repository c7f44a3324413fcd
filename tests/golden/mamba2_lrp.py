"""mamba_lrp on a Mamba 2 model, restated in float64: dt, B and C are constant, and so is what computes them; the rest as
in mamba_lrp.py, the norm after the gate as any other. With the scan's adjoint written out, twice: as a recurrence and
as a matrix."""
import torch

from linear_rules import Conv
from llama_lrp import FACTOR
from lrp import Account, dot


class Forward(Account):
    def __init__(self, model, ids, rules=True):
        cfg, core = model.config, model.backbone
        super().__init__(rules)
        self.layers, self.coefficients, self.t = len(core.layers), {}, len(ids)
        self.conv_act, self.conv_factor = core.layers[0].mixer.act, FACTOR[cfg.hidden_act]
        self.gate_act, self.gate_factor = torch.nn.functional.silu, FACTOR["silu"]
        heads, p, groups, n = cfg.num_heads, cfg.head_dim, cfg.n_groups, cfg.state_size
        e, gn = heads * p, groups * n
        self.embed = x = core.embeddings.weight[ids].detach().clone().requires_grad_()
        for l, block in enumerate(core.layers):
            m = block.mixer
            proj = self.linear(l, "bias_in", m.in_proj, self.norm(block.norm, x))
            z, u, dt = proj.split([e, e + 2 * gn, heads], -1)
            z, u, dt = self.keep(l, "z", z), self.keep(l, "a", u), self.constant(dt)
            u = self.map(l, "bias_conv", Conv, m.conv1d.weight[:, 0], m.conv1d.bias, u)
            a, b, c = u.split([e, gn, gn], -1)
            s = self.keep(l, "h", self.activated(a, "conv"))
            b, c = (self.conv_act(self.constant(y)).view(-1, groups, n).repeat_interleave(heads // groups, 1)
                    for y in (b, c))
            dt = torch.nn.functional.softplus(dt + m.dt_bias).clamp(*cfg.time_step_limit)
            decay = torch.exp(-torch.exp(m.A_log) * dt)
            y = self.scan(s.view(-1, heads, p), decay, dt, b, c) + m.D[:, None] * s.view(-1, heads, p)
            y = self.keep(l, "y", y.reshape(-1, e))
            self.coefficients[l] = decay.detach(), dt.detach(), b.detach(), c.detach(), m.D.repeat_interleave(p)
            o = self.keep(l, "o", self.gated(self.divided("map", y), self.activated(z, "gate")))
            x = self.sum(x, self.linear(l, "bias_out", m.out_proj, self.gated_norm(m.norm, o)))
        self.logits = self.linear(0, "bias_head", model.lm_head, self.norm(core.norm_f, x))

    def activated(self, x, which):
        self.act, self.factor = getattr(self, which + "_act"), getattr(self, which + "_factor")
        return self.activation(x)

    def constant(self, x):
        return x.detach() if self.rules else x

    def norm(self, m, x):
        """RMSNorm"""
        return m.weight * (x * self.constant(torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.variance_epsilon)))

    def gated_norm(self, m, x):
        """width: of what is normalised together; a model without this norm has a width of 0."""
        width = getattr(m, "width", x.shape[-1])
        if width == 0:
            return x
        g = x.view(len(x), -1, width)
        r = torch.rsqrt(g.pow(2).mean(-1, keepdim=True) + m.variance_epsilon)
        return m.weight * (g * self.constant(r)).reshape(x.shape)

    def scan(self, x, decay, dt, b, c):
        s, out = torch.zeros(x.shape[1], x.shape[2], b.shape[2]), []
        for t in range(len(x)):
            s = decay[t][:, None, None] * s + (dt[t][:, None] * x[t])[:, :, None] * b[t][:, None, :]
            out.append((s * c[t][:, None, :]).sum(-1))
        return torch.stack(out)

    def check_block(self, l):
        """The scan's adjoint, and <o, go> = <a, ga> + <z, gz> + <bias of conv, gp>."""
        h, y, o = (self.seen[l, k] for k in "hyo")
        decay, dt, b, c, d = self.coefficients[l]
        t, heads = decay.shape
        gy = y.grad.view(t, heads, -1)
        gs, by_recurrence = torch.zeros(heads, gy.shape[2], b.shape[2]), torch.zeros(gy.shape)
        for i in reversed(range(t)):
            gs = gy[i][:, :, None] * c[i][:, None, :] + (decay[i + 1][:, None, None] * gs if i + 1 < t else 0)
            by_recurrence[i] = dt[i][:, None] * (gs * b[i][:, None, :]).sum(-1)
        by_matrix = torch.zeros(gy.shape)
        for row in range(t):
            product = torch.ones(heads)
            for col in range(row, -1, -1):
                by_matrix[col] += (product * dt[col] * (c[row] * b[col]).sum(-1))[:, None] * gy[row]
                product = product * decay[col]
        size = max(1e-300, float(h.grad.abs().max()))
        for other in (by_recurrence, by_matrix):
            other = other.reshape(t, -1) + d * y.grad
            assert float((h.grad - other).abs().max()) < self.tol * size, "the adjoint of the scan"
        if self.method.table or self.method.act != "exact" or self.method.stab:
            return
        bias, p = self.seen.get((l, "bias_conv"), (torch.zeros(1), h))
        a, z = (self.seen[l, k] for k in "az")
        rest = dot(o) - dot(a) - dot(z) - float((bias.detach() * p.grad).sum())
        assert abs(rest) < self.tol * max(1, float((o.detach() * o.grad).abs().sum())), f"block {l}: {rest}"

    def explain(self, value):
        out = super().explain(value)
        for l in range(self.layers):
            self.check_block(l)
        return out
