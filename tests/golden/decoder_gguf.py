"""Writes GPT-NeoX and BLOOM models as GGUF, as llama.cpp's converter does: the rows of query_key_value, which are q | k |
v of each head, become q | k | v of all; norms and biases F32; no output.weight where the head is tied."""
import gguf
import numpy as np
from gguf.quants import dequantize, quantize

NAMES = {
    "gptneox": {"gpt_neox.embed_in": "token_embd", "gpt_neox.final_layer_norm": "output_norm", "embed_out": "output",
                "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
                "attention.query_key_value": "attn_qkv", "attention.dense": "attn_output",
                "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down"},
    "bloom": {"transformer.word_embeddings": "token_embd", "transformer.word_embeddings_layernorm": "token_embd_norm",
              "transformer.ln_f": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm",
              "post_attention_layernorm": "ffn_norm", "self_attention.query_key_value": "attn_qkv",
              "self_attention.dense": "attn_output", "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down"},
}
LAYERS = {"gptneox": "gpt_neox.layers.", "bloom": "transformer.h."}


def gguf_name(arch, key):
    stem, kind = key.rsplit(".", 1)
    if stem.startswith(LAYERS[arch]):
        i, stem = stem.removeprefix(LAYERS[arch]).split(".", 1)
        return f"blk.{i}.{NAMES[arch][stem]}.{kind}"
    return f"{NAMES[arch][stem]}.{kind}"


def hf_name(arch, name):
    back = {v: k for k, v in NAMES[arch].items()}
    if name.startswith("blk."):
        _, i, stem, kind = name.split(".")
        return f"{LAYERS[arch]}{i}.{back[stem]}.{kind}"
    stem, kind = name.rsplit(".", 1)
    return f"{back[stem]}.{kind}"


def by_part(a, heads):
    """Rows q | k | v of each head -> of all heads."""
    return a.reshape(heads, 3, -1, *a.shape[1:]).swapaxes(0, 1).reshape(a.shape)


def by_head(a, heads):
    """And back."""
    return a.reshape(3, heads, -1, *a.shape[1:]).swapaxes(0, 1).reshape(a.shape)


def metadata(w, arch, c):
    w.add_embedding_length(c.hidden_size)
    w.add_block_count(c.num_hidden_layers)
    w.add_head_count(c.num_attention_heads)
    if arch == "gptneox":
        w.add_context_length(c.max_position_embeddings)
        w.add_feed_forward_length(c.intermediate_size)
        w.add_rope_dimension_count(int(c.rotary_pct * (c.hidden_size // c.num_attention_heads)))
        w.add_parallel_residual(c.use_parallel_residual)
        w.add_layer_norm_eps(c.layer_norm_eps)
    else:
        w.add_context_length(c.seq_length)
        w.add_feed_forward_length(4 * c.hidden_size)
        w.add_head_count_kv(c.num_attention_heads)
        w.add_layer_norm_eps(c.layer_norm_epsilon)


def write(path, arch, config, row, weights):
    """-> the weights as they come back, in the order of transformers."""
    w, back, turn, heads = gguf.GGUFWriter(str(path), arch), {}, 0, config.num_attention_heads
    metadata(w, arch, config)
    for key, a in weights.items():
        name, kind = gguf_name(arch, key), "F32"
        if name in ("token_embd.weight", "output.weight"):
            kind = row["embed" if name == "token_embd.weight" else "head"]
        elif a.ndim == 2:
            kind, turn = row["types"][turn % len(row["types"])], turn + 1
        fused, kind = "attn_qkv" in name, gguf.GGMLQuantizationType[kind]
        a = np.ascontiguousarray(by_part(a, heads) if fused else a)
        data = quantize(a, kind)
        w.add_tensor(name, data, raw_dtype=kind)
        a = dequantize(data, kind).astype(np.float32).reshape(a.shape)
        back[key] = by_head(a, heads) if fused else a
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return back
