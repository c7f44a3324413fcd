#!/usr/bin/env python3
"""implicit.py OUTDIR

Writes OUTDIR/expect.safetensors: rollout, attention_x_gradient, mamba_attribution and unified_attribution on the implicit
attention of the Mamba models of MODELS, in float64, on their own texts. Needs what mamba.py needs. Values and gradients
of the residual stream are those of transformers; matrices are written out, channel by channel (arXiv:2403.01590 eq. 14,
and with convolution, activation and gate as in arXiv:2405.16504), products of the layers are formed as matrices.
Arrays (F64, I64) with the prefix "mamba/plain/T37/":

  ids (T)
  end, middle (position, id)        the targets
  CASE_end, CASE_middle (T)         CASE as in CASES below: the row of the explained position

Prints one line per model: how far matrix · operand + rest is from what the layer made, core and block, and how far the
closed form of the official vector rollout is from its product of matrices.
"""
import argparse
import copy
import pathlib

import no_torchvision  # noqa: F401
import numpy as np
import torch

import common
import float64
import llama
import mamba
import store

MODELS = ("plain", "state8_conv2_rank3", "expand1_bias", "no_conv_bias", "strong_decay", "weak_decay")
LENGTHS = (1, 5, 37)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Layer:
    """Matrices (D, T, T) of one layer, their operands (T, D), and gradients of the explained scalar."""

    def __init__(self, mixer, u):
        w = {k: v.detach().numpy() for k, v in mixer.state_dict().items()}
        t, d, n = len(u), mixer.intermediate_size, mixer.ssm_state_size
        rank, width = mixer.time_step_rank, mixer.conv_kernel_size
        xz = u @ w["in_proj.weight"].T + w.get("in_proj.bias", 0)
        self.x, self.z = xz[:, :d], xz[:, d:]
        bias, taps = w.get("conv1d.bias", np.zeros(d)), w["conv1d.weight"][:, 0]
        p = np.zeros((t, d)) + bias
        for k in range(width):
            back = width - 1 - k
            p[back:] += taps[:, k] * self.x[:t - back]
        self.act = sigmoid(p)
        self.s = s = p * self.act
        dbc = s @ w["x_proj.weight"].T
        b, c = dbc[:, rank:rank + n], dbc[:, rank + n:]
        delta = np.logaddexp(0, dbc[:, :rank] @ w["dt_proj.weight"].T + w["dt_proj.bias"])
        a = -np.exp(w["A_log"])
        self.core = np.zeros((d, t, t))
        self.code_row = {}
        self.delta, self.a, self.b, self.c = delta, a, b, c
        for r in range(t):
            for j in range(r + 1):
                decay = np.exp(a * delta[j + 1:r + 1].sum(0)[:, None])
                self.core[:, r, j] = (c[r] * decay * b[j]).sum(1) * delta[j]
        self.gate = self.z * sigmoid(self.z)
        conv = np.zeros((d, t, t))
        for i in range(t):
            for j in range(i, min(t, i + width)):
                conv[:, j, i] = taps[:, width - 1 - (j - i)]
        left = self.gate.T[:, :, None] * self.core * self.act.T[:, None, :]
        self.block = left @ conv
        y = np.einsum("drc,cd->rd", self.core, s) + w["D"] * s
        o = np.einsum("drc,cd->rd", self.block, self.x) + self.gate * w["D"] * s + np.einsum("drj,d->rd", left, bias)
        self.out_proj = w["out_proj.weight"]
        made = o @ self.out_proj.T + w.get("out_proj.bias", 0)
        want = y * self.gate @ self.out_proj.T + w.get("out_proj.bias", 0)
        self.made, self.apart = made, float(np.abs(made - want).max() / np.abs(want).max())

    def gradient(self, g):
        """g (T, C): of the explained scalar, with respect to the mixer's output."""
        self.g_block = g @ self.out_proj
        self.g_core = self.g_block * self.gate

    def row_of_the_code(self, r):
        """The vector of the released attribution: the decay of r itself is missing, and so is the diagonal."""
        out = np.zeros((len(self.a), len(self.delta)))
        for j in range(r):
            decay = np.exp(self.a * self.delta[j + 1:r].sum(0)[:, None])
            out[:, j] = (self.c[r] * decay * self.b[j]).sum(1) * self.delta[j]
        return out

    def of(self, kind):
        m, v, g = {"core": (self.core, self.s, "g_core"), "block": (self.block, self.x, "g_block")}[kind]
        return m, v, getattr(self, g, None)


