#!/usr/bin/env python3
"""Trains the model and writes it in Hugging Face format. Needs torch, tokenizers and safetensors, on a GPU also triton.

    python3 train.py data .                        the shipped model: trained on train/ and validation/
    python3 train.py data /tmp/try --validate      trained on train/ alone, measured on validation/
    python3 train.py --check                       the scan and its gradients against a plain loop in float64

Data, tokenizer, loss, optimizer and options are those of ../austen-llama/train.py; here are the Mamba and its files. On a GPU
the scan over the tokens is one kernel forward and one backward; elsewhere it is a plain loop, right but slow.
"""
import argparse
import functools
import json
import math
import pathlib
import shutil
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

LLAMA = pathlib.Path(__file__).resolve().parent.parent / "austen-llama"
sys.path.insert(0, str(LLAMA))
import train as recipe  # noqa: E402

KERNEL, EXPAND = 4, 2  # taps of the convolution, channels per width
STEP_MIN, STEP_MAX = 1e-3, 0.1
BLOCK = 32  # channels of one program


def loop(u, dt, A, B, C):
    """y of state[t] = exp(dt[t] A) state[t-1] + dt[t] u[t] B[t], y[t] = state[t] C[t]; u, dt (batch, time, channel), A (channel,
    state), B, C (batch, time, state)."""
    state, y = u.new_zeros(u.shape[0], *A.shape), []
    for t in range(u.shape[1]):
        state = torch.exp(dt[:, t, :, None] * A) * state + (dt[:, t] * u[:, t])[..., None] * B[:, t, None]
        y.append((state * C[:, t, None]).sum(-1))
    return torch.stack(y, 1)


if triton:
    @triton.jit
    def forward_kernel(u, dt, A, B, C, y, states, T, D, N: tl.constexpr, BLOCK: tl.constexpr):
        b = tl.program_id(0)
        n = tl.arange(0, N)
        d = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
        inside = d < D
        cell, cells = d[:, None] * N + n[None, :], inside[:, None] & (n[None, :] < N)
        a = tl.load(A + cell, mask=cells, other=0.0)
        state = tl.zeros((BLOCK, N), tl.float32)
        for t in range(T):
            row = b * T + t
            step = tl.load(dt + row * D + d, mask=inside, other=0.0)
            fed = step * tl.load(u + row * D + d, mask=inside, other=0.0)
            state = tl.exp(step[:, None] * a) * state + fed[:, None] * tl.load(B + row * N + n)[None, :]
            tl.store(states + row * D * N + cell, state, mask=cells)
            tl.store(y + row * D + d, tl.sum(state * tl.load(C + row * N + n)[None, :], 1), mask=inside)

    @triton.jit
    def backward_kernel(u, dt, A, B, C, states, dy, du, ddt, dA, dB, dC, batch, T, D, N: tl.constexpr, BLOCK: tl.constexpr):
        b, block = tl.program_id(0), tl.program_id(1)
        n = tl.arange(0, N)
        d = block * BLOCK + tl.arange(0, BLOCK)
        inside = d < D
        cell, cells = d[:, None] * N + n[None, :], inside[:, None] & (n[None, :] < N)
        a = tl.load(A + cell, mask=cells, other=0.0)
        later = tl.zeros((BLOCK, N), tl.float32)  # gradient of the state
        ofA = tl.zeros((BLOCK, N), tl.float32)
        state = tl.load(states + (b * T + T - 1) * D * N + cell, mask=cells, other=0.0)
        for back in range(T):
            t = T - 1 - back
            row = b * T + t
            before = tl.load(states + (row - 1) * D * N + cell, mask=cells & (t > 0), other=0.0)
            x = tl.load(u + row * D + d, mask=inside, other=0.0)
            step = tl.load(dt + row * D + d, mask=inside, other=0.0)
            out = tl.load(dy + row * D + d, mask=inside, other=0.0)
            bt, ct = tl.load(B + row * N + n), tl.load(C + row * N + n)
            later += out[:, None] * ct[None, :]
            kept = tl.exp(step[:, None] * a)
            decay = later * before * kept
            ofB = tl.sum(later * bt[None, :], 1)
            ofA += decay * step[:, None]
            tl.store(du + row * D + d, step * ofB, mask=inside)
            tl.store(ddt + row * D + d, tl.sum(decay * a, 1) + x * ofB, mask=inside)
            share = (block * batch * T + row) * N + n  # summed over the blocks afterwards
            tl.store(dC + share, tl.sum(out[:, None] * state, 0))
            tl.store(dB + share, tl.sum(later * (step * x)[:, None], 0))
            later *= kept
            state = before
        tl.store(dA + b * D * N + cell, ofA, mask=cells)


