"""Relevance of the attention weights by the rules of Transformer-Attribution (Chefer et al. 2021), restated in
relevance form: what autograd carries back is R itself, and each operation has a backward function of its own. Divisions
are those of the official code: by z + 1e-9, and 0 where z is 0."""
import math

import torch

import bert_lrp
import bloom_lrp
import gptj_lrp
import positions
import vit_lrp
from transformers.models.llama.modeling_llama import rotate_half


def ratio(r, z):
    d = z + 1e-9
    d = torch.where(d == 0, torch.full_like(d, 1e-9), d)
    return torch.where(z == 0, torch.zeros_like(z), r / d)


noise = None  # a random generator of numpy, while values are to be off


def off(y):
    """By up to half a unit in the last place of float32."""
    return y if noise is None else y * torch.from_numpy(1 + noise.uniform(-1, 1, y.shape) * 2.0**-24)


class Rule(torch.autograd.Function):
    """y = f(*x); going back, rule(R, y, *x) gives R of each x."""

    @staticmethod
    def forward(ctx, f, rule, *x):
        y = off(f(*x))
        ctx.rule = rule
        ctx.save_for_backward(y, *x)
        return y

    @staticmethod
    def backward(ctx, r):
        y, *x = ctx.saved_tensors
        return None, None, *ctx.rule(r, y, *x)


def passes(f, x):
    """Norms, activations, the softmax with everything between it and Q K."""
    return Rule.apply(f, lambda r, y, x: (r,), x)


def product(f, *x):
    """x VJP(R / y), in equal parts."""
    def rule(r, y, *x):
        with torch.enable_grad():
            live = [v.detach().requires_grad_() for v in x]
            c = torch.autograd.grad(f(*live), live, ratio(r, y))
        return tuple(v * g / len(x) for v, g in zip(x, c))
    return Rule.apply(f, rule, *x)


def linear(x, w, b=None):
    """w: (out, in). Positive contributions alone, without the bias."""
    wp, wm = w.clamp(min=0), w.clamp(max=0)

    def rule(r, y, x):
        xp, xm = x.clamp(min=0), x.clamp(max=0)
        s = ratio(r, xp @ wp.T + xm @ wm.T)
        return (xp * (s @ wp) + xm * (s @ wm),)
    return Rule.apply(lambda x: x @ w.T if b is None else x @ w.T + b, rule, x)


def add(a, b):
    def rule(r, y, a, b):
        p, q = (v * ratio(r, y) for v in (a, b))
        both = p.sum().abs() + q.sum().abs()
        return tuple(v * ratio(ratio(v.sum().abs(), both) * r.sum(), v.sum()) for v in (p, q))
    return Rule.apply(torch.add, rule, a, b)


def gate(act, a, u):
    return product(torch.mul, passes(act, a), u)


def attend(kept, q, k, v, scale, bias=None, causal=True, distances=None):
    """(H, T, D), keys and values of fewer heads -> (T, H D). distances: rows (T, T, D) of a table that queries and, where
    the second is true, keys are multiplied with; they count to the product, and the table's half goes no further."""
    t, groups = q.shape[1], len(q) // len(k)
    k, v = (y.repeat_interleave(groups, 0) for y in (k, v))
    mask = (torch.full((t, t), -math.inf).triu(1) if causal else torch.zeros(t, t)).to(q.dtype)
    more = mask if bias is None else mask + bias
    table, both = distances or (None, False)

    def scores(q, k):
        s = q @ k.transpose(1, 2)
        s = s if table is None else s + torch.einsum("hid,ijd->hij", q, table)
        return s + torch.einsum("hjd,ijd->hij", k, table) if both else s
    s = product(scores, q, k)
    w = passes(lambda s: torch.softmax(s * scale + more, -1), s)
    w.retain_grad()
    kept.append(w)
    return product(torch.matmul, w, v).transpose(0, 1).reshape(t, -1)


# Each: (model, ids, cast, kept) -> logits; cast(tensor): a constant in the precision of the run.

def llama(model, ids, cast, kept):
    cfg, core, t = model.config, model.model, len(ids)
    x = start(core.embed_tokens.weight[ids], cast)
    cos, sin = (cast(y[0]) for y in core.rotary_emb(x[None], torch.arange(t)[None]))

    def norm(m, x):
        w = cast(m.weight)
        return passes(lambda x: w * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.variance_epsilon)), x)

    for block in core.layers:
        a, m = block.self_attn, block.mlp
        n = norm(block.input_layernorm, x)
        q, k, v = (lin(getattr(a, c + "_proj"), n, cast).view(t, -1, a.head_dim).transpose(0, 1) for c in "qkv")
        q, k = (product(lambda y: y * cos + rotate_half(y) * sin, y) for y in (q, k))
        o = attend(kept, q, k, v, a.head_dim**-0.5)
        x = add(x, lin(a.o_proj, o, cast))
        n = norm(block.post_attention_layernorm, x)
        y = gate(m.act_fn, lin(m.gate_proj, n, cast), lin(m.up_proj, n, cast))
        x = add(x, lin(m.down_proj, y, cast))
    return linear(norm(core.norm, x), cast(model.lm_head.weight))


