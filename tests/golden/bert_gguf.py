"""Writes a BERT model with embeddings as GGUF, as llama.cpp's converter does: positions, types, norms and biases F32."""
import copy

import gguf
import numpy as np
from gguf.quants import dequantize, quantize
from transformers import BertConfig

TOP = {"word_embeddings": "token_embd", "position_embeddings": "position_embd", "token_type_embeddings": "token_types",
       "LayerNorm": "token_embd_norm"}
BLOCK = {"attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
         "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
         "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}
POOLING = {"mean": gguf.PoolingType.MEAN, "cls": gguf.PoolingType.CLS}


def gguf_name(key):
    stem, kind = key.removeprefix("bert.").rsplit(".", 1)
    part, name = stem.split(".", 1)
    if part == "embeddings":
        return f"{TOP[name]}.{kind}"
    _, i, name = name.split(".", 2)
    return f"blk.{i}.{BLOCK[name]}.{kind}"


def write(path, row, weights):
    """-> the weights as they come back"""
    c = BertConfig(**copy.deepcopy(row["config"]))
    w, back, turn = gguf.GGUFWriter(str(path), "bert"), {}, 0
    w.add_vocab_size(c.vocab_size)
    w.add_block_count(c.num_hidden_layers)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_layer_norm_eps(c.layer_norm_eps)
    w.add_causal_attention(False)
    w.add_pooling_type(POOLING[row["pooling"]])
    w.add_token_type_count(c.type_vocab_size)
    for key, a in weights.items():
        name, kind = gguf_name(key), "F32"
        if name.startswith("blk.") and a.ndim == 2:
            kind, turn = row["types"][turn % len(row["types"])], turn + 1
        elif name == "token_embd.weight":
            kind = row["embed"]
        kind = gguf.GGMLQuantizationType[kind]
        data = quantize(a, kind)
        w.add_tensor(name, data, raw_dtype=kind)
        back[key] = dequantize(data, kind).astype(np.float32).reshape(a.shape)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return back