class Scan(torch.autograd.Function):
    """loop() as kernels, in float32."""

    @staticmethod
    @functools.partial(torch.amp.custom_fwd, device_type="cuda", cast_inputs=torch.float32)
    def forward(ctx, *inputs):
        u, dt, A, B, C = inputs = [x.contiguous() for x in inputs]
        (batch, T, D), N = u.shape, A.shape[1]
        y, states = torch.empty_like(u), u.new_empty(batch, T, D, N)
        forward_kernel[batch, triton.cdiv(D, BLOCK)](*inputs, y, states, T, D, N, BLOCK, num_warps=1)
        ctx.save_for_backward(*inputs, states)
        return y

    @staticmethod
    @functools.partial(torch.amp.custom_bwd, device_type="cuda")
    def backward(ctx, dy):
        *inputs, states = ctx.saved_tensors
        u, dt, A, B, C = inputs
        (batch, T, D), N, blocks = u.shape, A.shape[1], triton.cdiv(u.shape[2], BLOCK)
        du, ddt, dA = torch.empty_like(u), torch.empty_like(dt), A.new_empty(batch, D, N)
        dB, dC = B.new_empty(blocks, batch, T, N), C.new_empty(blocks, batch, T, N)
        backward_kernel[batch, blocks](*inputs, states, dy.contiguous(), du, ddt, dA, dB, dC, batch, T, D, N, BLOCK, num_warps=1)
        return du, ddt, dA.sum(0), dB.sum(0), dC.sum(0)


def scan(*inputs):
    return Scan.apply(*inputs) if triton and inputs[0].is_cuda else loop(*inputs)


def check(device, kernels):
    """Largest difference from the loop in float64, relative to the largest value."""
    worst = 0.0
    for batch, T, D, N in ((1, 1, 5, 8), (2, 9, 40, 16), (3, 17, 64, 8)):
        exact = [torch.randn(batch, T, D), torch.rand(batch, T, D) * 0.5, -torch.rand(D, N) * 4, torch.randn(batch, T, N),
                 torch.randn(batch, T, N), torch.randn(batch, T, D)]
        results = []
        for f, kind, where in ((loop, torch.float64, "cpu"), (kernels, torch.float32, device)):
            *inputs, weight = [x.to(where, kind) for x in exact]
            inputs = [x.requires_grad_() for x in inputs]
            y = f(*inputs)
            results.append([y.detach(), *torch.autograd.grad((y * weight).sum(), inputs)])
        for right, found in zip(*results):
            worst = max(worst, ((found.to("cpu", torch.float64) - right).abs().max() / (right.abs().max() + 1e-30)).item())
    print(f"scan against a loop in float64: {worst:.1e}")
    return worst < 1e-5


