#!/usr/bin/env python3
"""lxt_explicit.py CHECKOUT HEED      compares attn_lrp --stab lxt with the explicit Llama of LXT, which carries relevance
                                    itself and has something added to every denominator

CHECKOUT is a working tree of github.com/rachtibat/LRP-eXplains-Transformers at 99c0b55 (LXT 2.0), outside this one; its
lxt/explicit has the model class and the rules. HEED is the command built with EXTRA=-DHEED_REAL=double. The official
class gets the weights of golden Llama models with SiLU; bitsandbytes, of which it only names two classes in a table of
rules, is an empty module. 37 random tokens and the best next token at the end, float64; differences by token, of the
largest:

  stab    --stab lxt against it as it is; at most 1e-9
  exact   without stabilisers against it with its own 1e-6 times as large; at most 1e-9
  worth   what they are worth: it as it is against that

Exits 1 if anything is beyond its limit. Needs torch, transformers 4.52.4, tabulate, h5py, safetensors.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
sys.path[:0] = [str(GOLDEN)]

import no_torchvision  # noqa: E402, F401
import h5py  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers.models.llama.modeling_llama  # noqa: E402, F401
from safetensors.numpy import load_file  # noqa: E402

import common  # noqa: E402
import float64  # noqa: E402
import llama  # noqa: E402
import no_bitsandbytes  # noqa: E402

MODELS = ("plain", "gqa2_tied_bf16", "rope_default", "rope_linear", "rope_llama3")
LIMIT = {"stab": 1e-9, "exact": 1e-9}


def official(checkout):
    no_bitsandbytes.pretend()
    sys.path.insert(0, str(checkout))
    from lxt.explicit import functional, rules
    from lxt.explicit.models import llama as theirs
    scale = [1.0]
    for m in (functional, rules):
        m._stabilize = (lambda whole: lambda x, epsilon=1e-6, inplace=False: whole(x, scale[0] * epsilon, inplace))(
            m._stabilize)
    return theirs, scale


def by_heed(heed, name, ids, target, stab):
    with tempfile.TemporaryDirectory() as d:
        out = pathlib.Path(d) / "r.h5"
        subprocess.run([heed, "attribute", "-m", GOLDEN / "llama" / name, "--ids", ",".join(map(str, ids)),
                        "--target-id", str(target), "-a", "attn_lrp", "--stab", stab, "-o", out], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with h5py.File(out) as f:
            r = f["explanations/attn_lrp/relevance"][:]
    if r.dtype != np.float64:
        sys.exit("lxt_explicit.py: this heed does not compute in double")
    return r


def by_lxt(model, ids, target):
    x = model.model.embed_tokens(torch.from_numpy(ids))[None].detach().clone().requires_grad_()
    value = model(inputs_embeds=x, use_cache=False).logits[0, -1, target]
    value.backward(value)
    return x.grad[0].sum(-1).numpy()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkout", type=pathlib.Path)
    p.add_argument("heed")
    o = p.parse_args()
    float64.everywhere()
    float64.quiet()
    theirs, scale = official(o.checkout.resolve())
    bad = 0
    print(f"{'model':16}{'stab':>10}{'exact':>10}{'worth':>10}")
    for name in MODELS:
        row, expect = llama.MODELS[name], load_file(GOLDEN / "llama" / name / "expect.safetensors")
        ours = llama.build(row, common.rounded(row, llama.draw(name, row)))
        model = theirs.LlamaForCausalLM(ours.config).double().eval()
        missing = model.load_state_dict(ours.state_dict(), strict=False)
        assert not missing.unexpected_keys and not [k for k in missing.missing_keys if "inv_freq" not in k], missing
        theirs.attnlrp.register(model)
        ids, target = expect["T37/ids"], int(expect["T37/target"][1])
        runs = {}
        for k, f in (("stab", 1.0), ("exact", 1e-6)):
            scale[0] = f
            runs[k] = by_lxt(model, ids, target)
        off = lambda a, b: np.abs(a - b).max() / np.abs(b).max()  # noqa: E731
        d = {k: off(by_heed(o.heed, name, ids, target, s), runs[k]) for k, s in (("stab", "lxt"), ("exact", "none"))}
        d["worth"] = off(runs["stab"], runs["exact"])
        bad += any(not d[k] <= LIMIT[k] for k in LIMIT)
        print(f"{name:16}" + "".join(f"{x:10.1e}" for x in d.values()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
