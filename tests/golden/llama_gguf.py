"""Writes a Llama model as GGUF, as llama.cpp's converter does: matrices quantised, rows of q and k in the order of
interleaved rotary pairs, norms F32, no output.weight where the head is tied."""
import copy
import math

import gguf
import numpy as np
from gguf.quants import dequantize, quantize
from transformers import LlamaConfig

BLOCK = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def gguf_name(key):
    top = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    stem, kind = key.rsplit(".", 1)
    if stem in top:
        return f"{top[stem]}.{kind}"
    _, _, i, name = stem.split(".", 3)
    return f"blk.{i}.{BLOCK[name]}.{kind}"


def interleave(w, heads):
    """Row i + j d/2 of each head becomes row 2i + j."""
    return w.reshape(heads, 2, -1, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


def undo(w, heads):
    return w.reshape(heads, -1, 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


def llama3_factors(c):
    """What divides each frequency: 1 for the fast ones, factor for the slow ones, between them in between."""
    s, out = c.rope_scaling, []
    old = s["original_max_position_embeddings"]
    for i in range(0, c.head_dim, 2):
        wavelength = 2 * math.pi * c.rope_theta ** (i / c.head_dim)
        if wavelength < old / s["high_freq_factor"]:
            out.append(1.0)
        elif wavelength > old / s["low_freq_factor"]:
            out.append(s["factor"])
        else:
            u = (old / wavelength - s["low_freq_factor"]) / (s["high_freq_factor"] - s["low_freq_factor"])
            out.append(1 / ((1 - u) / s["factor"] + u))
    return np.array(out, np.float32)


def metadata(w, c):
    w.add_vocab_size(c.vocab_size)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_block_count(c.num_hidden_layers)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_rope_dimension_count(c.head_dim)
    if c.head_dim != c.hidden_size // c.num_attention_heads:
        w.add_key_length(c.head_dim)
        w.add_value_length(c.head_dim)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_rope_freq_base(c.rope_theta)
    s = c.rope_scaling
    if s and s["rope_type"] in ("linear", "yarn"):
        w.add_rope_scaling_type(gguf.RopeScalingType(s["rope_type"]))
        w.add_rope_scaling_factor(s["factor"])
        if "original_max_position_embeddings" in s:
            w.add_rope_scaling_orig_ctx_len(s["original_max_position_embeddings"])


def write(path, row, weights):
    """-> (the weights as they come back, in the order of transformers; inverse frequencies if the file has its own)."""
    c = LlamaConfig(**copy.deepcopy(row["config"]))
    w, back, inv_freq = gguf.GGUFWriter(str(path), "llama"), {}, None
    metadata(w, c)
    heads = {"attn_q": c.num_attention_heads, "attn_k": c.num_key_value_heads}
    turn = 0
    for key, a in weights.items():
        name = gguf_name(key)
        stem = name.split(".")[-2]
        if a.ndim == 1:
            kind = "F32"
        elif stem in ("token_embd", "output"):
            kind = row["embed" if stem == "token_embd" else "head"]
        else:
            kind, turn = row["types"][turn % len(row["types"])], turn + 1
        kind = gguf.GGMLQuantizationType[kind]
        a = interleave(a, heads[stem]) if stem in heads else a
        data = quantize(np.ascontiguousarray(a), kind)
        w.add_tensor(name, data, raw_dtype=kind)
        a = dequantize(data, kind).astype(np.float32).reshape(a.shape)
        back[key] = undo(a, heads[stem]) if stem in heads else a
    if c.rope_scaling and c.rope_scaling["rope_type"] == "llama3":
        factors = llama3_factors(c)
        w.add_tensor("rope_freqs.weight", factors)
        inv_freq = c.rope_theta ** (-np.arange(0, c.head_dim, 2) / c.head_dim) / factors.astype(np.float64)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return back, inv_freq
