"""Rules of linear maps from their definitions, in relevance form: R of every output to R of every input. A map is (kind,
W): kind.to(W, x), kind.back(W, s), linear in W too. The bias is one more input, of value 1."""
import fnmatch

import torch


class Dense:
    """W (out, in), x (T, in)"""

    @staticmethod
    def to(w, x):
        return x @ w.T

    @staticmethod
    def back(w, s):
        return s @ w


class Conv:
    """W (C, K), x (T, C): p[t] = sum over k of W[k] x[t - (K - 1) + k]"""

    @staticmethod
    def to(w, x):
        width, t = w.shape[1], len(x)
        x = torch.cat([torch.zeros(width - 1, x.shape[1]), x])
        return sum(w[:, k] * x[k:k + t] for k in range(width))

    @staticmethod
    def back(w, s):
        width, t = w.shape[1], len(s)
        s = torch.cat([s, torch.zeros(width - 1, s.shape[1])])
        return sum(w[:, k] * s[width - 1 - k:width - 1 - k + t] for k in range(width))


def parts(x):
    return x.clamp(min=0), x.clamp(max=0)


def stab(z, eps):
    return torch.where(z < 0, z - eps, z + eps)


def ratio(r, d):
    return torch.where(d == 0, torch.zeros_like(r), r / torch.where(d == 0, torch.ones_like(d), d))


# Each: (kind, R, x, W, b, z, numbers) -> R of x, R of b by output.
def epsilon(f, r, x, w, b, z, eps=0.0):
    s = ratio(r, stab(z, eps))
    return x * f.back(w, s), b * s


def gamma(f, r, x, w, b, z, g=0.25, eps=0.0):
    (xp, xm), (wp, wm), (bp, bm) = parts(x), parts(w), parts(b)
    more, less = w + g * wp, w + g * wm
    up = f.to(more, xp) + f.to(less, xm) + b + g * bp
    down = f.to(less, xp) + f.to(more, xm) + b + g * bm
    su, sd = ratio(r * (z > 0), stab(up, eps)), ratio(r * (z < 0), stab(down, eps))
    rx = xp * (f.back(more, su) + f.back(less, sd)) + xm * (f.back(less, su) + f.back(more, sd))
    return rx, (b + g * bp) * su + (b + g * bm) * sd


def cp_gamma(f, r, x, w, b, z, g=0.25, eps=0.0):
    more, bias = w + g * parts(w)[0], b + g * parts(b)[0]
    s = ratio(r, stab(f.to(more, x) + bias, eps))
    return x * f.back(more, s), bias * s


def alpha_beta(f, r, x, w, b, z, alpha=2.0, eps=1e-6):
    (xp, xm), (wp, wm), (bp, bm) = parts(x), parts(w), parts(b)
    sp = alpha * ratio(r, stab(f.to(wp, xp) + f.to(wm, xm) + bp, eps))
    sm = (alpha - 1) * ratio(r, stab(f.to(wm, xp) + f.to(wp, xm) + bm, eps))
    rx = xp * f.back(wp, sp) + xm * f.back(wm, sp) - xp * f.back(wm, sm) - xm * f.back(wp, sm)
    return rx, bp * sp - bm * sm


def zplus(f, r, x, w, b, z, eps=1e-6):
    return alpha_beta(f, r, x, w, b, z, 1.0, eps)


def w2(f, r, x, w, b, z):
    s = ratio(r, f.to(w**2, torch.ones_like(x)) + b**2)
    return f.back(w**2, s), b**2 * s


def flat(f, r, x, w, b, z):
    one = torch.ones_like(w)
    return f.back(one, r / f.to(one, torch.ones_like(x))), torch.zeros_like(r)


def zbox(f, r, x, w, b, z, low=-1.0, high=1.0):
    one, (wp, wm) = torch.ones_like(x), parts(w)
    s = ratio(r, f.to(w, x) - low * f.to(wp, one) - high * f.to(wm, one))
    return x * f.back(w, s) - low * f.back(wp, s) - high * f.back(wm, s), torch.zeros_like(r)


RULES = {f.__name__: f for f in (epsilon, gamma, cp_gamma, alpha_beta, zplus, w2, flat, zbox)}

# Names in the account to those that rules are chosen by. Of a matrix that is several maps, the rule must be the same.
NAMES = {"bias_qkv": "attn.q", "bias_c_attn": "attn.q", "bias_c_proj": "attn.o", "bias_fc": "mlp.fc",
         "bias_mlp_proj": "mlp.proj", "bias_in": "mixer.x", "bias_conv": "mixer.conv", "bias_out": "mixer.out",
         "bias_x": "mixer.x", "bias_y": "mixer.y",
         "bias_head": "head", "bias_patch": "patch", "bias_pooler": "pooler",
         "bias_transform": "transform", **{"bias_" + c: "attn." + c for c in "qkvo"},
         **{"bias_" + c: "mlp." + c for c in ("gate", "up", "down")},
         "map_v": "mixer.v", "map_g": "mixer.g", "map_out": "mixer.out", "map_key": "mlp.key", "map_value": "mlp.value"}

OUTSIDE = ("head", "patch", "pooler", "transform")  # of the layers


def chosen(table, l, name):
    """The last row (glob, rule, numbers ...) that means this map, or None."""
    short = NAMES[name]
    names = [short] if short in OUTSIDE else [short, f"blk.{l}.{short}"]
    rows = [row for row in table if any(fnmatch.fnmatchcase(n, row[0]) for n in names)]
    return rows[-1][1:] if rows else None


class Map(torch.autograd.Function):
    """note(share of the bias, what is lost): called on the way back."""

    @staticmethod
    def forward(ctx, x, f, w, b, rule, note):
        z = f.to(w, x) + b
        ctx.save_for_backward(x, w, b, z)
        ctx.f, ctx.rule, ctx.note = f, rule, note
        return z

    @staticmethod
    def backward(ctx, g):
        x, w, b, z = ctx.saved_tensors
        name, *numbers = ctx.rule
        # R / x at x = 0: the limit, the mean of both sides; of rules without one (w2, flat, zbox) that is 0.
        tiny = torch.finfo(x.dtype).tiny ** 0.5
        sides = [torch.where(x == 0, torch.full_like(x, t), x) for t in (tiny, -tiny)] if (x == 0).any() else [x]
        both = [RULES[name](ctx.f, z * g, y, w, b, z, *numbers) for y in sides]
        gx = sum(r / y for (r, _), y in zip(both, sides)) / len(sides)
        bias = float(both[0][1].sum())
        ctx.note(bias, float((z * g).sum() - (x * gx).sum()) - bias)
        return gx, None, None, None, None, None
