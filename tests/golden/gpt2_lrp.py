"""attn_lrp on a GPT-2 model, restated in float64 as a gradient pass with ε = 0; read at the token embeddings only. The
rules and the account are those of lrp.py."""
from llama_lrp import FACTOR
from linear_rules import Dense
from lrp import Account


class Forward(Account):
    def __init__(self, model, ids, rules=True):
        super().__init__(rules)
        cfg, core, t = model.config, model.transformer, len(ids)
        self.layers = len(core.h)
        self.act, self.factor = core.h[0].mlp.act, FACTOR[cfg.activation_function]
        self.embed = core.wte.weight[ids].detach().clone().requires_grad_()
        self.learned = core.wpe.weight[:t].detach()
        x, heads = self.sum(self.embed, self.learned), cfg.n_head
        for l, block in enumerate(core.h):
            scale = (cfg.n_embd // heads) ** -0.5 if cfg.scale_attn_weights else 1.0
            if cfg.scale_attn_by_inverse_layer_idx:
                scale /= l + 1
            z = self.linear(l, "bias_c_attn", block.attn.c_attn, self.norm(l, "beta_ln1", block.ln_1, x))
            q, k, v = (y.view(t, heads, -1).transpose(0, 1) for y in z.chunk(3, -1))
            x = self.sum(x, self.linear(l, "bias_c_proj", block.attn.c_proj, self.attention(l, q, k, v, scale)))
            n = self.norm(l, "beta_ln2", block.ln_2, x)
            f = self.activation(self.linear(l, "bias_fc", block.mlp.c_fc, n))
            x = self.sum(x, self.linear(l, "bias_mlp_proj", block.mlp.c_proj, f))
        self.logits = super().linear(0, "bias_head", model.lm_head, self.norm(0, "beta_f", core.ln_f, x))

    def linear(self, l, name, m, x):
        """Conv1D: the weight is (in, out)."""
        return self.map(l, name, Dense, m.weight.T, m.bias, x)
