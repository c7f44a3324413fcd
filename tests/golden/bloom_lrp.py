"""attn_lrp on a BLOOM model, restated in float64; the rules and the account are those of lrp.py. ALiBi in its relative
form, -slope (i - j), which is the softmax of transformers' slope j too."""
import torch

from lrp import Account


def slopes(heads):
    n = 1 << heads.bit_length() - 1
    return torch.tensor([2 ** (-8 * (h + 1) / n) if h < n else 2 ** (-4 * (2 * (h - n) + 1) / n)
                         for h in range(heads)])


class Forward(Account):
    def __init__(self, model, ids, rules=True):
        super().__init__(rules)
        cfg, core, t = model.config, model.transformer, len(ids)
        self.layers, self.act = len(core.h), core.h[0].mlp.gelu_impl
        self.factor = lambda x: 0.5 * (1 + torch.tanh(0.79788456 * x * (1 + 0.044715 * x * x)))
        self.embed = core.word_embeddings.weight[ids].detach().clone().requires_grad_()
        x, heads, d = self.embed, cfg.n_head, cfg.hidden_size // cfg.n_head
        x = self.norm(0, "beta_embed", core.word_embeddings_layernorm, x)
        distance = torch.arange(t)[:, None] - torch.arange(t)
        slope = slopes(heads)[:, None, None]
        bias, self.absolute = -slope * distance, slope * torch.arange(t)
        for l, block in enumerate(core.h):
            a, m, late = block.self_attention, block.mlp, cfg.apply_residual_connection_post_layernorm
            n = self.norm(l, "beta_ln1", block.input_layernorm, x)
            q, k, v = self.linear(l, "bias_qkv", a.query_key_value, n).view(t, heads, 3, d).permute(2, 1, 0, 3)
            o = self.attention(l, q, k, v, d**-0.5, bias)
            x = self.sum(n if late else x, self.linear(l, "bias_o", a.dense, o))
            n = self.norm(l, "beta_ln2", block.post_attention_layernorm, x)
            f = self.activation(self.linear(l, "bias_fc", m.dense_h_to_4h, n))
            x = self.sum(n if late else x, self.linear(l, "bias_mlp_proj", m.dense_4h_to_h, f))
        self.logits = self.linear(0, "bias_head", model.lm_head, self.norm(0, "beta_f", core.ln_f, x))
