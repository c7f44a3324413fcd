"""attn_lrp on a GPT-J model, restated in float64; the rules and the account are those of lrp.py."""
import torch

from llama_lrp import FACTOR
from lrp import Account


def rotate(x, r):
    """(H, T, D): neighbouring pairs of the first r dimensions, base 10000."""
    angle = torch.arange(x.shape[1])[:, None] * 10000 ** (-torch.arange(0, r, 2) / r)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    y = torch.stack((a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()), -1).flatten(-2)
    return torch.cat((y, x[..., r:]), -1)


class Forward(Account):
    def __init__(self, model, ids, rules=True):
        super().__init__(rules)
        cfg, core, t = model.config, model.transformer, len(ids)
        self.layers = len(core.h)
        self.act, self.factor = core.h[0].mlp.act, FACTOR[cfg.activation_function]
        self.embed = core.wte.weight[ids].detach().clone().requires_grad_()
        x, heads, d = self.embed, cfg.n_head, cfg.n_embd // cfg.n_head
        for l, block in enumerate(core.h):
            n, a = self.norm(l, "beta_ln", block.ln_1, x), block.attn
            q, k, v = (self.linear(l, None, m, n).view(t, heads, d).transpose(0, 1)
                       for m in (a.q_proj, a.k_proj, a.v_proj))
            o = self.attention(l, rotate(q, cfg.rotary_dim), rotate(k, cfg.rotary_dim), v, d**-0.5)
            f = self.activation(self.linear(l, "bias_fc", block.mlp.fc_in, n))
            x = x + self.linear(l, None, a.out_proj, o) + self.linear(l, "bias_mlp_proj", block.mlp.fc_out, f)
        self.logits = self.linear(0, "bias_head", model.lm_head, self.norm(0, "beta_f", core.ln_f, x))
