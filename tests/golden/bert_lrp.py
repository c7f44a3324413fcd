"""attn_lrp on a BERT model, restated in float64 by the rules of lrp.py: LayerNorm after each part, attention both
ways, and one of three heads. A similarity holds both lengths constant, and each text takes a half of the product."""
import torch

from llama_lrp import FACTOR
from lrp import Account, closed


def distances(cfg, m, t):
    """(T, T, D) of relative keys, and whether keys have them, too; or None."""
    if cfg.position_embedding_type == "absolute":
        return None
    i = torch.arange(t)
    e = m.distance_embedding.weight[i[:, None] - i + cfg.max_position_embeddings - 1].detach()
    return e, cfg.position_embedding_type == "relative_key_query"


class Forward(Account):
    """self.logits: (1, labels), (T, V), or, of a model with embeddings, the pooled one, (1, C)."""

    def __init__(self, model, ids, segments, pooling=None, rules=True):
        super().__init__(rules)
        cfg, core, t = model.config, getattr(model, "bert", model), len(ids)
        tables, self.layers, heads = core.embeddings, cfg.num_hidden_layers, cfg.num_attention_heads
        self.factor, self.act = FACTOR[cfg.hidden_act], core.encoder.layer[0].intermediate.intermediate_act_fn
        self.embed = tables.word_embeddings.weight[ids].detach().clone().requires_grad_()
        self.types = tables.token_type_embeddings.weight[segments].detach()
        x = self.sum(self.embed, self.types)
        if cfg.position_embedding_type == "absolute":
            self.learned = tables.position_embeddings.weight[:t].detach()
            x = self.entered = self.keep(0, "sum", x + self.learned)
            x = self.divided("sum", x)
        x = self.norm(0, "beta_embed", tables.LayerNorm, x)
        for l, block in enumerate(core.encoder.layer):
            a = block.attention
            q, k, v = (self.linear(l, "bias_" + n, m, x).view(t, heads, -1).transpose(0, 1)
                       for n, m in zip("qkv", (a.self.query, a.self.key, a.self.value)))
            o = self.attention(l, q, k, v, (cfg.hidden_size // heads) ** -0.5, causal=False,
                               distances=distances(cfg, a.self, t))
            x = self.norm(l, "beta_ln1", a.output.LayerNorm, self.sum(x, self.linear(l, "bias_o", a.output.dense, o)))
            f = self.activation(self.linear(l, "bias_fc", block.intermediate.dense, x))
            f = self.linear(l, "bias_mlp_proj", block.output.dense, f)
            x = self.norm(l, "beta_ln2", block.output.LayerNorm, self.sum(x, f))
        self.logits = self.head(model, core, x, pooling)

    def head(self, model, core, x, pooling):
        if pooling:
            n = {"mean": len(x), "mean_sqrt_len": len(x) ** 0.5}.get(pooling)
            return x.sum(0, keepdim=True) / n if n else x[:1] if pooling == "cls" else x[-1:]
        if hasattr(model, "classifier"):
            p = self.linear(0, "bias_pooler", core.pooler.dense, x[:1])
            p = self.activation(p, torch.tanh, FACTOR["tanh"])
            return self.linear(0, "bias_head", model.classifier, p)
        m = model.cls.predictions
        y = self.activation(self.linear(0, "bias_transform", m.transform.dense, x))
        return self.linear(0, "bias_head", m.decoder, self.norm(0, "beta_transform", m.transform.LayerNorm, y))


class Pair:
    """Two texts, each by itself, and the cosine of what they become."""

    def __init__(self, model, ids, lens, pooling, rules=True):
        self.one = [Forward(model, i, torch.zeros_like(i), pooling, rules) for i in ids.split(lens)]
        u, v = (f.logits[0] for f in self.one)
        n = u.norm() * v.norm()
        self.value = self.one[0].product(u, v) / (n.detach() if rules else n)

    def explain(self):
        self.value.backward()
        parts, sums = [f.read() for f in self.one], {}
        for _, sinks in parts:
            for k, v in sinks.items():
                sums[k] = [a + b for a, b in zip(sums.get(k, [0.0] * len(v)), v)]
        return closed(float(self.value.detach()), torch.cat([r for r, _ in parts]), sums, self.one[0].tol)
