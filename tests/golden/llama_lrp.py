"""attn_lrp on a Llama model, restated in float64; the rules and the account are those of lrp.py."""
import math

import torch
from torch.nn import functional as F

from lrp import Account

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
    "relu": lambda x: (x > 0).to(x.dtype),
    "relu2": torch.relu,
    "relu6": lambda x: torch.where(x > 6, 6 / x, (x > 0).to(x.dtype)),
    "leaky_relu": lambda x: torch.where(x > 0, 1.0, 0.01),
    "mish": lambda x: torch.tanh(F.softplus(x)),
    "tanh": lambda x: torch.tanh(x) / x,
    "linear": torch.ones_like,
    "sigmoid": None, "laplace": None,
}


class Forward(Account):
    def __init__(self, model, ids, rules=True):
        super().__init__(rules)
        cfg, core, t = model.config, model.model, len(ids)
        self.layers, self.factor = len(core.layers), FACTOR[cfg.hidden_act]
        self.act = core.layers[0].mlp.act_fn
        self.embed = core.embed_tokens.weight[ids].detach().clone().requires_grad_()
        x, groups = self.embed, cfg.num_attention_heads // cfg.num_key_value_heads
        cos, sin = (y[0] for y in core.rotary_emb(x[None], torch.arange(t)[None]))
        for l, block in enumerate(core.layers):
            a, m = block.self_attn, block.mlp
            n = self.norm(l, None, block.input_layernorm, x)
            q, k, v = (self.linear(l, "bias_" + c, getattr(a, c + "_proj"), n).view(t, -1, a.head_dim).transpose(0, 1)
                       for c in "qkv")
            k, v = (y.repeat_interleave(groups, 0) for y in (k, v))
            o = self.attention(l, q, k, v, a.head_dim**-0.5, rope=(cos, sin, False))
            x = self.sum(x, self.linear(l, "bias_o", a.o_proj, o))
            n = self.norm(l, None, block.post_attention_layernorm, x)
            gate, up = self.linear(l, "bias_gate", m.gate_proj, n), self.linear(l, "bias_up", m.up_proj, n)
            x = self.sum(x, self.linear(l, "bias_down", m.down_proj, self.glu(gate, up)))
        self.logits = self.linear(0, "bias_head", model.lm_head, self.norm(0, None, core.norm, x))

    def norm(self, l, name, m, x):
        """RMSNorm"""
        r = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.variance_epsilon)
        return m.weight * (x * (r.detach() if self.rules else r))
