"""Writes a Mamba model as GGUF, as llama.cpp's converter does: A = -exp(A_log), the kernel of the convolution [inner,
width], names of A and D without an ending, no output.weight where the head is tied."""
import copy

import gguf
import numpy as np
from gguf.quants import dequantize, quantize
from transformers import MambaConfig

BLOCK = {"in_proj": "ssm_in", "conv1d": "ssm_conv1d", "x_proj": "ssm_x", "dt_proj": "ssm_dt", "out_proj": "ssm_out"}


def gguf_name(key):
    top = {"backbone.embeddings": "token_embd", "backbone.norm_f": "output_norm", "lm_head": "output"}
    stem, kind = key.rsplit(".", 1)
    if stem in top:
        return f"{top[stem]}.{kind}"
    _, _, i, name = stem.split(".", 3)
    if kind in ("A_log", "D"):
        return f"blk.{i}.ssm_{kind[0].lower()}"
    return f"blk.{i}.{'attn_norm' if name == 'norm' else BLOCK[name.removeprefix('mixer.')]}.{kind}"


def metadata(w, c, norms):
    w.add_vocab_size(c.vocab_size)
    w.add_context_length(2**20)
    w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(0)
    w.add_head_count(0)
    w.add_block_count(c.num_hidden_layers)
    w.add_ssm_conv_kernel(c.conv_kernel)
    w.add_ssm_inner_size(c.intermediate_size)
    w.add_ssm_state_size(c.state_size)
    w.add_ssm_time_step_rank(c.time_step_rank)
    w.add_layer_norm_rms_eps(c.layer_norm_epsilon)
    w.add_ssm_dt_b_c_rms(norms)


def write(path, row, weights, kind=MambaConfig, norms=False):
    """-> the weights as they come back, in the order of transformers. norms: those of Falcon Mamba."""
    c = kind(**copy.deepcopy(row["config"]))
    w, back, turn = gguf.GGUFWriter(str(path), "mamba"), {}, 0
    metadata(w, c, norms)
    for key, a in weights.items():
        name, kind = gguf_name(key), "F32"
        stem, shape = name.split(".")[-2 if name.endswith((".weight", ".bias")) else -1], a.shape
        if stem == "ssm_a":
            a = -np.exp(a.astype(np.float64)).astype(np.float32)
        elif stem == "ssm_conv1d":
            a = a.reshape(len(a), -1) if a.ndim == 3 else a
        elif a.ndim == 2 and stem in ("token_embd", "output"):
            kind = row["embed" if stem == "token_embd" else "head"]
        elif a.ndim == 2 and stem in ("ssm_x", "ssm_dt"):
            kind = row.get("small", "F32")
        elif a.ndim == 2:
            kind, turn = row["types"][turn % len(row["types"])], turn + 1
        kind = gguf.GGMLQuantizationType[kind]
        data = quantize(np.ascontiguousarray(a), kind)
        w.add_tensor(name, data, raw_dtype=kind)
        a = dequantize(data, kind).astype(np.float32)
        back[key] = (np.log(-a.astype(np.float64)) if stem == "ssm_a" else a).reshape(shape)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return back
