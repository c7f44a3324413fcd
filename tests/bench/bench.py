#!/usr/bin/env python3
"""bench.py [--heed PROGRAM] [--dir HFDIR] [--gguf FILE] [--method attn_lrp] [--rounds 5] [--lengths 128,512,1024]
         [--threads 2]

Times a program of heed and its peers (peer.py: transformers, with lxt for attn_lrp, with the rules of mamba_lrp) on one
model, in turn within each round, so that whatever else the machine does meets them alike. Prints the best of the rounds, the ratio to the faster peer, and the
peak memory of a fresh process for each length. Without --heed: the peers alone.

Protocol. A program is started as `PROGRAM MODEL THREADS METHOD`, loads the model, prints `ready` and any words, then answers
each line of stdin by one line of stdout, `ok ...` or `error ...`, and ends at `quit` or the end of stdin.

  forward T     -> ok SECONDS      logits of the last position of a text of T tokens; nothing kept from calls before
  relevance T   -> ok SECONDS      forward and the method, of the most likely next token, summed per token
  check T       -> ok ID LOGIT R0 R1 ... R(T-1)    the same, with what came out: best token, its logit, the relevance
  memory        -> ok KIB          VmHWM of /proc/self/status
  peak          -> ok GFLOPS       of sgemm, 1024 cubed on each thread, best of five (heed only)
  flops T       -> ok F R          multiply-adds times two of `forward T` and of `relevance T` (heed only)

Token i of a text is (7919 i + 13) mod V, V the size of the vocabulary. SECONDS are wall time of the work, measured
inside the program; float32, THREADS threads. Programs sleep while they wait for a line.

Relevances are compared first (check 64): they must agree to 1e-3 of the largest, or nothing is timed.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TASKS = ("forward", "relevance")
PEERS = {"attn_lrp": ("eager", "sdpa"), "mamba_lrp": ("mamba", "mamba_unbind")}  # kinds of peer.py


class Program:
    def __init__(self, name, command, peer):
        self.name, self.command, self.peer = name, [str(w) for w in command], peer
        self.process = None

    def start(self):
        # OMP_WAIT_POLICY stays as it is: "passive" makes torch a quarter slower at T = 128, and by default it takes
        # no measurable CPU while it waits.
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self._line("ready")

    def _line(self, word):
        line = self.process.stdout.readline().split()
        if not line or line[0] != word:
            sys.exit(f"bench.py: {self.name}: {' '.join(line) or 'ended without an answer'}")
        return line[1:]

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self._line("ok")

    def stop(self):
        self.process.stdin.write("quit\n")
        self.process.stdin.close()
        self.process.wait()

    def peak(self, task, t):
        """MiB of a fresh process that does this once."""
        self.start()
        if task:
            self.ask(task, t)
        kib = int(self.ask("memory")[0])
        self.stop()
        return kib / 1024


def agree(programs):
    answers = {}
    for p in programs:
        p.start()
        best, _, *r = p.ask("check", 64)
        answers[p.name] = best, [float(x) for x in r]
        p.stop()
    first, (best, r) = next(iter(answers.items()))
    for name, (b, s) in answers.items():
        off = max(abs(x - y) for x, y in zip(r, s)) / max(map(abs, r)) if len(r) == len(s) else float("inf")
        if b != best or not off < 1e-3:
            sys.exit(f"bench.py: {name} and {first} do not explain the same: tokens {b} and {best}, {off:.1e} apart")
        print(f"{name:16} explains token {b}; relevance {off:.1e} from {first}")
    print()


def timings(programs, lengths, rounds):
    """-> {(task, T, name): [seconds]}"""
    for p in programs:
        print(f"{p.name:16} {' '.join(p.start())}")
    seconds, peaks = {}, {}
    for t in lengths:
        for p in programs:
            for task in TASKS:
                p.ask(task, t)
        for n in range(rounds):
            turn = programs[n % len(programs):] + programs[:n % len(programs)]
            for task in TASKS:
                for p in turn:
                    seconds.setdefault((task, t, p.name), []).append(float(p.ask(task, t)[0]))
                    if not p.peer:
                        peaks.setdefault(p.name, []).append(float(p.ask("peak")[0]))
    work = {(task, t): float(p.ask("flops", t)[i]) for p in programs if not p.peer for t in lengths
            for i, task in enumerate(TASKS)}
    for p in programs:
        p.stop()
    return seconds, peaks, work


def table(title, programs, lengths, value, spread=None):
    """Ratios are to the better peer: above 1 is in heed's favour."""
    print(f"\n{title}")
    print(f"{'':11}{'T':>6}" + "".join(f"{p.name:>16}" for p in programs) + "".join(
        f"{'peer/' + p.name:>18}" for p in programs if not p.peer) + (f"{'median/best':>13}" if spread else ""))
    for task in TASKS:
        for t in lengths:
            row = {p.name: value(task, t, p) for p in programs}
            peer = min((row[p.name] for p in programs if p.peer), default=None)
            line = f"{task:11}{t:6}" + "".join(f"{x:16.4g}" for x in row.values())
            line += "".join(f"{peer / row[p.name]:18.2f}" if peer else "" for p in programs if not p.peer)
            print(line + (f"{spread(task, t):13.2f}" if spread else ""), flush=True)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--heed")
    a.add_argument("--dir")
    a.add_argument("--gguf")
    a.add_argument("--method", choices=PEERS, default="attn_lrp")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--lengths", default="128,512,1024")
    a.add_argument("--threads", type=int, default=2)
    o = a.parse_args()
    programs = [Program(f"heed {kind}", [o.heed, model, o.threads, o.method], False)
                for kind, model in (("f32", o.dir), ("gguf", o.gguf)) if o.heed and model]
    if o.dir:
        peer = [sys.executable, HERE / "peer.py", o.dir, o.threads]
        programs += [Program(f"peer {kind}", peer + [kind], True) for kind in PEERS[o.method]]
    if not programs:
        sys.exit("bench.py: nothing to measure: give --dir, and --heed with --dir or --gguf")
    lengths = [int(t) for t in o.lengths.split(",")]
    agree(programs)
    print("load average", *os.getloadavg())
    seconds, peaks, work = timings(programs, lengths, o.rounds)
    table(f"Seconds, best of {o.rounds}, {o.threads} threads", programs, lengths,
          lambda task, t, p: min(seconds[task, t, p.name]),
          lambda task, t: max(statistics.median(seconds[task, t, p.name]) / min(seconds[task, t, p.name])
                              for p in programs))
    for name, peak in peaks.items():
        print(f"\n{name}: GFLOP/s, and their share of sgemm's {max(peak):.0f} (best of {len(peak)}; median "
              f"{statistics.median(peak):.0f}): " + ", ".join(
                  f"{task} {t}: {work[task, t] / best / 1e9:.0f} = {work[task, t] / best / 1e9 / max(peak):.2f}"
                  for task in TASKS for t in lengths for best in [min(seconds[task, t, name])]))
    print("\nMiB after loading: " + ", ".join(f"{p.name} {p.peak(None, 0):.0f}" for p in programs))
    table("Peak memory in MiB of a fresh process", programs, lengths, lambda task, t, p: p.peak(task, t))


if __name__ == "__main__":
    main()