def minmax(x):
    span = x.max() - x.min()
    return (x - x.min()) / span if span > 0 else np.zeros_like(x)


REDUCE = {"mean": lambda m: m.mean(0), "pos_mean": lambda m: m.clip(0).mean(0), "abs_mean": lambda m: np.abs(m).mean(0),
          "max": lambda m: m.max(0), "min": lambda m: m.min(0)}


def rowsum(m, a):
    """Divided by the sum of its row, or where that is nothing beside what it is the sum of, by the sum of |a|."""
    s = m.sum(1)
    bad = np.abs(s) < 1e-6 * np.abs(m).sum(1)
    return m / np.where(bad, np.abs(m).sum(1), s)[:, None]


def product(layers, at, row_norm, first=0, no_self=False):
    one, r, stay = np.eye(len(layers[0])), np.eye(len(layers[0])), 1.0
    for a in layers[first:]:
        m = one + a
        if row_norm:
            stay, m = stay / m[at].sum(), rowsum(m, a)
        r = m @ r
    out = r[at].copy()
    if no_self:
        out[at] -= stay
    return out


def vector(rows, at, first):
    """The official form: each row is added to every row of the identity."""
    t = len(rows[0])
    r = np.eye(t)
    for f in rows[first:]:
        r = (np.eye(t) + f[None]) / (1 + f.sum()) @ r
    a, w = 1.0, np.zeros(t)
    for f in rows[first:]:
        w += a * f / (1 + f.sum())
        a /= 1 + f.sum()
    w[at] += a
    vector.apart = max(vector.apart, float(np.abs(w - r[at]).max() / np.abs(w).max()))
    return w


vector.apart = 0.0


def rollout(kind="block", reduce="mean", form="matrix", row_norm=False, first=0, no_self=False):
    def run(layers, g, at):
        a = [REDUCE[reduce](l.of(kind)[0]) for l in layers]
        if form == "vector":
            return vector([x[at] for x in a], at, first)
        return product(a, at, row_norm, first, no_self)
    return run


def gradient(kind="block", row_norm=False, first=0):
    def run(layers, g, at):
        a = []
        for l in layers:
            m, v, gl = l.of(kind)
            a.append(np.einsum("rd,drc,cd->drc", gl, m, v).clip(0).mean(0))
        return product(a, at, row_norm, first)
    return run


def paper(kind, site="mixer_out", axis="row", reduce="mean", row_norm=False, first=0):
    def run(layers, g, at):
        a = []
        for i, l in enumerate(layers):
            s, m = g[i + (site == "mixer_out")].mean(1), REDUCE[reduce](l.of(kind)[0])
            a.append((m * (s[:, None] if axis == "row" else s[None])).clip(0))
        return product(a, at, row_norm, first)
    return run


def code(kind, site="mixer_out", s6_row="auto", norm="auto", first=None):
    def run(layers, g, at):
        start, rows = len(layers) * 5 // 8 if first is None else first, []
        for i, l in enumerate(layers):
            s = minmax(g[i + (site == "mixer_out")].clip(0).max(1))
            hidden = s6_row == "hidden_code" or (s6_row == "auto" and kind == "core")
            a = (l.row_of_the_code(at) if hidden else l.of(kind)[0][:, at]).clip(0)
            how = {"core": "block", "block": "after_product"}[kind] if norm == "auto" else norm
            f = (minmax(a) if how == "block" else a).mean(0) * s
            rows.append(minmax(f) if how == "after_product" else f)
        return vector(rows, at, start).clip(0)
    return run


