"""Writes Gemma 3 models as GGUF, as llama.cpp's converter does: norms F32 with 1 added, matrices quantised, no
output.weight where the head is tied, neither the size of the vocabulary nor the rotation of local layers."""
import gguf
import numpy as np
from gguf.quants import dequantize, quantize

TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
BLOCK = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def gguf_name(key):
    stem, kind = key.rsplit(".", 1)
    if stem in TOP:
        return f"{TOP[stem]}.{kind}"
    _, _, i, name = stem.split(".", 3)
    return f"blk.{i}.{BLOCK[name]}.{kind}"


def hf_name(name):
    back = {v: k for k, v in {**TOP, **BLOCK}.items()}
    if name.startswith("blk."):
        _, i, stem, kind = name.split(".")
        return f"model.layers.{i}.{back[stem]}.{kind}"
    stem, kind = name.rsplit(".", 1)
    return f"{back[stem]}.{kind}"


def metadata(w, c, keys):
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_block_count(c.num_hidden_layers)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_key_length(c.head_dim)
    w.add_value_length(c.head_dim)
    w.add_rope_freq_base(c.rope_theta)
    w.add_sliding_window(c.sliding_window)
    if c.rope_scaling:
        w.add_rope_scaling_type(gguf.RopeScalingType(c.rope_scaling["rope_type"]))
        w.add_rope_scaling_factor(c.rope_scaling["factor"])
    if c.final_logit_softcapping:
        w.add_final_logit_softcapping(c.final_logit_softcapping)
    if keys:
        every, layers = c.sliding_window_pattern, range(c.num_hidden_layers)
        w.add_rope_freq_base_swa(c.rope_local_base_freq)
        w.add_sliding_window_pattern(every if keys == "number" else [bool((i + 1) % every) for i in layers])


def write(path, config, row, weights):
    """-> the weights as they come back, in the order of transformers; those of norms in float64, without the 1."""
    w, back, turn = gguf.GGUFWriter(str(path), "gemma3"), {}, 0
    metadata(w, config, row.get("keys"))
    for key, a in weights.items():
        name, kind, norm = gguf_name(key), "F32", a.ndim == 1
        if name in ("token_embd.weight", "output.weight"):
            kind = row["embed" if name == "token_embd.weight" else "head"]
        elif not norm:
            kind, turn = row["types"][turn % len(row["types"])], turn + 1
        kind = gguf.GGMLQuantizationType[kind]
        data = quantize(np.ascontiguousarray(a + np.float32(1) if norm else a), kind)
        w.add_tensor(name, data, raw_dtype=kind)
        a = dequantize(data, kind).astype(np.float64).reshape(a.shape)
        back[key] = a - 1 if norm else a
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return back
