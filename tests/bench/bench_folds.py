#!/usr/bin/env python3
"""bench_folds.py --heed PROGRAM [--length 1024] [--threads 2]

Prints what bench_folds prints, then the core matrices of the same layers, mean and mean of absolute values over heads or
channels, by a simple PyTorch form: no loop over entries, memory for a part of the heads. Best of two. Needs torch.
"""
import argparse
import subprocess
import time

import torch


def ssd(t):
    c, b = torch.randn(t, 128), torch.randn(t, 128)
    dt, a = torch.rand(24, t) * 0.1, -(1 + torch.arange(24.0))

    def fold(f):
        s, gram, out = (dt * a[:, None]).cumsum(1), c @ b.T, torch.zeros(t, t)
        for h in range(24):
            out += f((gram * torch.exp((s[h, :, None] - s[h, None, :]).clamp(max=0)) * dt[h]).tril())
        return out
    return fold


def gla(t):
    r, k = torch.randn(t, 12, 64), torch.randn(t, 12, 64)
    d = torch.exp(-torch.exp(torch.rand(t, 12, 64) * 5 - 6))

    def fold(f):
        state, out = torch.zeros(t, 12, 64), torch.zeros(t, t)
        for i in range(t):
            out[i, :i] = f(torch.einsum("chk,hk->ch", state[:i], r[i])).sum(1)
            state[:i] *= d[i]
            state[i] = k[i]
        return out
    return fold


def wkv(t):
    k, w = torch.rand(768, t) * 4 - 2, -torch.exp(torch.rand(768) * 6 - 6)
    lag = (torch.arange(t)[:, None] - torch.arange(t) - 1).float()
    own, never = torch.eye(t, dtype=torch.bool), torch.ones(t, t, dtype=torch.bool).triu(1)

    def fold(f):
        out = torch.zeros(t, t)
        for e in range(0, 768, 16):
            x = w[e:e + 16, None, None] * lag + k[e:e + 16, None, :]
            x = torch.where(own, 0.5 + k[e:e + 16, None, :], x).masked_fill(never, -torch.inf)
            out += f(x.softmax(2)).sum(0)
        return out
    return fold


def rglru(t):
    log_a, w = -torch.rand(2560, t) * 8, torch.rand(2560, t)

    def fold(f):
        s, out = log_a.cumsum(1), torch.zeros(t, t)
        for e in range(0, 2560, 16):
            m = torch.exp((s[e:e + 16, :, None] - s[e:e + 16, None, :]).clamp(max=0)) * w[e:e + 16, None, :]
            out += f(m.tril()).sum(0)
        return out
    return fold


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--heed", required=True)
    p.add_argument("--length", type=int, default=1024)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    subprocess.run([a.heed, str(a.threads), str(a.length)], check=True)
    torch.set_num_threads(a.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    print(f"torch {torch.__version__}: ms of core, core absolute")
    for make in (ssd, gla, wkv, rglru):
        fold, times = make(a.length), []
        for f in (lambda x: x, torch.abs):
            best = float("inf")
            for _ in range(2):
                start = time.perf_counter()
                fold(f)
                best = min(best, time.perf_counter() - start)
            times.append(1e3 * best)
        print(f"{make.__name__:7}" + "".join(f"{x:10.1f}" for x in times), flush=True)


if __name__ == "__main__":
    main()