CASES = {
    "rollout": rollout(), "rollout_core": rollout("core"), "rollout_norm": rollout(reduce="pos_mean", row_norm=True),
    "rollout_sums": rollout(row_norm=True),
    "rollout_abs": rollout("core", "abs_mean", row_norm=True), "rollout_pos": rollout("block", "pos_mean"),
    "rollout_max": rollout("core", "max"), "rollout_min": rollout("core", "min"), "rollout_late": rollout(first=1),
    "rollout_no_self": rollout(no_self=True), "rollout_vector": rollout("core", "abs_mean", "vector"),
    "attn_grad": gradient(), "attn_grad_core": gradient("core"), "attn_grad_norm": gradient(row_norm=True),
    "attn_grad_late": gradient(first=1),
    "mamba": paper("core"), "mamba_column": paper("core", axis="column"), "mamba_in": paper("core", "residual_in"),
    "mamba_pos": paper("core", reduce="pos_mean"), "mamba_late": paper("core", first=1),
    "mamba_code": code("core"), "mamba_code_exact": code("core", s6_row="exact", first=0),
    "mamba_code_in": code("core", "residual_in", norm="none"),
    "unified": paper("block"), "unified_norm": paper("block", row_norm=True), "unified_code": code("block"),
    "unified_code_all": code("block", first=0),
}


def one(name):
    row = mamba.MODELS[name]
    weights = common.rounded(row, mamba.draw(name, copy.deepcopy(row)))
    model, like, made, apart = mamba.build(copy.deepcopy(row), weights), row.get("like", name), {}, 0
    for t in LENGTHS:
        e, vocab = {}, model.config.vocab_size
        ids = torch.from_numpy(llama.seed("ids", like, t).integers(0, vocab, t))
        seen, inputs, outputs, hooks = [], [], [], []
        for block in model.backbone.layers:
            hooks.append(block.register_forward_hook(lambda m, i, o: seen.append(o)))
            hooks.append(block.mixer.register_forward_pre_hook(lambda m, i: inputs.append(i[0][0].detach().numpy())))
            hooks.append(block.mixer.register_forward_hook(lambda m, i, o: outputs.append(o[0].detach().numpy())))
        x = model.backbone.embeddings(ids).clone().requires_grad_()
        logits = model(inputs_embeds=x[None], use_cache=False).logits[0]
        for h in hooks:
            h.remove()
        layers = [Layer(b.mixer, u) for b, u in zip(model.backbone.layers, inputs)]
        for l, o in zip(layers, outputs):
            apart = max(apart, l.apart, float(np.abs(l.made - o).max() / np.abs(o).max()))
        best, (at, a, _) = llama.targets(ids, logits, vocab, like)
        e["ids"] = ids.numpy()
        for tag, pos, token in (("end", t - 1, best), ("middle", at, a)):
            e[tag] = np.array([pos, token])
            grads = torch.autograd.grad(logits[pos, token], [x, *seen], retain_graph=True)
            grads = [y.reshape(t, -1).numpy() for y in grads]
            for l, g in zip(layers, grads[1:]):
                l.gradient(g)
            e.update({f"{k}_{tag}": f(layers, grads, pos) for k, f in CASES.items()})
        made.update({f"mamba/{name}/T{t}/{k}": y for k, y in e.items()})
    print(f"{name:24}{apart:10.1e}{vector.apart:10.1e}", flush=True)
    return made


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("outdir", type=pathlib.Path)
    o = p.parse_args()
    o.outdir.mkdir(parents=True, exist_ok=True)
    float64.everywhere()
    float64.quiet()
    print(f"{'model':24}{'identity':>10}{'vector':>10}")
    made = {}
    for name in MODELS:
        made.update(one(name))
    store.save(o.outdir / "expect.safetensors", made)


if __name__ == "__main__":
    main()
