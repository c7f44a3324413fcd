"""Writes a Mamba 2 model as GGUF, as llama.cpp's converter does: A = -exp(A_log) and D as columns, the kernel of the
convolution (channels, width), the gain of the norm after the gate by groups, no output.weight where the head is tied."""
import copy

import gguf
import numpy as np
from gguf.quants import dequantize, quantize
from transformers import Mamba2Config

import mamba_gguf

BLOCK = {"mixer.in_proj.weight": "ssm_in.weight", "mixer.in_proj.bias": "ssm_in.bias",
         "mixer.conv1d.weight": "ssm_conv1d.weight", "mixer.conv1d.bias": "ssm_conv1d.bias",
         "mixer.dt_bias": "ssm_dt.bias", "mixer.A_log": "ssm_a", "mixer.D": "ssm_d",
         "mixer.norm.weight": "ssm_norm.weight", "mixer.out_proj.weight": "ssm_out.weight",
         "mixer.out_proj.bias": "ssm_out.bias", "norm.weight": "attn_norm.weight"}


def gguf_name(key):
    if not key.startswith("backbone.layers."):
        return mamba_gguf.gguf_name(key)
    i, name = key.removeprefix("backbone.layers.").split(".", 1)
    return f"blk.{i}.{BLOCK[name]}"


def metadata(w, c):
    w.add_vocab_size(c.vocab_size)
    w.add_context_length(2**20)
    w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(0)
    w.add_head_count(0)
    w.add_block_count(c.num_hidden_layers)
    w.add_ssm_conv_kernel(c.conv_kernel)
    w.add_ssm_inner_size(c.num_heads * c.head_dim)
    w.add_ssm_state_size(c.state_size)
    w.add_ssm_time_step_rank(c.num_heads)
    w.add_ssm_group_count(c.n_groups)
    w.add_layer_norm_rms_eps(c.layer_norm_epsilon)


def write(path, row, weights):
    """-> the weights as they come back, in the order of transformers."""
    c = Mamba2Config(**copy.deepcopy(row["config"]))
    w, back, turn = gguf.GGUFWriter(str(path), "mamba2"), {}, 0
    metadata(w, c)
    for key, a in weights.items():
        name, kind, shape = gguf_name(key), "F32", a.shape
        stem = key.split(".")[-1] if key.endswith(("A_log", "D")) else key.split(".")[-2]
        if stem == "A_log":
            a = -np.exp(a.astype(np.float64)).astype(np.float32)
        if stem in ("A_log", "D"):
            a = a[:, None]
        elif stem == "conv1d":
            a = a.reshape(len(a), -1) if a.ndim == 3 else a
        elif key.endswith("mixer.norm.weight"):
            a = a.reshape(c.n_groups, -1)
        elif a.ndim == 2 and stem in ("embeddings", "lm_head"):
            kind = row["embed" if stem == "embeddings" else "head"]
        elif a.ndim == 2:
            kind, turn = row["types"][turn % len(row["types"])], turn + 1
        kind = gguf.GGMLQuantizationType[kind]
        data = quantize(np.ascontiguousarray(a), kind)
        w.add_tensor(name, data, raw_dtype=kind)
        a = dequantize(data, kind).astype(np.float32)
        back[key] = (np.log(-a.astype(np.float64)) if stem == "A_log" else a).reshape(shape)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return back
