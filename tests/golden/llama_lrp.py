"""attn_lrp on a Llama model, restated in float64 as a gradient pass with ε = 0: the normalisation is constant, an
activation passes f(x)/x (in closed form), each factor of a product of two live tensors half. With the account: what the
attention softmax (kappa) and the biases absorb."""
import math

import torch
from torch.nn import functional as F
from transformers.models.llama.modeling_llama import rotate_half

R2PI = math.sqrt(2 / math.pi)


def _erf(x):
    return 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def _tanh(x):
    return 0.5 * (1 + torch.tanh(R2PI * (x + 0.044715 * x**3)))


def _tanh_fast(x):
    return 0.5 * (1 + torch.tanh(x * 0.7978845608 * (1 + 0.044715 * x * x)))


# f(x)/x; None: f(0) is not 0, the gate is a constant and the other factor gets all.
FACTOR = {
    "silu": torch.sigmoid, "swish": torch.sigmoid,
    "gelu": _erf, "gelu_python": _erf,
    "gelu_new": _tanh, "gelu_accurate": _tanh, "gelu_pytorch_tanh": _tanh, "gelu_fast": _tanh_fast,
    "gelu_10": lambda x: torch.clip(x * _erf(x), -10, 10) / x,
    "quick_gelu": lambda x: torch.sigmoid(1.702 * x),
    "relu": lambda x: (x > 0).double(),
    "relu2": torch.relu,
    "relu6": lambda x: torch.where(x > 6, 6 / x, (x > 0).double()),
    "leaky_relu": lambda x: torch.where(x > 0, 1.0, 0.01),
    "mish": lambda x: torch.tanh(F.softplus(x)),
    "tanh": lambda x: torch.tanh(x) / x,
    "linear": torch.ones_like,
    "sigmoid": None, "laplace": None,
}


class _Activation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, f, factor):
        ctx.save_for_backward(factor(x))
        return f(x)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0], None, None


class _Half(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g / 2


half = _Half.apply


def _norm(m, x):
    r = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.variance_epsilon).detach()
    return m.weight * (x * r)


class Forward:
    """One forward pass that keeps what the account needs."""

    def __init__(self, model, ids):
        self.seen = {}
        cfg, core = model.config, model.model
        t = len(ids)
        self.embed = core.embed_tokens.weight[ids].detach().clone().requires_grad_()
        x = self.embed
        cos, sin = core.rotary_emb(x[None], torch.arange(t)[None])
        mask = torch.full((t, t), -math.inf).triu(1)
        for l, block in enumerate(core.layers):
            a, m = block.self_attn, block.mlp
            n = _norm(block.input_layernorm, x)
            q, k, v = (self._linear(l, c, getattr(a, c + "_proj"), n).view(t, -1, a.head_dim).transpose(0, 1)
                       for c in "qkv")
            qr = self._keep(l, "qr", q * cos[0] + rotate_half(q) * sin[0])
            kr = k * cos[0] + rotate_half(k) * sin[0]
            kr, v = (y.repeat_interleave(cfg.num_attention_heads // cfg.num_key_value_heads, 0) for y in (kr, v))
            s = self._keep(l, "s", half(qr) @ half(kr).transpose(1, 2) * a.head_dim**-0.5 + mask)
            w = self._keep(l, "w", torch.softmax(s, -1))
            o = self._keep(l, "o", half(w) @ half(v))
            x = x + self._linear(l, "o", a.o_proj, o.transpose(0, 1).reshape(t, -1))
            n = _norm(block.post_attention_layernorm, x)
            gate, up = self._linear(l, "gate", m.gate_proj, n), self._linear(l, "up", m.up_proj, n)
            factor = FACTOR[cfg.hidden_act]
            if factor:
                y = half(_Activation.apply(gate, m.act_fn, factor)) * half(up)
            else:
                y = m.act_fn(gate).detach() * up
            x = x + self._linear(l, "down", m.down_proj, y)
        self.layers, self.model = len(core.layers), model
        self.logits = _norm(core.norm, x) @ model.lm_head.weight.T

    def _keep(self, l, name, y):
        y.retain_grad()
        self.seen[l, name] = y
        return y

    def _linear(self, l, name, m, x):
        y = m(x)
        if m.bias is not None:
            y.retain_grad()
            self.seen[l, "bias_" + name] = (m.bias, y)
        return y

    def explain(self, value):
        """value: a scalar made of self.logits, linear in them -> (T, C) relevance, {sink: (L,)}."""
        value.backward()
        kappa, sinks = [], {}
        for l in range(self.layers):
            w, s, o, qr = (self.seen[l, c] for c in ("w", "s", "o", "qr"))
            # The halves at A V and at Q K are in these gradients already: w.grad = gA/2, s.grad = gS/2, qr.grad = dQ/4.
            ga, gs, go, dq = 2 * w.grad, 2 * s.grad, o.grad, 4 * qr.grad
            w, s, o, qr = (y.detach() for y in (w, s, o, qr))
            live = torch.isfinite(s)
            zero = torch.zeros(())
            by_scores = 0.5 * (w * ga - torch.where(live, s, zero) * gs).sum()
            by_log = 0.5 * (w * ga - torch.where(live & (w > 0), w.clamp_min(1e-300).log(), zero) * gs).sum()
            by_query = 0.5 * ((o * go).sum() - (qr * dq).sum())
            scale = max(1, float((w * ga).abs().sum()), float((o * go).abs().sum()))
            for other in (by_log, by_query):
                assert abs(float(by_scores - other)) < 1e-12 * scale, (by_scores, by_log, by_query)
            kappa.append(float(by_query))
        sinks["kappa"] = kappa
        for name in ("q", "k", "v", "o", "gate", "up", "down"):
            if (0, "bias_" + name) in self.seen:
                pairs = (self.seen[l, "bias_" + name] for l in range(self.layers))
                sinks["bias_" + name] = [float((b.detach() * y.grad).sum()) for b, y in pairs]
        relevance, value = (self.embed * self.embed.grad).detach(), float(value.detach())
        rest = value - float(relevance.sum()) - sum(map(sum, sinks.values()))
        total = max(abs(value), float(relevance.abs().sum()))
        assert abs(rest) < 1e-12 * total, (rest, total)
        return relevance.numpy(), sinks, abs(rest) / total
