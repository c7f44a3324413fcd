#!/usr/bin/env python3
"""peer.py HFDIR [THREADS [eager|sdpa|mamba|mamba_unbind]]

What heed is measured against, in float32, on two threads unless said otherwise. Speaks the protocol of bench.py on
stdin and stdout. Weights need no gradient, the head is computed for the last position only, and nothing is kept between
calls: as fast as the peer can honestly be.

eager, sdpa: transformers with lxt's efficient attn_lrp. Both attention paths are offered, because the one that is
faster depends on the length: eager (lxt's own examples) and torch's fused one. mamba: transformers' slow path, which
is the one it has on a CPU, and mamba_lrp as peer_mamba.py writes it; mamba_unbind: that also for the forward pass.
Needs torch, transformers 4.52.4, lxt 2.1 (not for mamba); takes no CPU while it waits.
"""
import pathlib
import sys
import time
import warnings

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / "golden")]

import no_torchvision  # noqa: E402,F401
import torch  # noqa: E402
import transformers  # noqa: E402


def texts(t, vocab):
    return torch.tensor([(7919 * i + 13) % vocab for i in range(t)])[None]


class Llama:
    def __init__(self, folder, attention):
        from lxt.efficient import monkey_patch
        from transformers.models.llama import modeling_llama
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            monkey_patch(modeling_llama)
        self.model = transformers.LlamaForCausalLM.from_pretrained(
            folder, torch_dtype=torch.float32, attn_implementation=attention).eval().requires_grad_(False)

    def last(self, rules, **of):
        """Logits of the last position. lxt's patch leaves values as they are."""
        return self.model(use_cache=False, logits_to_keep=1, **of).logits[0, -1]


def mamba(folder, forward_too):
    import peer_mamba
    peer = peer_mamba.Mamba(folder)
    if forward_too:
        own = peer.last
        peer.last = lambda rules, **of: own(True, **of)
    return peer


KINDS = {
    "eager": lambda folder: Llama(folder, "eager"),
    "sdpa": lambda folder: Llama(folder, "sdpa"),
    "mamba": lambda folder: mamba(folder, False),
    "mamba_unbind": lambda folder: mamba(folder, True),
}


def forward(peer, ids):
    with torch.inference_mode():
        return peer.last(False, input_ids=ids).argmax()


def relevance(peer, ids):
    """-> (id of the best token, its logit, relevance of each token)."""
    x = peer.model.get_input_embeddings()(ids).requires_grad_()
    value, best = peer.last(True, inputs_embeds=x).max(-1)
    value.backward()
    return int(best), float(value.detach()), (x.detach() * x.grad).sum(-1)[0]


def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1])


def answer(peer, words):
    if words[0] == "memory":
        return str(peak())
    ids = texts(int(words[1]), peer.model.config.vocab_size)
    if words[0] == "check":
        best, value, r = relevance(peer, ids)
        return f"{best} {value:.9g} " + " ".join(f"{float(y):.9g}" for y in r)
    work = {"forward": forward, "relevance": relevance}[words[0]]
    start = time.perf_counter()
    work(peer, ids)
    return f"{time.perf_counter() - start:.6f}"


def main():
    folder, threads, kind = (sys.argv[1:] + ["2", "eager"][len(sys.argv) - 2:])[:3]
    torch.set_num_threads(int(threads))
    transformers.utils.logging.set_verbosity_error()
    peer = KINDS[kind](folder)
    print(f"ready torch {torch.__version__}, transformers {transformers.__version__}, {kind}", flush=True)
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            break
        try:
            print("ok", answer(peer, words), flush=True)
        except (KeyError, IndexError, ValueError, RuntimeError) as e:
            print("error", type(e).__name__, *str(e).split(), flush=True)


if __name__ == "__main__":
    main()
