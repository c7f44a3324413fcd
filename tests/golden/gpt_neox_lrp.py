"""attn_lrp on a GPT-NeoX model, restated in float64; the rules and the account are those of lrp.py."""
import torch

from llama_lrp import FACTOR
from lrp import Account


class Forward(Account):
    def __init__(self, model, ids, rules=True):
        super().__init__(rules)
        cfg, core, t = model.config, model.gpt_neox, len(ids)
        self.layers = len(core.layers)
        self.act, self.factor = core.layers[0].mlp.act, FACTOR[cfg.hidden_act]
        self.embed = core.embed_in.weight[ids].detach().clone().requires_grad_()
        x, heads, d = self.embed, cfg.num_attention_heads, cfg.hidden_size // cfg.num_attention_heads
        cos, sin = (y[0] for y in core.rotary_emb(x[None], torch.arange(t)[None]))
        for l, block in enumerate(core.layers):
            z = self.linear(l, "bias_qkv", block.attention.query_key_value,
                            self.norm(l, "beta_ln1", block.input_layernorm, x))
            q, k, v = z.view(t, heads, 3, d).permute(2, 1, 0, 3)
            o = self.attention(l, q, k, v, d**-0.5, rope=(cos, sin, False))
            y = self.sum(x, self.linear(l, "bias_o", block.attention.dense, o))
            n = self.norm(l, "beta_ln2", block.post_attention_layernorm, x if cfg.use_parallel_residual else y)
            f = self.activation(self.linear(l, "bias_fc", block.mlp.dense_h_to_4h, n))
            x = self.sum(y, self.linear(l, "bias_mlp_proj", block.mlp.dense_4h_to_h, f))
        self.logits = self.linear(0, "bias_head", model.embed_out, self.norm(0, "beta_f", core.final_layer_norm, x))
