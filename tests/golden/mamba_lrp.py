"""mamba_lrp on a Mamba-1 model, restated in float64 as a gradient pass with ε = 0: the coefficients of the scan (Δ,
A, B, C) and the normalisation are constant, an activation passes f(x)/x (in closed form), each factor of the product
with the gate half. With the account (what the biases absorb), which has to close in each block too, and with the scan's
adjoint written out, twice: as a recurrence and as a matrix."""
import torch

from linear_rules import Conv
from llama_lrp import FACTOR
from lrp import Account, dot


class Forward(Account):
    def __init__(self, model, ids, rules=True):
        cfg, core = model.config, model.backbone
        super().__init__(rules)
        self.layers, self.coefficients = len(core.layers), {}
        self.act, self.factor = core.layers[0].mixer.act, FACTOR[cfg.hidden_act]
        rank, n = int(cfg.time_step_rank), cfg.state_size
        self.embed = x = core.embeddings.weight[ids].detach().clone().requires_grad_()
        for l, block in enumerate(core.layers):
            m = block.mixer
            xz = self.linear(l, "bias_in", m.in_proj, self.norm(l, None, block.norm, x))
            a, z = (self.keep(l, k, y) for k, y in zip(("a", "z"), xz.chunk(2, -1)))
            p = self.map(l, "bias_conv", Conv, m.conv1d.weight[:, 0], m.conv1d.bias, a)
            h = self.keep(l, "h", self.activation(p))
            dt, b, c = self.selected(m, (self.constant(h) @ m.x_proj.weight.T).split([rank, n, n], -1))
            delta = torch.nn.functional.softplus(dt @ m.dt_proj.weight.T + m.dt_proj.bias)
            decay = torch.exp(-torch.exp(m.A_log) * delta[:, :, None])
            drive = delta[:, :, None] * b[:, None, :]
            y = self.keep(l, "y", self.scan(h, decay, drive, c) + m.D * h)
            self.coefficients[l] = decay.detach(), drive.detach(), c.detach(), m.D
            o = self.keep(l, "o", self.gated(self.divided("map", y), self.activation(z)))
            x = self.sum(x, self.linear(l, "bias_out", m.out_proj, o))
        self.logits = self.linear(0, "bias_head", model.lm_head, self.norm(0, None, core.norm_f, x))

    def selected(self, m, parts):
        return parts

    def constant(self, x):
        return x.detach() if self.rules else x

    def norm(self, l, name, m, x):
        """RMSNorm"""
        return m.weight * (x * self.constant(torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.variance_epsilon)))

    def scan(self, x, decay, drive, c):
        h, out = torch.zeros(decay.shape[1:]), []
        for t in range(len(x)):
            h = decay[t] * h + drive[t] * x[t][:, None]
            out.append(h @ c[t])
        return torch.stack(out)

    def check_block(self, l):
        """The scan's adjoint, and <o, go> = <a, ga> + <z, gz> + <bias of conv, gp>."""
        h, y, o = (self.seen[l, k] for k in "hyo")
        decay, drive, c, d = self.coefficients[l]
        gy, t = y.grad, len(h)
        gs, by_recurrence = torch.zeros(decay.shape[1:]), torch.zeros(h.shape)
        for i in reversed(range(t)):
            gs = gy[i][:, None] * c[i] + (decay[i + 1] * gs if i + 1 < t else 0)
            by_recurrence[i] = (drive[i] * gs).sum(-1) + d * gy[i]
        by_matrix = d * gy
        for row in range(t):
            product = torch.ones(decay.shape[1:])
            for col in range(row, -1, -1):
                by_matrix[col] += (c[row] * product * drive[col]).sum(-1) * gy[row]
                product = product * decay[col]
        size = max(1e-300, float(h.grad.abs().max()))
        for other in (by_recurrence, by_matrix):
            assert float((h.grad - other).abs().max()) < self.tol * size, "the adjoint of the scan"
        if self.method.table or self.method.act != "exact" or self.method.stab:
            return
        b, p = self.seen.get((l, "bias_conv"), (torch.zeros(1), h))
        a, z = (self.seen[l, k] for k in "az")
        rest = dot(o) - dot(a) - dot(z) - float((b.detach() * p.grad).sum())
        assert abs(rest) < self.tol * max(1, float((o.detach() * o.grad).abs().sum())), f"block {l}: {rest}"

    def explain(self, value):
        out = super().explain(value)
        for l in range(self.layers):
            self.check_block(l)
        return out
