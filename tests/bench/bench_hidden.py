#!/usr/bin/env python3
"""bench_hidden.py --heed PROGRAM [--rounds 2] [--length 1024] [--threads 2]

Times the hidden attention of one layer of mamba-130m (1536 channels, 16 states, float32), the matrices of all channels made
into one (T, T): heed's (bench_hidden.c) as a share of the multiply-adds that the processors can do, measured in the same
run; L (L + 1) / 2 · 1536 · 16 multiply-adds are counted, whatever is done beside them. Beside it the best simple form in
PyTorch: the running state of every column, all channels and columns at once, row after row; at T = 256 and 512, where its
memory allows. Then what decay and zero padding do to the time. Best of the rounds.
Needs torch for the peer; without it prints the rest.
"""
import argparse
import sys
import time

from bench import Program

try:
    import torch
except ImportError:
    torch = None
CHANNELS, STATES, LAYERS = 1536, 16, 24
FOLDS = (("core", "sum"), ("core", "positive"), ("core", "absolute"), ("core", "max"), ("weighted", "sum"), ("block", "sum"),
         ("block", "positive"))


def columns(t, threads, at_once=64):
    """Mean over channels of the matrix: the state of each column, (channels, states, columns), goes from row to row."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    dt = torch.distributions.Uniform(-6.9, -2.3).sample((CHANNELS, t)).exp()
    b, c = torch.randn(STATES, t), torch.randn(STATES, t)
    a = -torch.arange(1.0, STATES + 1).expand(CHANNELS, -1)
    with torch.inference_mode():
        start = time.perf_counter()
        out = torch.zeros(t, t)
        for d in range(0, CHANNELS, at_once):
            x = dt[d:d + at_once]
            decay = torch.exp(a[d:d + at_once, :, None] * x[:, None, :])
            drive = x[:, None, :] * b
            h = torch.zeros(len(x), STATES, t)
            for r in range(t):
                now = h[:, :, :r + 1]
                now *= decay[:, :, r, None]
                now[:, :, r] += drive[:, :, r]
                out[r, :r + 1] += torch.einsum("dnc,n->c", now, c[:, r])
        out /= CHANNELS
        return time.perf_counter() - start


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--heed", required=True)
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--length", type=int, default=1024)
    p.add_argument("--threads", type=int, default=2)
    o = p.parse_args()
    heed = Program("heed", [o.heed, o.threads], False)
    print("heed:", *heed.start())

    def ask(line):
        return [float(x) for x in heed.ask(line)]

    best, peak = {}, 0.0
    for _ in range(o.rounds):
        peak = max(peak, ask("peak")[0])
        for kind, fold in FOLDS:
            got = ask(f"{kind} {fold} {o.length}")
            best[kind, fold] = min(best.get((kind, fold), got), got)
    work = o.length * (o.length + 1) / 2 * CHANNELS * STATES * 2
    print(f"multiply-adds: {peak / 1e9:.0f} GFLOP/s with {o.threads} threads; T = {o.length}")
    for (kind, fold), (seconds, extra, _) in best.items():
        print(f"  {kind:9}{fold:9}{seconds * 1e3:8.1f} ms  {work / seconds / peak:5.2f} of them  "
              f"{seconds / best['core', 'sum'][0]:5.2f} of core sum  {LAYERS * seconds:5.2f} s for {LAYERS} layers  "
              f"{extra / 2**20:5.1f} MiB")
    for dt in ("init", "weak", "strong"):
        for pad in ("dense", "padded"):
            seconds = min(ask(f"core sum {o.length} {dt} {pad}")[0] for _ in range(o.rounds))
            print(f"  dt {dt:7}{pad:7}{seconds * 1e3:8.1f} ms")
    for t in (256, 512) if torch else ():
        mine = min(ask(f"core sum {t}")[0] for _ in range(o.rounds))
        peer = min(columns(t, o.threads) for _ in range(o.rounds))
        print(f"  T = {t}: PyTorch, columns {peer * 1e3:.0f} ms, heed {mine * 1e3:.2f} ms: {peer / mine:.0f} x")
    heed.stop()


if __name__ == "__main__":
    sys.exit(main())
