#!/usr/bin/env python3
"""bench_scan.py --heed PROGRAM [--rounds 3] [--length 1024] [--threads 2]

Times the selective scan of one layer of mamba-130m (1536 channels, 16 states, float32): heed's (bench_scan.c) as a share
of the rate of its own exponentials in the same run (one exponential for each channel, state and token; the full gradient
makes each of them twice more), and beside loops over tokens in PyTorch: forward as the slow path of transformers has it;
backward of the same loop with its slices taken by unbind, because the backward pass of a slice fills a tensor of all
tokens, for each token. Then what decay and zero padding do to the time: x is zero after the first T/16 tokens, g before
the last T/16, and states die away through the denormal numbers. Best of the rounds, one after the other within each.
Needs torch for the loops; without it prints the rest.
"""
import argparse
import sys
import time

from bench import Program

try:
    import torch
except ImportError:
    torch = None
CHANNELS, STATES = 1536, 16
PASSES = ("forward", "relevance", "gradient")


class Loops:
    def __init__(self, t, threads):
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        log = torch.distributions.Uniform(-6.9, -2.3)
        self.x, self.dt = torch.randn(1, CHANNELS, t), log.sample((1, CHANNELS, t)).exp()
        self.b, self.c, self.g = torch.randn(1, t, STATES), torch.randn(1, t, STATES), torch.randn(t, CHANNELS)
        self.a = -torch.arange(1.0, STATES + 1).expand(CHANNELS, -1)

    def forward(self):
        """MambaMixer.slow_forward, 3.b and 3.c"""
        with torch.inference_mode():
            start = time.perf_counter()
            decay = torch.exp(self.a[None, :, None, :] * self.dt[:, :, :, None])
            drive = self.dt[:, :, :, None] * self.b[:, None, :, :] * self.x[:, :, :, None]
            h, out = torch.zeros(1, CHANNELS, STATES), []
            for i in range(self.x.shape[2]):
                h = decay[:, :, i, :] * h + drive[:, :, i, :]
                out.append(torch.matmul(h, self.c[:, i, :].unsqueeze(-1))[:, :, 0])
            torch.stack(out, dim=-1)
            return time.perf_counter() - start

    def backward(self, live):
        x, dt, b, c = (y.clone().requires_grad_(i == 0 or live) for i, y in enumerate(
            (self.x[0].T.contiguous(), self.dt[0].T.contiguous(), self.b[0], self.c[0])))
        decay = torch.exp(dt[:, :, None] * self.a)
        h, out = torch.zeros(CHANNELS, STATES), []
        for a, u, b1, c1 in zip(decay.unbind(), (dt * x)[:, :, None].unbind(), b[:, None].unbind(), c.unbind()):
            h = torch.addcmul(u * b1, a, h)
            out.append(h @ c1)
        y = torch.stack(out)
        start = time.perf_counter()
        y.backward(self.g)
        return time.perf_counter() - start

    def time(self, name):
        return self.forward() if name == "forward" else self.backward(name == "gradient")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--heed", required=True)
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--length", type=int, default=1024)
    a.add_argument("--threads", type=int, default=2)
    o = a.parse_args()
    t = o.length
    heed = Program("heed", [o.heed, o.threads], False)
    print(" ".join(heed.start()), f"\n{CHANNELS} channels, {STATES} states, {t} tokens, {o.threads} threads")
    loops = Loops(t, o.threads) if torch else None
    rates, ours, theirs = [], {}, {}
    for _ in range(o.rounds):
        for name in PASSES:
            rates.append(o.threads * 2 ** 24 / float(heed.ask("rate")[0]))
            ours.setdefault(name, []).append(float(heed.ask(name, t)[0]))
            if loops:
                theirs.setdefault(name, []).append(loops.time(name))
    rate = max(rates)
    print(f"exponentials: {rate / 1e9:.1f} e9/s, median of {len(rates)} {sorted(rates)[len(rates) // 2] / 1e9:.1f}")
    print(f"{'':12}{'ms':>9}{'of the rate':>13}{'torch ms':>10}{'torch/heed':>12}")
    for name in PASSES:
        best = min(ours[name])
        line = f"{name:12}{1e3 * best:9.2f}{CHANNELS * STATES * t / best / rate:13.2f}"
        if loops:
            line += f"{1e3 * min(theirs[name]):10.1f}{min(theirs[name]) / best:12.0f}"
        print(line)
    print(f"\nzero-padded / dense, and dense in ms, by time step\n{'':12}" + "".join(
        f"{dt:>16}" for dt in ("1e-3 ... 1e-1", "1e-4 ... 1e-3", "1 ... 50")))
    for name in PASSES:
        line = f"{name:12}"
        for dt in ("init", "weak", "strong"):
            pairs = [[float(heed.ask(name, t, dt, pad)[0]) for pad in ("dense", "padded")] for _ in range(o.rounds)]
            dense, padded = map(min, zip(*pairs))
            line += f"{padded / dense:8.2f}{1e3 * dense:8.2f}"
        print(line)
    heed.stop()


if __name__ == "__main__":
    sys.exit(main())
