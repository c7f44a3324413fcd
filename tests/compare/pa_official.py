#!/usr/bin/env python3
"""pa_official.py CHECKOUT MODEL HEED    pa_lrp --aggregate code of heed beside the official code of PA-LRP

CHECKOUT is a working tree of github.com/YardenBakish/PE-AWARE-LRP at 51eb418, outside this one; its folder NLP has the
model class and the rules. MODEL is a Llama as a Hugging Face directory, HEED the command. The official model class gets
MODEL's weights and the official rules; the map is made as NLP_demo.py there makes it: relevance of the embeddings summed
over the hidden dimension, magnitudes of what each layer's cosines and sines get, all divided by the largest.

What the official code is not given as it expects it: bitsandbytes, whose classes for 4-bit and 8-bit weights it only
names in a table of rules and which needs a GPU, is an empty module with two empty classes; and the weights are float32,
or float64, and not quantised. Everything else runs as it is, on the transformers that is installed.

A line per text: largest difference of heed's map, of the largest of the map, from the official code in float32 and in
float64, at most 1e-3: the official denominators have an epsilon of 1e-8 or 1e-6 added, heed's gradient form none. So a
third run, in float64, has it a million times smaller: of that heed's map, token_relevance, position_relevance_cos and
_sin differ by at most 2e-5 of their largest; and so does the map of `--stab lxt`, which adds the same, from the official
code as it is in float64 ("stab"). The last column is what the epsilon moves in the official map itself.
Exits 1 if anything failed. Needs torch, transformers 4.52.4, safetensors, tabulate.
"""
import argparse
import json
import pathlib
import subprocess
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / "golden")]

import numpy as np  # noqa: E402

from prompts import PROMPTS  # noqa: E402
from smollm2 import Heed, off  # noqa: E402

LIMIT, EXACT = 1e-3, 2e-5
TEXTS = (0, 1, 3, 4, 5, 9, 10, 12, 14, 18)
PARTS = ("token_relevance", "position_relevance_cos", "position_relevance_sin")
RUNS = ("float32", "float64", "exact")
COLUMNS = {"float32": LIMIT, "float64": LIMIT, "exact": EXACT, "token": EXACT, "cos": EXACT, "sin": EXACT,
           "stab": EXACT}


def official(checkout, folder, state):
    """-> their model with these weights; their modules come after transformers, which looks for bitsandbytes"""
    import no_torchvision  # noqa: F401
    import torch
    import transformers.models.llama.modeling_llama  # noqa: F401
    import no_bitsandbytes
    no_bitsandbytes.pretend()
    sys.path.insert(0, str(checkout / "NLP"))
    from lxt.models import llama_PE
    config = transformers.LlamaConfig.from_pretrained(folder)
    config._attn_implementation = "eager"
    model = llama_PE.LlamaForCausalLM(config).to(torch.get_default_dtype()).eval()
    state = {k: y.to(torch.get_default_dtype()) for k, y in state.items()}
    state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
    missing = model.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and not [k for k in missing.missing_keys if "inv_freq" not in k], missing
    llama_PE.attnlrp.register(model)
    return model


def explain(model, ids):
    import torch
    embed = model.get_input_embeddings()(torch.tensor([ids])).detach().requires_grad_()
    place = torch.arange(float(len(ids)))[None]
    tables = [[y.requires_grad_() for y in model.get_input_pos_embeddings()(embed, place)] for _ in model.model.layers]
    logits = model(inputs_embeds=embed, position_embeddings=tables, use_cache=False)["logits"]
    value, target = logits[0, -1].max(-1)
    value.backward(value)
    token = embed.grad.double().sum(-1)[0]
    cos, sin = (torch.stack([pair[i].grad.double().sum(-1)[0] for pair in tables]) for i in range(2))
    code = token + cos.abs().sum(0) + sin.abs().sum(0)
    made = dict(zip(PARTS, (token, cos, sin))) | {"code": code / code.abs().max()}
    return {k: y.tolist() for k, y in made.items()} | {"id": int(target)}


def without_epsilon():
    from lxt import functional, rules
    for m in (functional, rules):
        whole = m._stabilize
        m._stabilize = lambda x, epsilon=1e-6, inplace=False, whole=whole: whole(x, 1e-6 * epsilon, inplace)


def theirs(o, run):
    """Explanations of all texts, whose ids come from standard input, in a process of its own: float64 is for good."""
    import no_torchvision  # noqa: F401
    import torch
    from safetensors.torch import load_file

    import float64
    float64.quiet()
    state = load_file(o.model / "model.safetensors")
    if run != "float32":
        float64.everywhere()
    torch.set_num_threads(2)
    model = official(o.checkout.resolve(), o.model, state)
    if run == "exact":
        without_epsilon()
    json.dump([explain(model, ids) for ids in json.load(sys.stdin)], sys.stdout)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkout", type=pathlib.Path)
    p.add_argument("model", type=pathlib.Path)
    p.add_argument("heed")
    p.add_argument("--run", help=argparse.SUPPRESS)
    o = p.parse_args()
    if o.run:
        return theirs(o, o.run)
    heed, bad = Heed(o.heed, o.model), 0
    texts = [heed.tokenize(PROMPTS[n]) for n in TEXTS]
    passage = o.model / "passage.txt"
    if passage.exists():
        texts.append(heed.tokenize(passage.read_text()))
    runs = [json.loads(subprocess.run([sys.executable, *sys.argv, "--run", run], input=json.dumps(texts), text=True,
                                      check=True, stdout=subprocess.PIPE).stdout) for run in RUNS]
    print("text tokens" + "".join(f"{k:>9}" for k in (*COLUMNS, "epsilon")) + "  result")
    for n, (ids, *made) in enumerate(zip(texts, *runs)):
        e, same = (heed("attribute", "--ids", ",".join(map(str, ids)), "-a", "pa_lrp", "--aggregate", "code",
                        "--position-by", "cos_sin", "--stab", stab)["explanations"][0] for stab in ("none", "lxt"))
        targets = {e["target"]["id"]} | {m["id"] for m in made}
        ours, *made = ({k: np.array(m[k], float) for k in (*PARTS, "code")} for m in (e | {"code": e["relevance"]}, *made))
        worst = [off(ours["code"], m["code"]) for m in made] + [off(ours[k], made[2][k]) for k in PARTS]
        worst.append(off(np.array(same["relevance"], float), made[1]["code"]))
        failed = [k for (k, limit), y in zip(COLUMNS.items(), worst) if not y <= limit]
        if len(targets) > 1:
            failed.append("target")
        bad += bool(failed)
        print(f"{n + 1:4}{len(ids):7}" + "".join(f"{y:9.1e}" for y in (*worst, off(made[1]["code"], made[2]["code"])))
              + ("  FAILED: " + ", ".join(failed) if failed else "  ok"), flush=True)
    print(f"{len(texts) - bad} of {len(texts)} texts agree")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
