"""attn_lrp on a Gemma 3 model, restated in float64; the rules and the account are those of lrp.py. The statistics of all
norms are constant, those of queries and keys, too; factor and window of the embedding and of local layers are settings."""
import torch

from llama_lrp import FACTOR
from recurrent_gemma_lrp import Gemma, windowed


class Forward(Gemma):
    def __init__(self, model, ids, rules=True):
        super().__init__(rules)
        cfg, core, t = model.config, model.model, len(ids)
        self.layers, self.factor = len(core.layers), FACTOR[cfg.hidden_activation]
        self.act = core.layers[0].mlp.act_fn
        self.embed = x = core.embed_tokens(ids).detach().clone().requires_grad_()
        at = torch.arange(t)[None]
        tables = [[y[0] for y in r(x[None], at)] for r in (core.rotary_emb, core.rotary_emb_local)]
        masks = [windowed(t, t), windowed(t, cfg.sliding_window)]
        for l, block in enumerate(core.layers):
            local, m = (l + 1) % cfg.sliding_window_pattern != 0, block.mlp
            n = self.norm(l, None, block.input_layernorm, x)
            n = self.attend(l, block.self_attn, n, tables[local], masks[local])
            x = self.sum(x, self.norm(l, None, block.post_attention_layernorm, n))
            n = self.norm(l, None, block.pre_feedforward_layernorm, x)
            gate, up = self.linear(l, "bias_gate", m.gate_proj, n), self.linear(l, "bias_up", m.up_proj, n)
            n = self.linear(l, "bias_down", m.down_proj, self.glu(gate, up))
            x = self.sum(x, self.norm(l, None, block.post_feedforward_layernorm, n))
        z = self.linear(0, "bias_head", model.lm_head, self.norm(0, None, core.norm, x))
        cap = cfg.final_logit_softcapping
        self.logits = z if cap is None else self.capped(z, cap)

    def attend(self, l, a, n, table, mask):
        q, k, v = (self.linear(l, "bias_" + c, getattr(a, c + "_proj"), n).view(len(n), -1, a.head_dim)
                   for c in "qkv")
        q, k = self.norm(l, None, a.q_norm, q), self.norm(l, None, a.k_norm, k)
        q, k, v = (y.transpose(0, 1) for y in (q, k, v))
        k, v = (y.repeat_interleave(a.num_key_value_groups, 0) for y in (k, v))
        o = self.attention(l, q, k, v, a.config.query_pre_attn_scalar**-0.5, rope=(*table, False), causal=mask)
        return self.linear(l, "bias_o", a.o_proj, o)
