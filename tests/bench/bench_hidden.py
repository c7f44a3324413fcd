#!/usr/bin/env python3
"""bench_hidden.py --heed PROGRAM [--rounds 3] [--length 1024] [--threads 2]

Times the matrices of one layer of mamba-130m (1536 channels, 16 states, float32), folded over the channels to one (T, T)
matrix (bench_hidden.c): with time steps of 1e-4 ... 1e-3, where every state counts, as a share of the multiply-adds that the
processor does from registers in the same run, T (T+1) / 2 entries of 16 for each channel; with those of a model before
training, 1e-3 ... 1e-1, where states that are 2^30 below another are left out, and 24 layers of these one after the other;
then what weak and strong decay and zero padding do to the time, and the last row alone. Beside it at T = 256 and 512 running states in PyTorch, the faster of two
forms: all columns and channels at once, and 64 channels at a time; they are compared with the definition before. PyTorch runs
when heed has ended, because its threads go on spinning. Best of the rounds, one after the other within each. Needs torch
for the peer; without it prints the rest.
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
ROWS = (("core", "sum"), ("core", "positive"), ("core", "absolute"), ("core", "square"), ("core", "max"),
        ("weighted", "sum"), ("weighted", "absolute"), ("block", "sum"), ("block", "absolute"))


class Peer:
    """Mean of absolute values over the channels."""

    def __init__(self, t, threads, channels=CHANNELS):
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        torch.manual_seed(1)
        self.t, self.channels = t, channels
        self.dt = torch.empty(channels, t).uniform_(-6.9, -2.3).exp()
        self.b, self.c = torch.randn(t, STATES), torch.randn(t, STATES)
        self.a = -torch.arange(1.0, STATES + 1).expand(channels, -1)

    def running(self, chunk):
        out = torch.zeros(self.t, self.t)
        for d in range(0, self.channels, chunk):
            dt, a = self.dt[d:d + chunk], self.a[d:d + chunk]
            h = torch.zeros(self.t, dt.shape[0], STATES)
            decay = torch.exp(dt.T[:, :, None] * a)
            drive = dt.T[:, :, None] * self.b[:, None, :]
            for r in range(self.t):
                h[:r] *= decay[r]
                h[r] = drive[r]
                out[r, :r + 1] += (h[:r + 1] @ self.c[r]).abs_().sum(1)
        return out / self.channels

    def definition(self):
        s = self.dt.double().cumsum(1)
        e = torch.exp(self.a.double()[:, :, None, None] * (s[:, None, :, None] - s[:, None, None, :]).clamp(min=0))
        m = torch.einsum("rn,dnrc,cn,dc->drc", self.c.double(), e, self.b.double(), self.dt.double())
        return m.abs().mean(0).tril()

    def times(self):
        """Seconds of all channels at once, and of 64 at a time."""
        out = []
        with torch.inference_mode():
            for chunk in (self.channels, 64):
                start = time.perf_counter()
                self.running(chunk)
                out.append(time.perf_counter() - start)
        return out


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
    peaks, one, full, layers, extra = [], {}, {}, {}, 0
    for _ in range(o.rounds):
        for row in ROWS:
            peaks.append(float(heed.ask("peak")[0]))
            got = heed.ask(*row, t, "init", "dense", 1)
            one.setdefault(row, []).append(float(got[0]))
            full.setdefault(row, []).append(float(heed.ask(*row, t, "weak", "dense", 1)[0]))
            extra = max(extra, float(got[1]))
    for row in (("core", "sum"), ("core", "absolute"), ("block", "absolute")):
        layers[row] = float(heed.ask(*row, t, "init", "dense", LAYERS)[0])
    peak, work = max(peaks), t * (t + 1) * CHANNELS * STATES
    print(f"multiply-adds from registers: {peak / 1e9:.0f} GFLOP/s, median of {len(peaks)} "
          f"{sorted(peaks)[len(peaks) // 2] / 1e9:.0f}; beside matrix and weights {extra / 2**20:.1f} MiB")
    print(f"{'':20}{'all states, ms':>15}{'of the peak':>13}{'those that count, ms':>22}{LAYERS:>5} layers, s")
    for row in ROWS:
        best = min(full[row])
        print(f"{' '.join(row):20}{1e3 * best:15.1f}{work / best / peak:13.2f}{1e3 * min(one[row]):22.1f}"
              + (f"{layers[row]:15.2f}" if row in layers else ""))
    for fold in ("sum", "absolute"):
        print(f"block / core, {fold}: {min(full['block', fold]) / min(full['core', fold]):.2f}, of states that count "
              f"{min(one['block', fold]) / min(one['core', fold]):.2f}")
    print(f"\nzero-padded / dense, and dense in ms, by time step\n{'':20}" + "".join(
        f"{dt:>16}" for dt in ("1e-3 ... 1e-1", "1e-4 ... 1e-3", "1 ... 50")))
    for row in (ROWS[0], ROWS[2], ("block", "absolute"), ("core", "row")):
        line = f"{' '.join(row):20}"
        for dt in ("init", "weak", "strong"):
            pairs = [[float(heed.ask(*row, t, dt, pad)[0]) for pad in ("dense", "padded")] for _ in range(o.rounds)]
            dense, padded = map(min, zip(*pairs))
            line += f"{padded / dense:8.2f}{1e3 * dense:8.2f}"
        print(line)
    lengths = (256, 512)
    ours = {n: min(float(heed.ask("core", "absolute", n)[0]) for _ in range(o.rounds)) for n in lengths}
    heed.stop()
    if not torch:
        return
    small = Peer(24, o.threads, 96)
    apart = max(float((small.running(n) - small.definition()).abs().max() / small.definition().max()) for n in (96, 64))
    if not apart < 1e-5:
        sys.exit(f"bench_hidden.py: the peer is {apart:.1e} from the definition")
    print(f"\n{'core absolute':14}{'T':>6}{'ms':>9}{'torch ms':>11}{'64 at a time':>14}{'faster/heed':>13}")
    for n in lengths:
        peer = Peer(n, o.threads)
        whole, parts = map(min, zip(*(peer.times() for _ in range(o.rounds))))
        print(f"{'':14}{n:6}{1e3 * ours[n]:9.2f}{1e3 * whole:11.0f}{1e3 * parts:14.0f}{min(whole, parts) / ours[n]:13.0f}")


if __name__ == "__main__":
    sys.exit(main())