def gpt2(model, ids, cast, kept):
    cfg, core, t = model.config, model.transformer, len(ids)
    x = start(core.wte.weight[ids] + core.wpe.weight[:t], cast)
    d = cfg.n_embd // cfg.n_head
    for l, block in enumerate(core.h):
        scale = d**-0.5 if cfg.scale_attn_weights else 1.0
        scale /= l + 1 if cfg.scale_attn_by_inverse_layer_idx else 1
        n = layernorm(block.ln_1, x, cast)
        c = block.attn.c_attn
        q, k, v = (linear(n, cast(w.T), cast(b)).view(t, -1, d).transpose(0, 1)
                   for w, b in zip(c.weight.chunk(3, 1), c.bias.chunk(3)))
        x = add(x, conv1d(block.attn.c_proj, attend(kept, q, k, v, scale), cast))
        f = passes(block.mlp.act, conv1d(block.mlp.c_fc, layernorm(block.ln_2, x, cast), cast))
        x = add(x, conv1d(block.mlp.c_proj, f, cast))
    return linear(layernorm(core.ln_f, x, cast), cast(model.lm_head.weight))


def gpt_neox(model, ids, cast, kept):
    cfg, core, t = model.config, model.gpt_neox, len(ids)
    heads, d = cfg.num_attention_heads, cfg.hidden_size // cfg.num_attention_heads
    x = start(core.embed_in.weight[ids], cast)
    cos, sin = (cast(y[0]) for y in core.rotary_emb(x[None], torch.arange(t)[None]))
    for block in core.layers:
        a, m = block.attention, block.mlp
        q, k, v = fused(a.query_key_value, layernorm(block.input_layernorm, x, cast), heads, d, cast)
        q, k = (product(lambda y: rotate(y, cos, sin, False), y) for y in (q, k))
        y = add(x, lin(a.dense, attend(kept, q, k, v, d**-0.5), cast))
        n = layernorm(block.post_attention_layernorm, x if cfg.use_parallel_residual else y, cast)
        f = passes(m.act, lin(m.dense_h_to_4h, n, cast))
        x = add(y, lin(m.dense_4h_to_h, f, cast))
    return linear(layernorm(core.final_layer_norm, x, cast), cast(model.embed_out.weight))


def gptj(model, ids, cast, kept):
    cfg, core, t = model.config, model.transformer, len(ids)
    x = start(core.wte.weight[ids], cast)
    d = cfg.n_embd // cfg.n_head
    cos, sin = gptj_lrp.tables(t, cfg.rotary_dim)
    for block in core.h:
        a, m = block.attn, block.mlp
        n = layernorm(block.ln_1, x, cast)
        q, k, v = (lin(getattr(a, c + "_proj"), n, cast).view(t, -1, d).transpose(0, 1) for c in "qkv")
        q, k = (product(lambda y: rotate(y, cos, sin, True), y) for y in (q, k))
        o = lin(a.out_proj, attend(kept, q, k, v, d**-0.5), cast)
        f = lin(m.fc_out, passes(m.act, lin(m.fc_in, n, cast)), cast)
        x = add(add(x, o), f)
    return lin(model.lm_head, layernorm(core.ln_f, x, cast), cast)


def bloom(model, ids, cast, kept):
    cfg, core, t = model.config, model.transformer, len(ids)
    heads, d, late = cfg.n_head, cfg.hidden_size // cfg.n_head, cfg.apply_residual_connection_post_layernorm
    x = layernorm(core.word_embeddings_layernorm, start(core.word_embeddings.weight[ids], cast), cast)
    distance = torch.arange(t)[:, None] - torch.arange(t)
    bias = cast(-bloom_lrp.slopes(heads)[:, None, None] * distance.double())
    for block in core.h:
        a, m = block.self_attention, block.mlp
        n = layernorm(block.input_layernorm, x, cast)
        q, k, v = fused(a.query_key_value, n, heads, d, cast)
        x = add(n if late else x, lin(a.dense, attend(kept, q, k, v, d**-0.5, bias), cast))
        n = layernorm(block.post_attention_layernorm, x, cast)
        f = passes(m.gelu_impl, lin(m.dense_h_to_4h, n, cast))
        x = add(n if late else x, lin(m.dense_4h_to_h, f, cast))
    return linear(layernorm(core.ln_f, x, cast), cast(model.lm_head.weight))


def rotate(x, cos, sin, neighbours):
    """The first dimensions of (H, T, D), as many as tables have."""
    y, rest = x[..., :cos.shape[-1]], x[..., cos.shape[-1]:]
    return torch.cat((y * cos + positions.turned(y, neighbours) * sin, rest), -1)


