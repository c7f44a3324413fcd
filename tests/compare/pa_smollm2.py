#!/usr/bin/env python3
"""pa_smollm2.py HFDIR HEED    pa_lrp of heed beside a restatement of its rules in float64, on a real checkpoint

HFDIR is SmolLM2 as a Hugging Face directory in float32; HEED is the command. For ten texts of prompts.py, explained with
every split of positions:

  token, position, cos, sin, head, freq, dist    largest difference of the array of that name, of its largest value
  sum, code    of the relevance of `--aggregate sum` and `code`
  kappa        of what the softmax of each layer absorbs, of the largest
  total        of the value of the target and of the sums of tokens and of positions, of max(|value|, sum |R|)
  parts        what the splits of heed miss of its own positions, of the largest
  residual     what heed's own account leaves over, relative

All at most 1e-4, and the target is the same. Then, for the first text, differences of values confirm the gradients of
the restatement: at most 1e-6. Prints a line per text; exits 1 if anything failed. Needs torch, transformers 4.52.4,
safetensors, h5py.
"""
import argparse
import pathlib
import sys
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / "golden")]

import h5py  # noqa: E402
import numpy as np  # noqa: E402

from prompts import PROMPTS  # noqa: E402
from smollm2 import Heed, off  # noqa: E402

LIMIT, DIFFERENCES = 1e-4, 1e-6
TEXTS = (0, 1, 3, 5, 7, 9, 11, 12, 17, 19)
SPLITS = {"cos": "_cos", "sin": "_sin", "head": "_head", "freq": "_frequency", "dist": "_distance"}
COLUMNS = ["token", "position", *SPLITS, "sum", "code", "kappa", "total", "parts", "residual"]


def load(folder):
    """The model in float64: torch.float32 stands for it from here on."""
    import no_torchvision  # noqa: F401
    import torch
    from safetensors.numpy import load_file
    from transformers import LlamaConfig, LlamaForCausalLM

    import float64
    float64.everywhere()
    float64.quiet()
    torch.set_num_threads(2)
    config = LlamaConfig.from_pretrained(folder)
    model = LlamaForCausalLM(config).double().eval().requires_grad_(False)
    state = {k: torch.from_numpy(a.astype(np.float64)) for k, a in load_file(folder / "model.safetensors").items()}
    state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
    model.load_state_dict(state)
    return model


def explained(heed, ids, folder):
    """-> arrays of heed named as those of pa_rules.explain, with what its account says"""
    ids, file = ",".join(map(str, ids)), str(pathlib.Path(folder) / "pa.h5")
    e = heed("attribute", "--ids", ids, "-a", "pa_lrp", "--position-by", "head,frequency,distance,cos_sin",
             "-o", file, "--force")["explanations"][0]
    code = heed("attribute", "--ids", ids, "-a", "pa_lrp", "--aggregate", "code")["explanations"][0]
    with h5py.File(file) as f:
        group = f["explanations/pa_lrp"]
        made = {k: np.array(y, float) for k, y in group.items() if k.startswith(("token_", "position_"))}
        names, kappa = group["ledger/op_name"].asstr()[:], group["ledger/sink_kappa"][:]
    made["kappa"] = kappa[[name.endswith(".attn") for name in names]]
    return made | {"sum": np.array(e["relevance"], float), "code": np.array(code["relevance"], float), "json": e}


def judge(ours, theirs):
    """-> the columns"""
    position = theirs["position_relevance"]
    c = {"token": off(ours["token_relevance"], theirs["token_relevance"]),
         "position": off(ours["position_relevance"], position)}
    for k, name in SPLITS.items():
        c[k] = off(ours["position_relevance" + name], theirs["position_relevance" + name])
    c |= {k: off(ours[k], theirs[k]) for k in ("sum", "code", "kappa")}
    scale = max(abs(theirs["value"]), np.abs(theirs["sum"]).sum())
    pairs = [(ours["json"]["target_value"], theirs["value"]), (ours["token_relevance"].sum(), theirs["token_relevance"].sum()),
             (ours["position_relevance"].sum(), position.sum())]
    c["total"] = max(abs(a - b) for a, b in pairs) / scale
    mine = ours["position_relevance"]
    split = [(ours["position_relevance_head"].sum(1), mine), (ours["position_relevance_frequency"].sum(1), mine),
             (ours["position_relevance_cos"] + ours["position_relevance_sin"], mine),
             (ours["position_relevance_distance"].sum(1), mine.sum(1))]
    c["parts"] = max(off(a, b, np.abs(mine).max()) for a, b in split)
    c["residual"] = abs(ours["json"]["conservation_residual"])
    return c


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("heed")
    o = p.parse_args()
    heed, model, bad = Heed(o.heed, o.folder), load(o.folder), 0
    import pa_rules
    print("text tokens" + "".join(f"{k:>9}" for k in COLUMNS) + "  result")
    for n in TEXTS:
        ids = heed.tokenize(PROMPTS[n])
        theirs = pa_rules.explain(model, ids)
        with tempfile.TemporaryDirectory() as folder:
            ours = explained(heed, ids, folder)
        c = judge(ours, theirs)
        failed = [k for k in COLUMNS if not c[k] <= LIMIT]
        if ours["json"]["target"]["id"] != theirs["target"]:
            failed.append("target")
        bad += bool(failed)
        print(f"{n + 1:4}{len(ids):7}" + "".join(f"{c[k]:9.1e}" for k in COLUMNS)
              + ("  FAILED: " + ", ".join(failed) if failed else "  ok"), flush=True)
        if n == TEXTS[0]:
            slopes = pa_rules.differences(model, ids, theirs["target"])
            worst = {k: off(theirs[k], y) for k, y in slopes.items()}
            text = ", ".join(f"{k.removeprefix('position_relevance_')} {y:.1e}" for k, y in worst.items())
            fine = all(y <= DIFFERENCES for y in worst.values())
            bad += not fine
            print(f"     differences of values: {text}  {'ok' if fine else 'FAILED'}", flush=True)
    print(f"{len(TEXTS)} texts" + (f", {bad} failures" if bad else " agree"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
