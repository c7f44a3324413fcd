"""attn_lrp on ViT and DeiT, restated in float64 as a gradient pass: the rules of gpt2_lrp.py with attention both ways.
Read at the pixels that enter the patch projection, and at the learned tokens, which replace its first rows."""
import torch
import torch.nn.functional as F

import gpt2_lrp
from llama_lrp import FACTOR

SINKS = ("bias_q", "bias_k", "bias_v", "bias_o", "bias_fc", "bias_mlp_proj", "beta_ln1", "beta_ln2")


def unfold(pixels, size):
    """(channels, height, width) -> (patches, channels height width), row by row; what is left over is cut off."""
    h, w = (pixels.shape[1] // size[0] * size[0], pixels.shape[2] // size[1] * size[1])
    return F.unfold(pixels[None, :, :h, :w], size, stride=size)[0].T


class Forward(gpt2_lrp.Forward):
    def __init__(self, model, pixels, rules=True):
        cfg, self.rules, self.seen = model.config, rules, {}
        core = getattr(model, cfg.model_type)
        e, self.layers, heads = core.embeddings, len(core.encoder.layer), cfg.num_attention_heads
        self.act, self.factor = core.encoder.layer[0].intermediate.intermediate_act_fn, FACTOR[cfg.hidden_act]
        learned = [e.cls_token[0]] + ([e.distillation_token[0]] if cfg.model_type == "deit" else [])
        self.learned = torch.cat(learned).detach().clone().requires_grad_()
        size = tuple(e.patch_embeddings.patch_size)
        self.embed = unfold(pixels, size).detach().clone().requires_grad_()
        patch = e.patch_embeddings.projection
        x = self.shifted(0, "bias_patch", self.embed @ patch.weight.flatten(1).T, patch.bias)
        x = torch.cat([self.learned, x])
        self.positions, t = e.position_embeddings[0].detach(), len(x)
        x = self.keep(0, "sum", x + self.positions)
        for l, block in enumerate(core.encoder.layer):
            n, a = self.norm(l, "beta_ln1", block.layernorm_before, x), block.attention.attention
            q, k, v = (self.linear(l, "bias_" + c, m, n).view(t, heads, -1).transpose(0, 1)
                       for c, m in (("q", a.query), ("k", a.key), ("v", a.value)))
            q = self.keep(l, "q", q)
            s = self.keep(l, "s", self.product(q, k.transpose(1, 2)) * (cfg.hidden_size // heads) ** -0.5)
            w = self.keep(l, "w", torch.softmax(s, -1))
            o = self.keep(l, "o", self.product(w, v))
            x = x + self.linear(l, "bias_o", block.attention.output.dense, o.transpose(0, 1).reshape(t, -1))
            f = self.linear(l, "bias_fc", block.intermediate.dense, self.norm(l, "beta_ln2", block.layernorm_after, x))
            f = f * self.factor(f).detach() if rules else self.act(f)
            x = x + self.linear(l, "bias_mlp_proj", block.output.dense, f)
        x = self.norm(0, "beta_f", core.layernorm, x)
        if hasattr(model, "cls_classifier"):
            y = [(model.cls_classifier, x[0]), (model.distillation_classifier, x[1])]
            self.logits, self.bias = sum(m.weight @ h + m.bias for m, h in y) / 2, sum(m.bias for m, _ in y) / 2
        else:
            self.logits, self.bias = model.classifier.weight @ x[0] + model.classifier.bias, model.classifier.bias

    def linear(self, l, name, m, x):
        return self.shifted(l, name, x @ m.weight.T, torch.zeros(len(m.weight)) if m.bias is None else m.bias)

    def explain(self, seed):
        """seed: coefficients of the logits -> (patches, pixels) relevance, (learned) relevance, {sink: (L,) or (1,)}."""
        value = self.logits @ seed
        value.backward()
        sinks = {"kappa": [self.kappa(l) for l in range(self.layers)]}
        for name in SINKS:
            sinks[name] = [self.absorbed(l, name) for l in range(self.layers)]
        sinks["bias_patch"], sinks["beta_f"] = [self.absorbed(0, "bias_patch")], [self.absorbed(0, "beta_f")]
        sinks["unread"] = [float((self.positions * self.seen[0, "sum"].grad).sum())]
        sinks["bias_head"] = [float(self.bias @ seed)]
        relevance = (self.embed * self.embed.grad).detach()
        learned, value = (self.learned * self.learned.grad).detach().sum(1), float(value.detach())
        rest = value - float(relevance.sum()) - float(learned.sum()) - sum(map(sum, sinks.values()))
        total = max(abs(value), float(relevance.sum(1).abs().sum() + learned.abs().sum()))
        assert abs(rest) < 1e-12 * total, (rest, total)
        return relevance.numpy(), learned.numpy(), sinks, abs(rest) / total