def encoder(a, n, heads, cast, kept, distances=None):
    """Attention both ways of a BERT or ViT block; a: of it, with query, key and value."""
    q, k, v = (lin(m, n, cast).view(len(n), heads, -1).transpose(0, 1) for m in (a.query, a.key, a.value))
    return attend(kept, q, k, v, q.shape[-1] ** -0.5, causal=False, distances=distances)


def bert(model, text, cast, kept):
    """text: (ids, segments)"""
    ids, segments = text
    core = getattr(model, "bert", model)
    e, heads = core.embeddings, model.config.num_attention_heads
    x = e.word_embeddings.weight[ids] + e.token_type_embeddings.weight[segments]
    if model.config.position_embedding_type == "absolute":
        x = x + e.position_embeddings.weight[:len(ids)]
    x = layernorm(e.LayerNorm, start(x, cast), cast)
    for block in core.encoder.layer:
        a = block.attention
        table = bert_lrp.distances(model.config, a.self, len(ids))
        table = table and (cast(table[0]), table[1])
        o = lin(a.output.dense, encoder(a.self, x, heads, cast, kept, table), cast)
        x = layernorm(a.output.LayerNorm, add(x, o), cast)
        f = passes(block.intermediate.intermediate_act_fn, lin(block.intermediate.dense, x, cast))
        x = layernorm(block.output.LayerNorm, add(x, lin(block.output.dense, f, cast)), cast)
    if hasattr(model, "classifier"):
        return lin(model.classifier, passes(torch.tanh, lin(core.pooler.dense, x[:1], cast)), cast)
    m = model.cls.predictions
    y = passes(m.transform.transform_act_fn, lin(m.transform.dense, x, cast))
    return lin(m.decoder, layernorm(m.transform.LayerNorm, y, cast), cast)


def vit(model, pixels, cast, kept):
    core = getattr(model, model.config.model_type)
    e, heads, patch = core.embeddings, model.config.num_attention_heads, core.embeddings.patch_embeddings.projection
    tokens = [e.cls_token[0]] + ([e.distillation_token[0]] if hasattr(e, "distillation_token") else [])
    x = vit_lrp.unfold(pixels, tuple(e.patch_embeddings.patch_size)) @ patch.weight.flatten(1).T + patch.bias
    x = start(torch.cat([*tokens, x]) + e.position_embeddings[0], cast)
    for block in core.encoder.layer:
        n = layernorm(block.layernorm_before, x, cast)
        o = encoder(block.attention.attention, n, heads, cast, kept)
        x = add(x, lin(block.attention.output.dense, o, cast))
        f = lin(block.intermediate.dense, layernorm(block.layernorm_after, x, cast), cast)
        x = add(x, lin(block.output.dense, passes(block.intermediate.intermediate_act_fn, f), cast))
    x = layernorm(core.layernorm, x, cast)
    heads = [model.cls_classifier, model.distillation_classifier] if hasattr(model, "cls_classifier") else [model.classifier]
    w, b = torch.cat([m.weight for m in heads], 1) / len(heads), sum(m.bias for m in heads) / len(heads)
    return linear(x[:len(heads)].reshape(1, -1), cast(w), cast(b))


def start(x, cast):
    return cast(x).requires_grad_()


def lin(m, x, cast):
    return linear(x, cast(m.weight), None if m.bias is None else cast(m.bias))


def conv1d(m, x, cast):
    return linear(x, cast(m.weight.T), cast(m.bias))


def fused(m, x, heads, d, cast):
    """q, k, v of every head side by side -> three (H, T, D), each its own linear map."""
    w, b = m.weight.view(heads, 3, d, -1), None if m.bias is None else m.bias.view(heads, 3, d)
    return [linear(x, cast(w[:, i].reshape(heads * d, -1)), None if b is None else cast(b[:, i].reshape(-1)))
            .view(len(x), heads, d).transpose(0, 1) for i in range(3)]


def layernorm(m, x, cast):
    w, b = cast(m.weight), cast(m.bias)

    def f(x):
        x = x - x.mean(-1, keepdim=True)
        return w * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.eps)) + b
    return passes(f, x)


def of(family, model, ids, at, seed, logits, rough=None):
    """R of the attention weights of every layer, (H, T, T). seed: id -> R. logits: what the model must give. rough: a
    random generator, for weights and values that are off."""
    global noise
    noise = rough

    def cast(y):
        return off(y.detach()).clone()

    kept = []
    got = globals()[family](model, ids, cast, kept)
    if logits is not None:
        assert float((got.detach() - logits).abs().max() / logits.abs().max()) < 1e-12
    r = torch.zeros_like(got)
    for k, c in seed.items():
        r[at, k] = c
    got.backward(r)
    return [w.grad.detach().double() for w in kept]
