"""RWKV-6 (Finch) in PyTorch, written from its equations: transformers has no class of it, and the original's scan on a CPU
cuts the gradient through the state. Parameters are named as in a Hugging Face checkpoint; the state is a loop out of place,
so that autograd goes through it. x (1, T, C)."""
import types

import torch
from torch import nn
from torch.nn import functional as F

DEFAULTS = dict(attention_hidden_size=None, head_size=64, head_size_divisor=8, layer_norm_epsilon=1e-5, intermediate_size=None,
                tie_word_embeddings=False, ln_out_epsilon=1e-5)


class Config(types.SimpleNamespace):
    """ranks (of the mixing weights, of the decay) are not in config.json: 32 and 64 unless the width is 4096. The last norm
    has an eps of its own. ignored: the width of the feed-forward part is not what the key says, as in the older code."""

    def __init__(self, ranks=(32, 64), ignored=False, **fields):
        super().__init__(**{**DEFAULTS, **fields})
        self.ranks = ranks
        self.width = self.attention_hidden_size or self.hidden_size
        self.heads = self.width // self.head_size
        usual = int(self.hidden_size * 3.5) // 32 * 32
        self.inner = usual if ignored or self.intermediate_size is None else self.intermediate_size


def before(x):
    """The row before each; nothing comes before the first."""
    return F.pad(x, (0, 0, 1, 0))[:, :-1]


def matrix(r, k, decay, u):
    """The mixer as a matrix, (H, T, T): sum over keys of r_r k_c times the decays strictly between; with the bonus on the diagonal."""
    t, rows, product = len(r), [], torch.ones((0,) + r.shape[1:])
    for i in range(t):
        row = torch.einsum("hi,chi,chi->hc", r[i], k[:i], product)
        diagonal = (r[i] * u * k[i]).sum(-1)[:, None]
        rows.append(F.pad(torch.cat([row, diagonal], 1), (0, t - i - 1)))
        product = torch.cat([product * decay[i], torch.ones((1,) + r.shape[1:])])
    return torch.stack(rows, 1)


class TimeMix(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, (m, r) = c.hidden_size, c.ranks
        self.heads, self.size = c.heads, c.head_size
        for name in "xwkvrg":
            setattr(self, "time_maa_" + name, nn.Parameter(torch.empty(1, 1, d)))
        self.time_maa_w1 = nn.Parameter(torch.empty(d, 5 * m))
        self.time_maa_w2 = nn.Parameter(torch.empty(5, m, d))
        self.time_decay = nn.Parameter(torch.empty(1, 1, c.width))
        self.time_decay_w1 = nn.Parameter(torch.empty(d, r))
        self.time_decay_w2 = nn.Parameter(torch.empty(r, c.width))
        self.time_faaaa = nn.Parameter(torch.empty(c.heads, c.head_size))
        for name in ("receptance", "key", "value", "gate"):
            setattr(self, name, nn.Linear(d, c.width, bias=False))
        self.output = nn.Linear(c.width, d, bias=False)
        self.ln_x = nn.GroupNorm(c.heads, c.width, eps=1e-5 * c.head_size_divisor**2)

    def forward(self, n):
        t, xx = n.shape[1], before(n) - n
        m = torch.tanh((n + xx * self.time_maa_x) @ self.time_maa_w1).view(t, 5, -1).transpose(0, 1)
        w, k, v, r, g = (n + xx * (getattr(self, "time_maa_" + name) + m[j] @ self.time_maa_w2[j])
                         for j, name in enumerate("wkvrg"))
        split = lambda y: y[0].view(t, self.heads, self.size)  # noqa: E731
        r, k, v = split(self.receptance(r)), split(self.key(k)), split(self.value(v))
        decay = torch.exp(-torch.exp(split(self.time_decay + torch.tanh(w @ self.time_decay_w1) @ self.time_decay_w2)))
        self.seen = r, k, decay
        state, out = torch.zeros(self.heads, self.size, self.size), []
        for i in range(t):
            kv = k[i][:, :, None] * v[i][:, None, :]
            out.append((r[i][:, None, :] @ (self.time_faaaa[:, :, None] * kv + state))[:, 0])
            state = decay[i][:, :, None] * state + kv
        y = self.ln_x(torch.stack(out).view(t, -1))
        return self.output(y[None] * F.silu(self.gate(g)))


class ChannelMix(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c.hidden_size
        self.time_maa_k, self.time_maa_r = nn.Parameter(torch.empty(1, 1, d)), nn.Parameter(torch.empty(1, 1, d))
        self.key, self.value = nn.Linear(d, c.inner, bias=False), nn.Linear(c.inner, d, bias=False)
        self.receptance = nn.Linear(d, d, bias=False)

    def forward(self, n):
        xx = before(n) - n
        k = torch.relu(self.key(n + xx * self.time_maa_k)) ** 2
        return torch.sigmoid(self.receptance(n + xx * self.time_maa_r)) * self.value(k)


class Block(nn.Module):
    def __init__(self, c, first):
        super().__init__()
        norm = lambda: nn.LayerNorm(c.hidden_size, eps=c.layer_norm_epsilon)  # noqa: E731
        self.pre_ln = norm() if first else None
        self.ln1, self.ln2, self.attention, self.feed_forward = norm(), norm(), TimeMix(c), ChannelMix(c)

    def forward(self, x):
        if self.pre_ln is not None:
            x = self.pre_ln(x)
        x = x + self.attention(self.ln1(x))
        return x + self.feed_forward(self.ln2(x))


class Rwkv6(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config, self.rwkv = c, nn.Module()
        self.rwkv.embeddings = nn.Embedding(c.vocab_size, c.hidden_size)
        self.rwkv.blocks = nn.ModuleList(Block(c, i == 0) for i in range(c.num_hidden_layers))
        self.rwkv.ln_out = nn.LayerNorm(c.hidden_size, eps=c.ln_out_epsilon)
        self.head = nn.Linear(c.hidden_size, c.vocab_size, bias=False)

    def forward(self, inputs_embeds, output_attentions=False, **unused):
        x = inputs_embeds
        for block in self.rwkv.blocks:
            x = block(x)
        # Of one or two positions a matrix is a few sums that may cancel: no test of float32.
        wanted = self.rwkv.blocks if output_attentions and x.shape[1] > 2 else []
        matrices = [matrix(*b.attention.seen, b.attention.time_faaaa)[None] for b in wanted]
        return types.SimpleNamespace(logits=self.head(self.rwkv.ln_out(x)), attentions=matrices)


def check_gradient(model, ids, seed):
    """Autograd against differences, along a random direction; of every logit at the last position, weighted."""
    r = torch.Generator().manual_seed(seed)
    e = model.rwkv.embeddings(ids).detach()[None]
    v, w = torch.randn(e.shape, generator=r), torch.randn(model.config.vocab_size, generator=r)
    value = lambda x: model(x).logits[0, -1] @ w  # noqa: E731
    x = e.clone().requires_grad_()
    got = float((torch.autograd.grad(value(x), x)[0] * v).sum())
    h = 1e-6  # a squared ReLU has a second derivative that jumps
    a, b, c, d = (float(value(e + k * h * v)) for k in (-2, -1, 1, 2))
    want = (a - 8 * b + 8 * c - d) / (12 * h)
    assert abs(got - want) < 1e-7 * max(1, abs(want)), (got, want)
