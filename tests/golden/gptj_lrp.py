"""attn_lrp on a GPT-J model, restated in float64; the rules and the account are those of lrp.py."""
import torch

from llama_lrp import FACTOR
from lrp import Account


def tables(t, r):
    """(T, r): neighbouring pairs, base 10000."""
    angle = torch.arange(t)[:, None] * 10000 ** (-torch.arange(0, r, 2) / r)
    return (y.repeat_interleave(2, -1) for y in (angle.cos(), angle.sin()))


class Forward(Account):
    def __init__(self, model, ids, rules=True):
        super().__init__(rules)
        cfg, core, t = model.config, model.transformer, len(ids)
        self.layers = len(core.h)
        self.act, self.factor = core.h[0].mlp.act, FACTOR[cfg.activation_function]
        self.embed = core.wte.weight[ids].detach().clone().requires_grad_()
        x, heads, d = self.embed, cfg.n_head, cfg.n_embd // cfg.n_head
        cos, sin = tables(t, cfg.rotary_dim)
        for l, block in enumerate(core.h):
            n, a = self.norm(l, "beta_ln", block.ln_1, x), block.attn
            q, k, v = (self.linear(l, "bias_" + c, getattr(a, c + "_proj"), n).view(t, heads, d).transpose(0, 1)
                       for c in "qkv")
            o = self.attention(l, q, k, v, d**-0.5, rope=(cos, sin, True))
            f = self.activation(self.linear(l, "bias_fc", block.mlp.fc_in, n))
            x = self.sum(x, self.linear(l, "bias_o", a.out_proj, o))
            x = self.sum(x, self.linear(l, "bias_mlp_proj", block.mlp.fc_out, f))
        self.logits = self.linear(0, "bias_head", model.lm_head, self.norm(0, "beta_f", core.ln_f, x))
