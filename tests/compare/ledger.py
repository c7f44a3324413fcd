#!/usr/bin/env python3
"""ledger.py HEED MODEL ...

How well the account closes on real checkpoints: every method whose relevance adds up, and composites by --rule, of a
sentence, or, of models with embeddings, of two. Prints for each model and each row the residual, and the largest one of
any operation, relative to the larger of |target| and the sum of |R|; exits with 1 if one is beyond 1e-4 or does not run.
HEED is the command, MODEL what -m takes."""
import json
import subprocess
import sys
import tempfile

TEXT = "The Eiffel Tower stands in Paris, the capital of France. The Colosseum stands in Rome, the capital of"
OTHER = "A tower of iron is the best known building of the French capital."
LIMIT = 1e-4
ROWS = (
    ["attn_lrp"], ["attn_lrp", "--act_div", "lxt"], ["cp_lrp"], ["pa_lrp"], ["lrp_epsilon"],
    ["lrp_epsilon", "--epsilon", "0.01"], ["lrp_gamma"], ["lrp_gamma", "--gamma", "1"], ["lrp_alpha_beta"], ["lrp_zplus"],
    ["mamba_lrp"],
    ["attn_lrp", "--rule", "mlp.*=gamma:0.05", "--rule", "head=gamma:0.1"],
    ["attn_lrp", "--rule", "attn=cp:0.5", "--rule", "mlp.*=gamma:0.05"],
    ["attn_lrp", "--rule", "blk.*=zplus:1e-3", "--rule", "blk.*.attn.o=epsilon:1e-6"],
    ["attn_lrp", "--rule", "mlp.*=alpha_beta:2:1e-3"],
    ["pa_lrp", "--rule", "*=gamma:0.1"],
    ["cp_lrp", "--rule", "blk.0.attn.[qkv]=w2"], ["attn_lrp", "--rule", "blk.0.attn.[qkv]=flat"],
    ["attn_lrp", "--rule", "blk.0.attn.[qkv]=zbox:-3:3"],
)


def residuals(d):
    (e,) = d["explanations"]
    scale = max(abs(e["target_value"]), sum(map(abs, e["relevance"])))
    return abs(e["conservation_residual"]) / scale, max(map(abs, e["ledger"]["residual"])) / scale


def run(heed, model, row, pair):
    with tempfile.NamedTemporaryFile(suffix=".json") as f:
        p = subprocess.run([heed, "attribute", "-m", model, "-p", TEXT, *(["--pair", OTHER] if pair else []), "-a", *row,
                            "--ledger", "--tol", "1", "--no-hash", "-o", f.name, "--force"], capture_output=True, text=True)
        if "have no operation" in p.stderr:
            return None
        if p.returncode:
            return p.stderr.strip().splitlines()[-1]
        with open(f.name) as made:  # another file: results replace what is there
            return residuals(json.load(made))


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    heed, bad = sys.argv[1], False
    for model in sys.argv[2:]:
        worst = 0.0
        about = subprocess.run([heed, "inspect", "-m", model], capture_output=True, text=True).stdout
        print(f"{model}\n  {'method':64}{'residual':>10}{'operation':>10}", flush=True)
        for row in ROWS:
            r = run(heed, model, row, "head\tembedding" in about)
            if r is None:  # mamba_lrp of a model without a scan
                continue
            if isinstance(r, str):
                bad = True
                print(f"  {' '.join(row):64} {r}", flush=True)
                continue
            worst = max(worst, *r)
            print(f"  {' '.join(row):64}{r[0]:10.1e}{r[1]:10.1e}", flush=True)
        bad = bad or worst > LIMIT
        print(f"  worst {worst:.1e}, limit {LIMIT:.0e}")
    sys.exit(bad)


if __name__ == "__main__":
    main()
