#!/usr/bin/env python3
"""cost.py HEED MODEL [--length 512] [--rounds 5] [--threads 2]    what an explanation costs, beside the forward pass

HEED is the program of bench.py's protocol. One process for each row, in turn within each round; the best of the rounds:
the forward pass alone, forward and attn_lrp, the same with the ledger of every operation, and pa_lrp with positions split
in every way. Then the peak memory of a fresh process, and the plan of the same work.
"""
import argparse

from bench import Program

ROWS = {"attn_lrp": "attn_lrp", "ledger": "attn_lrp,ledger", "pa_lrp": "pa_lrp,head,frequency,distance,cos_sin"}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("heed")
    p.add_argument("model")
    p.add_argument("--length", type=int, default=512)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    o = p.parse_args()
    programs = [Program(k, [o.heed, o.model, o.threads, method], False) for k, method in ROWS.items()]
    seconds = {k: [] for k in ("forward", *ROWS)}
    for program in programs:
        program.start()
        program.ask("forward", o.length)
        program.ask("relevance", o.length)
    for n in range(o.rounds):
        seconds["forward"].append(float(programs[0].ask("forward", o.length)[0]))
        for program in programs[n % 3:] + programs[:n % 3]:
            seconds[program.name].append(float(program.ask("relevance", o.length)[0]))
    for program in programs:
        program.stop()
    best = {k: min(s) for k, s in seconds.items()}
    for k, s in seconds.items():
        print(f"{k:10}{best[k]:8.3f} s{best[k] / best['forward']:7.2f} of forward{best[k] / best['attn_lrp']:7.3f} of attn_lrp"
              f"   all: {' '.join(f'{x:.3f}' for x in s)}")
    for program in programs:
        program.start()
        plan = int(program.ask("plan", o.length)[0]) / 1024
        program.stop()
        print(f"{program.name:10} peak {program.peak('relevance', o.length):.0f} MiB, plan {plan:.0f} MiB")


if __name__ == "__main__":
    main()