class Conv(nn.Module):
    """Each channel's last KERNEL values weighted."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, KERNEL).uniform_(-1, 1) / math.sqrt(KERNEL))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        t, x = x.shape[1], F.pad(x, (0, 0, KERNEL - 1, 0))
        return self.bias + sum(x[:, k:k + t] * self.weight[:, k] for k in range(KERNEL))


class Mixer(nn.Module):
    def __init__(self, c, state):
        super().__init__()
        channels, self.rank, self.state = EXPAND * c.width, math.ceil(c.width / 16), state
        self.in_proj = nn.Linear(c.width, 2 * channels, bias=False)
        self.conv1d = Conv(channels)
        self.x_proj = nn.Linear(channels, self.rank + 2 * state, bias=False)
        self.dt_proj = nn.Linear(self.rank, channels)
        self.out_proj = nn.Linear(channels, c.width, bias=False)
        # flat, so that the optimizer sees no matrix and lets it not decay
        self.A_log = nn.Parameter(torch.arange(1.0, state + 1).log().repeat(channels))
        self.D = nn.Parameter(torch.ones(channels))
        with torch.no_grad():
            self.out_proj.weight /= math.sqrt(c.layers)
            self.dt_proj.weight.uniform_(-1, 1).mul_(self.rank ** -0.5)
            step = torch.empty(channels).uniform_(math.log(STEP_MIN), math.log(STEP_MAX)).exp()
            self.dt_proj.bias.copy_(step + torch.log(-torch.expm1(-step)))  # softplus of it is step

    def forward(self, x):
        u, gate = self.in_proj(x).chunk(2, -1)
        u = F.silu(self.conv1d(u))
        dt, B, C = self.x_proj(u).split([self.rank, self.state, self.state], -1)
        y = scan(u, F.softplus(self.dt_proj(dt)), -self.A_log.view(-1, self.state).exp(), B, C) + u * self.D
        return self.out_proj(y * F.silu(gate))


class Block(nn.Module):
    def __init__(self, c, state):
        super().__init__()
        self.norm, self.mixer, self.drop = nn.RMSNorm(c.width, eps=1e-5), Mixer(c, state), nn.Dropout(c.dropout)

    def forward(self, x):
        return x + self.drop(self.mixer(self.norm(x)))


class Mamba(nn.Module):
    """Same names as transformers' MambaModel; the head is the embedding."""

    def __init__(self, c, state):
        super().__init__()
        self.embeddings = nn.Embedding(c.vocabulary, c.width)
        self.layers = nn.ModuleList(Block(c, state) for _ in range(c.layers))
        self.norm_f = nn.RMSNorm(c.width, eps=1e-5)
        self.drop = nn.Dropout(c.dropout)
        nn.init.normal_(self.embeddings.weight, std=0.02)

    def forward(self, ids):
        x = self.drop(self.embeddings(ids))
        for layer in self.layers:
            x = layer(x)
        return F.linear(self.norm_f(x), self.embeddings.weight)


def shared_tokenizer(texts, size):
    from tokenizers import Tokenizer
    return Tokenizer.from_file(str(LLAMA / "tokenizer.json"))


def export(model, c, tokenizer, out):
    from safetensors.torch import save_file
    out.mkdir(parents=True, exist_ok=True)
    mixer, weights = model.layers[0].mixer, {}
    for name, value in model.state_dict().items():
        if name.endswith("conv1d.weight"):
            value = value[:, None]
        elif name.endswith("A_log"):
            value = value.view(-1, mixer.state)
        weights["backbone." + name] = value.detach().to("cpu", torch.bfloat16).contiguous()
    save_file(weights, str(out / "model.safetensors"), metadata={"format": "pt"})
    config = {
        "architectures": ["MambaForCausalLM"], "model_type": "mamba", "torch_dtype": "bfloat16",
        "vocab_size": c.vocabulary, "hidden_size": c.width, "intermediate_size": EXPAND * c.width, "expand": EXPAND,
        "num_hidden_layers": c.layers, "state_size": mixer.state, "conv_kernel": KERNEL, "time_step_rank": mixer.rank,
        "time_step_scale": 1.0, "time_step_min": STEP_MIN, "time_step_max": STEP_MAX, "time_step_floor": 1e-4,
        "time_step_init_scheme": "random", "rescale_prenorm_residual": False, "use_bias": False, "use_conv_bias": True,
        "hidden_act": "silu", "layer_norm_epsilon": 1e-5, "residual_in_fp32": True, "tie_word_embeddings": True,
        "use_cache": True, "use_mambapy": False, "initializer_range": 0.02,
        "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(LLAMA / name, out / name)


def main():
    a = argparse.ArgumentParser(add_help=False)
    a.add_argument("--state", type=int, default=16)
    a.add_argument("--check", action="store_true")
    own, rest = a.parse_known_args()
    if own.check:
        sys.exit(0 if check("cuda" if torch.cuda.is_available() else "cpu", scan) else 1)
    recipe.Llama, recipe.export, recipe.train_tokenizer = functools.partial(Mamba, state=own.state), export, shared_tokenizer
    sys.argv[1:] = ["--width", "168", *rest]
    recipe.main()


if __name__ == "__main__":
    main()
