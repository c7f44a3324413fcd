"""attn_lrp on ViT and DeiT, restated in float64 by the rules of lrp.py: attention both ways. Read at the pixels that
enter the patch projection, and at the learned tokens, which replace its first rows. Two heads are one map of both
tokens, W = 1/2 [W1 W2]."""
import torch
import torch.nn.functional as F

from linear_rules import Dense
from llama_lrp import FACTOR
from lrp import Account


def unfold(pixels, size):
    """(channels, height, width) -> (patches, channels height width), row by row; what is left over is cut off."""
    h, w = (pixels.shape[1] // size[0] * size[0], pixels.shape[2] // size[1] * size[1])
    return F.unfold(pixels[None, :, :h, :w], size, stride=size)[0].T


class Forward(Account):
    """self.logits: (1, V)."""

    def __init__(self, model, pixels, rules=True):
        super().__init__(rules)
        cfg = model.config
        core = getattr(model, cfg.model_type)
        e, self.layers, heads = core.embeddings, len(core.encoder.layer), cfg.num_attention_heads
        self.act, self.factor = core.encoder.layer[0].intermediate.intermediate_act_fn, FACTOR[cfg.hidden_act]
        learned = [e.cls_token[0]] + ([e.distillation_token[0]] if cfg.model_type == "deit" else [])
        self.tokens = torch.cat(learned).detach().clone().requires_grad_()
        patch, self.pixels, self.size = e.patch_embeddings.projection, pixels.shape, e.patch_embeddings.patch_size
        rows = unfold(pixels, tuple(self.size))
        self.embed = rows.detach().to(patch.weight.dtype).clone().requires_grad_()
        x = self.map(0, "bias_patch", Dense, patch.weight.flatten(1), patch.bias, self.embed)
        self.learned = e.position_embeddings[0].detach()
        x = self.entered = self.keep(0, "sum", torch.cat([self.tokens, x]) + self.learned)
        x = self.divided("sum", x)
        for l, block in enumerate(core.encoder.layer):
            n, a, t = self.norm(l, "beta_ln1", block.layernorm_before, x), block.attention.attention, len(x)
            q, k, v = (self.linear(l, "bias_" + c, m, n).view(t, heads, -1).transpose(0, 1)
                       for c, m in (("q", a.query), ("k", a.key), ("v", a.value)))
            o = self.attention(l, q, k, v, (cfg.hidden_size // heads) ** -0.5, causal=False)
            x = self.sum(x, self.linear(l, "bias_o", block.attention.output.dense, o))
            f = self.linear(l, "bias_fc", block.intermediate.dense, self.norm(l, "beta_ln2", block.layernorm_after, x))
            x = self.sum(x, self.linear(l, "bias_mlp_proj", block.output.dense, self.activation(f)))
        x = self.norm(0, "beta_f", core.layernorm, x)
        both = hasattr(model, "cls_classifier")
        maps = (model.cls_classifier, model.distillation_classifier) if both else (model.classifier,)
        w, b = torch.cat([m.weight for m in maps], 1) / len(maps), sum(m.bias for m in maps) / len(maps)
        self.logits = self.map(0, "bias_head", Dense, w, b, x[:len(maps)].reshape(1, -1))

    def linear(self, l, name, m, x):
        return self.map(l, name, Dense, m.weight, torch.zeros(len(m.weight)) if m.bias is None else m.bias, x)
