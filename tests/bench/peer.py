#!/usr/bin/env python3
"""peer.py HFDIR [THREADS [eager|sdpa]]

What heed is measured against: transformers with lxt's efficient attn_lrp, in float32, on two threads unless said
otherwise. Speaks the protocol of bench.py on stdin and stdout. Both attention paths are offered, because the one that
is faster depends on the length: eager (lxt's own examples) and torch's fused one. Weights need no gradient, the head is
computed for the last position only, and nothing is kept between calls: as fast as the peer can honestly be.
Needs torch, transformers 4.52.4, lxt 2.1; takes no CPU while it waits.
"""
import pathlib
import sys
import time
import warnings

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / "golden")]

import no_torchvision  # noqa: E402,F401
import torch  # noqa: E402
import transformers  # noqa: E402
from lxt.efficient import monkey_patch  # noqa: E402
from transformers import LlamaForCausalLM  # noqa: E402
from transformers.models.llama import modeling_llama  # noqa: E402


def texts(t, vocab):
    return torch.tensor([(7919 * i + 13) % vocab for i in range(t)])[None]


def forward(model, ids):
    with torch.inference_mode():
        return model(ids, use_cache=False, logits_to_keep=1).logits[0, -1].argmax()


def relevance(model, ids):
    """-> (id of the best token, its logit, relevance of each token)."""
    x = model.get_input_embeddings()(ids).requires_grad_()
    logits = model(inputs_embeds=x, use_cache=False, logits_to_keep=1).logits[0, -1]
    value, best = logits.max(-1)
    value.backward()
    return int(best), float(value.detach()), (x.detach() * x.grad).sum(-1)[0]


def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1])


def answer(model, words):
    if words[0] == "memory":
        return str(peak())
    ids = texts(int(words[1]), model.config.vocab_size)
    if words[0] == "check":
        best, value, r = relevance(model, ids)
        return f"{best} {value:.9g} " + " ".join(f"{float(y):.9g}" for y in r)
    work = {"forward": forward, "relevance": relevance}[words[0]]
    start = time.perf_counter()
    work(model, ids)
    return f"{time.perf_counter() - start:.6f}"


def main():
    folder, threads, attention = (sys.argv[1:] + ["2", "eager"][len(sys.argv) - 2:])[:3]
    torch.set_num_threads(int(threads))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monkey_patch(modeling_llama)
    transformers.utils.logging.set_verbosity_error()
    model = LlamaForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation=attention)
    model.eval().requires_grad_(False)
    print(f"ready torch {torch.__version__}, transformers {transformers.__version__}, {attention}", flush=True)
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            break
        try:
            print("ok", answer(model, words), flush=True)
        except (KeyError, IndexError, ValueError, RuntimeError) as e:
            print("error", type(e).__name__, *str(e).split(), flush=True)


if __name__ == "__main__":
    main()
