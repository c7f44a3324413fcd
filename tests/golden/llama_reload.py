#!/usr/bin/env python3
"""llama_reload.py DIR

Reads the files that llama.py wrote as anybody else would, Hugging Face directories with from_pretrained and GGUF files
from their metadata, and compares the logits with the expected ones. Needs what llama.py needs.
"""
import copy
import pathlib
import sys

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import load_file
from transformers import LlamaConfig, LlamaForCausalLM

import float64
from llama_gguf import BLOCK, undo
from llama_models import MODELS


def from_gguf(path):
    r = GGUFReader(path)
    m = {k.removeprefix("llama."): f.contents() for k, f in r.fields.items()}
    heads, scaling = m["attention.head_count"], None
    if "rope.scaling.type" in m:
        scaling = {"rope_type": m["rope.scaling.type"], "factor": m["rope.scaling.factor"]}
        if "rope.scaling.original_context_length" in m:
            scaling["original_max_position_embeddings"] = m["rope.scaling.original_context_length"]
    w = {t.name: dequantize(t.data, t.tensor_type).astype(np.float64) for t in r.tensors}
    factors = w.pop("rope_freqs.weight", None)
    config = LlamaConfig(
        vocab_size=m["vocab_size"], hidden_size=m["embedding_length"], intermediate_size=m["feed_forward_length"],
        num_hidden_layers=m["block_count"], num_attention_heads=heads,
        num_key_value_heads=m["attention.head_count_kv"], rms_norm_eps=m["attention.layer_norm_rms_epsilon"],
        head_dim=m.get("attention.key_length", m["embedding_length"] // heads), rope_theta=m["rope.freq_base"],
        max_position_embeddings=m["context_length"], rope_scaling=scaling, attn_implementation="eager")
    model = LlamaForCausalLM(config).double()
    back = {v: k for k, v in BLOCK.items()}
    state = {}
    for name, a in w.items():
        part = name.split(".")
        if part[0] == "blk":
            if part[2] in ("attn_q", "attn_k"):
                a = undo(a, heads if part[2] == "attn_q" else m["attention.head_count_kv"])
            state[f"model.layers.{part[1]}.{back[part[2]]}.weight"] = torch.from_numpy(a)
    state["model.embed_tokens.weight"] = torch.from_numpy(w["token_embd.weight"])
    state["model.norm.weight"] = torch.from_numpy(w["output_norm.weight"])
    state["lm_head.weight"] = torch.from_numpy(w.get("output.weight", w["token_embd.weight"]))
    model.load_state_dict(state)
    if factors is not None:
        model.model.rotary_emb.inv_freq /= torch.from_numpy(factors)
    return model


def load(path):
    """The weights in the dtype of the file. Before everywhere(), which from_pretrained does not survive."""
    row = MODELS[path.name]
    # transformers 4 does not know the spelling rope_parameters: it gets the other one.
    config = LlamaConfig(**copy.deepcopy(row["config"])) if "v5" in row else LlamaConfig.from_pretrained(path)
    return config, LlamaForCausalLM.from_pretrained(path, config=config, torch_dtype="auto").state_dict()


def from_folder(config, state):
    config._attn_implementation = "eager"
    model = LlamaForCausalLM(config).double()
    model.load_state_dict({k: a.double() for k, a in state.items()})
    return model


def main():
    float64.quiet()
    root, worst_of_all, n = pathlib.Path(sys.argv[1]), 0.0, 0
    files = sorted(root.rglob("*expect.safetensors"))
    loaded = {file: load(file.parent) for file in files if file.parent != root}
    float64.everywhere()
    for file in files:
        gguf = file.parent == root
        name = file.name.split(".")[0] if gguf else file.parent.name
        model = (from_gguf(root / (name + ".gguf")) if gguf else from_folder(*loaded[file])).eval()
        e, worst = load_file(file), 0.0
        with torch.no_grad():
            for k in [k for k in e if k.endswith("/ids")]:
                t = k.removesuffix("ids")
                got = model(torch.from_numpy(e[k])[None]).logits[0].numpy()[e[t + "logits_rows"]]
                worst = max(worst, np.abs(got - e[t + "logits"]).max() / np.abs(e[t + "logits"]).max())
        # A GGUF has 1e-5 in float32, 2.5e-8 beside it.
        if not worst < (1e-10 if gguf else 1e-13):
            sys.exit(f"{name}: the logits of the files differ from the expected ones by {worst:.2g}")
        worst_of_all, n = max(worst_of_all, worst), n + 1
    print(f"{n} models read back, logits within {worst_of_all:.1g}")


if __name__ == "__main__":
    main()
