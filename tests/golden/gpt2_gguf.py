"""Writes a GPT-2 model as GGUF, as llama.cpp's converter does: matrices (out, in), the positions, norms and biases F32,
no output.weight where the head is tied."""
import copy

import gguf
import numpy as np
from gguf.quants import dequantize, quantize
from transformers import GPT2Config

TOP = {"wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm", "lm_head": "output"}
BLOCK = {"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
         "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}


def gguf_name(key):
    stem, kind = key.removeprefix("transformer.").rsplit(".", 1)
    if stem in TOP:
        return f"{TOP[stem]}.{kind}"
    _, i, name = stem.split(".", 2)
    return f"blk.{i}.{BLOCK[name]}.{kind}"


def metadata(w, c):
    w.add_vocab_size(c.vocab_size)
    w.add_block_count(c.n_layer)
    w.add_context_length(c.n_positions)
    w.add_embedding_length(c.n_embd)
    w.add_feed_forward_length(c.n_inner or 4 * c.n_embd)
    w.add_head_count(c.n_head)
    w.add_layer_norm_eps(c.layer_norm_epsilon)


def write(path, row, weights):
    """-> the weights as they come back, in the order of transformers."""
    c = GPT2Config(**copy.deepcopy(row["config"]))
    w, back, turn = gguf.GGUFWriter(str(path), "gpt2"), {}, 0
    metadata(w, c)
    for key, a in weights.items():
        name, kind = gguf_name(key), "F32"
        stem = name.split(".")[-2]
        turned = a.ndim == 2 and stem not in TOP.values()
        if turned:
            kind, turn = row["types"][turn % len(row["types"])], turn + 1
        elif stem in ("token_embd", "output"):
            kind = row["embed" if stem == "token_embd" else "head"]
        kind = gguf.GGMLQuantizationType[kind]
        a = np.ascontiguousarray(a.T if turned else a)
        data = quantize(a, kind)
        w.add_tensor(name, data, raw_dtype=kind)
        a = dequantize(data, kind).astype(np.float32).reshape(a.shape)
        back[key] = a.T if turned else a
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return back
