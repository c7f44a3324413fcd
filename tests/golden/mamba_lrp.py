"""mamba_lrp on a Mamba-1 model, restated in float64 as a gradient pass with ε = 0: the coefficients of the scan (Δ,
A, B, C) and the normalisation are constant, an activation passes f(x)/x (in closed form), each factor of the product
with the gate half. With the account (what the biases absorb), which has to close in each block too, and with the scan's
adjoint written out, twice: as a recurrence and as a matrix."""
import torch

from llama_lrp import FACTOR


class Forward:
    """One forward pass that keeps what the account needs; rules=False is the model itself."""

    def __init__(self, model, ids, rules=True):
        cfg, core = model.config, model.backbone
        self.rules, self.seen, self.layers = rules, {}, len(core.layers)
        self.act, self.factor = core.layers[0].mixer.act, FACTOR[cfg.hidden_act]
        rank, n = int(cfg.time_step_rank), cfg.state_size
        self.embed = x = core.embeddings.weight[ids].detach().clone().requires_grad_()
        for l, block in enumerate(core.layers):
            m = block.mixer
            u = self.norm(block.norm, x)
            xz = self.keep(l, "in", u @ m.in_proj.weight.T)
            xz = self.bias(l, "in", xz, m.in_proj.bias)
            a, z = (self.keep(l, k, y) for k, y in zip(("a", "z"), xz.chunk(2, -1)))
            p = self.bias(l, "conv", self.conv(m.conv1d.weight[:, 0], a), m.conv1d.bias)
            h = self.keep(l, "h", self.activation(p))
            dt, b, c = (self.constant(h) @ m.x_proj.weight.T).split([rank, n, n], -1)
            delta = torch.nn.functional.softplus(dt @ m.dt_proj.weight.T + m.dt_proj.bias)
            decay = torch.exp(-torch.exp(m.A_log) * delta[:, :, None])
            drive = delta[:, :, None] * b[:, None, :]
            y = self.keep(l, "y", self.scan(h, decay, drive, c) + m.D * h)
            self.seen[l, "coefficients"] = decay.detach(), drive.detach(), c.detach(), m.D
            o = self.keep(l, "o", self.product(y, self.activation(z)))
            x = x + self.bias(l, "out", o @ m.out_proj.weight.T, m.out_proj.bias)
        self.logits = self.norm(core.norm_f, x) @ model.lm_head.weight.T

    def constant(self, x):
        return x.detach() if self.rules else x

    def norm(self, m, x):
        return m.weight * (x * self.constant(torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.variance_epsilon)))

    def activation(self, x):
        return x * self.factor(x).detach() if self.rules else self.act(x)

    def product(self, a, b):
        return (a * b.detach() + a.detach() * b) / 2 if self.rules else a * b

    def conv(self, w, x):
        """p[t] = sum over k of w[k] x[t - (W - 1) + k]."""
        width, t = w.shape[1], len(x)
        x = torch.cat([torch.zeros(width - 1, x.shape[1]), x])
        return sum(w[:, k] * x[k:k + t] for k in range(width))

    def scan(self, x, decay, drive, c):
        h, out = torch.zeros(decay.shape[1:]), []
        for t in range(len(x)):
            h = decay[t] * h + drive[t] * x[t][:, None]
            out.append(h @ c[t])
        return torch.stack(out)

    def keep(self, l, name, y):
        y.retain_grad()
        self.seen[l, name] = y
        return y

    def bias(self, l, name, y, b):
        if b is None:
            return y
        y = y + b
        y.retain_grad()
        self.seen[l, "bias_" + name] = (b, y)
        return y

    def check_block(self, l):
        """The scan's adjoint, and <o, go> = <a, ga> + <z, gz> + <bias of conv, gp>."""
        h, y, o, a, z = (self.seen[l, k] for k in ("h", "y", "o", "a", "z"))
        decay, drive, c, d = self.seen[l, "coefficients"]
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
            assert float((h.grad - other).abs().max()) < 1e-12 * size, "the adjoint of the scan"
        dot = lambda y: (y.detach() * y.grad).sum()  # noqa: E731
        b, p = self.seen.get((l, "bias_conv"), (torch.zeros(1), h))
        rest = float(dot(o) - dot(a) - dot(z) - (b.detach() * p.grad).sum())
        assert abs(rest) < 1e-12 * max(1, float((o.detach() * o.grad).abs().sum())), f"block {l}: {rest}"

    def explain(self, value):
        """value: a scalar made of self.logits, linear in them -> (T, C) relevance, {sink: (L,)}."""
        value.backward()
        sinks = {}
        for name in ("in", "conv", "out"):
            if (0, "bias_" + name) in self.seen:
                pairs = (self.seen[l, "bias_" + name] for l in range(self.layers))
                sinks["bias_" + name] = [float((b.detach() * y.grad).sum()) for b, y in pairs]
        for l in range(self.layers):
            self.check_block(l)
        relevance, value = (self.embed * self.embed.grad).detach(), float(value.detach())
        rest = value - float(relevance.sum()) - sum(map(sum, sinks.values()))
        total = max(abs(value), float(relevance.abs().sum()))
        assert abs(rest) < 1e-12 * total, (rest, total)
        return relevance.numpy(), sinks, abs(rest) / total
