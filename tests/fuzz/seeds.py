"""Seeds of the fuzz targets, in corpus/ beside this file: python seeds.py

Models of one layer and five tokens, tokenizers of a dozen. No packages needed: those of pytorch_model.bin are by hand
as well (../golden/bin/craft.py).
"""
import json
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/bin"))
import craft

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
rng = random.Random(1)


def put(target, name, data):
    os.makedirs(os.path.join(out, target), exist_ok=True)
    with open(os.path.join(out, target, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def numbers(shape):
    n = 1
    for s in shape:
        n *= s
    return struct.pack("<%df" % n, *(rng.uniform(-1, 1) for _ in range(n)))


# ---- models: V 5, C 4, one layer; llama H 2 K 1, mamba E 8 N 2 W 2 R 1, gpt2 H 2 F 3 X 8
A, M, G = "model.layers.0.", "backbone.layers.0.mixer.", "transformer.h.0."
models = {
    "llama": ("l", {
        "model.embed_tokens.weight": [5, 4], "model.norm.weight": [4], "lm_head.weight": [5, 4],
        A + "input_layernorm.weight": [4], A + "post_attention_layernorm.weight": [4],
        A + "self_attn.q_proj.weight": [4, 4], A + "self_attn.k_proj.weight": [2, 4],
        A + "self_attn.v_proj.weight": [2, 4], A + "self_attn.o_proj.weight": [4, 4],
        A + "mlp.gate_proj.weight": [3, 4], A + "mlp.up_proj.weight": [3, 4], A + "mlp.down_proj.weight": [4, 3],
    }, {"model_type": "llama", "vocab_size": 5, "hidden_size": 4, "intermediate_size": 3, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1}),
    "mamba": ("m", {
        "backbone.embeddings.weight": [5, 4], "backbone.norm_f.weight": [4], "backbone.layers.0.norm.weight": [4],
        M + "in_proj.weight": [16, 4], M + "conv1d.weight": [8, 1, 2], M + "conv1d.bias": [8],
        M + "x_proj.weight": [5, 8], M + "dt_proj.weight": [8, 1], M + "dt_proj.bias": [8],
        M + "A_log": [8, 2], M + "D": [8], M + "out_proj.weight": [4, 8],
    }, {"model_type": "mamba", "vocab_size": 5, "hidden_size": 4, "num_hidden_layers": 1, "state_size": 2,
        "conv_kernel": 2, "time_step_rank": 1}),
    "gpt2": ("o", {
        "transformer.wte.weight": [5, 4], "transformer.wpe.weight": [8, 4],
        "transformer.ln_f.weight": [4], "transformer.ln_f.bias": [4],
        G + "ln_1.weight": [4], G + "ln_1.bias": [4], G + "ln_2.weight": [4], G + "ln_2.bias": [4],
        G + "attn.c_attn.weight": [4, 12], G + "attn.c_attn.bias": [12],
        G + "attn.c_proj.weight": [4, 4], G + "attn.c_proj.bias": [4],
        G + "mlp.c_fc.weight": [4, 3], G + "mlp.c_fc.bias": [3], G + "mlp.c_proj.weight": [3, 4], G + "mlp.c_proj.bias": [4],
    }, {"model_type": "gpt2", "vocab_size": 5, "n_embd": 4, "n_layer": 1, "n_head": 2, "n_inner": 3, "n_positions": 8}),
}


def safetensors(tensors):
    head, data = {"__metadata__": {"format": "pt"}}, b""
    for name, shape in tensors.items():
        b = numbers(shape)
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(b)]}
        data += b
    text = json.dumps(head, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


for name, (kind, tensors, config) in models.items():
    put("safetensors", name, kind.encode() + safetensors(tensors))
    put("config", name, kind + json.dumps(config))
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "../golden/load/shards/model.safetensors.index.json")) as f:
    put("safetensors", "index", "n" + f.read())

more = {
    "linear": ("llama", {"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_theta": 1e4, "hidden_act": "gelu"}),
    "yarn": ("llama", {"rope_scaling": {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 64,
                                        "beta_fast": 32, "beta_slow": 1, "attention_factor": 1.1}}),
    "llama3": ("llama", {"rope_parameters": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1,
                                             "high_freq_factor": 4, "original_max_position_embeddings": 64,
                                             "rope_theta": 5e5}}),
    "longrope": ("llama", {"rope_scaling": {"rope_type": "longrope", "short_factor": [1], "long_factor": [2]},
                           "max_position_embeddings": 64, "original_max_position_embeddings": 16}),
    "dynamic": ("llama", {"rope_scaling": {"rope_type": "dynamic", "factor": 2}, "max_position_embeddings": 2,
                          "tie_word_embeddings": False, "attention_bias": False, "rms_norm_eps": 1e-5}),
    "gpt2_more": ("gpt2", {"activation_function": "relu", "scale_attn_weights": False, "layer_norm_epsilon": 1e-6,
                           "scale_attn_by_inverse_layer_idx": True, "tie_word_embeddings": True}),
    "mamba_more": ("mamba", {"expand": 2, "use_bias": False, "use_conv_bias": True, "hidden_act": "silu",
                             "time_step_rank": "auto", "layer_norm_epsilon": 1e-5, "pad_vocab_size_multiple": 1}),
}
for name, (base, extra) in more.items():
    put("config", name, models[base][0] + json.dumps({**models[base][2], **extra}))
put("config", "native", "m" + json.dumps({"d_model": 4, "n_layer": 1, "vocab_size": 5,
                                           "ssm_cfg": {"d_state": 2, "d_conv": 2, "dt_rank": 1}, "rms_norm": True}))


# ---- GGUF
def s(text):
    b = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(b)) + b


def value(v):
    if isinstance(v, bool):
        return struct.pack("<I?", 7, v)
    if isinstance(v, int):
        return struct.pack("<II", 4, v)
    if isinstance(v, float):
        return struct.pack("<If", 6, v)
    if isinstance(v, str):
        return struct.pack("<I", 8) + s(v)
    items = [value(x) for x in v]
    return struct.pack("<I", 9) + items[0][:4] + struct.pack("<Q", len(v)) + b"".join(i[4:] for i in items)


def gguf(keys, tensors):
    b = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    for k, v in keys.items():
        b += s(k) + value(v)
    data = b""
    for name, shape in tensors.items():
        b += s(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in shape[::-1])
        b += struct.pack("<IQ", 0, len(data))
        data += numbers(shape)
        data += bytes(-len(data) % 32)
    return b + bytes(-len(b) % 32) + data


bytes_bpe = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2",
             "tokenizer.ggml.tokens": ["a", "b", "c", "\u0120", "ab", "<s>"],
             "tokenizer.ggml.token_type": [1, 1, 1, 1, 1, 3], "tokenizer.ggml.merges": ["a b"],
             "tokenizer.ggml.bos_token_id": 5, "tokenizer.ggml.add_bos_token": True}
spm = {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "<0x0A>", "\u2581", "a", "b", "ab"],
       "tokenizer.ggml.scores": [0.0, 0.0, 0.0, 0.0, -1.0, -2.0, -3.0, -0.5],
       "tokenizer.ggml.token_type": [2, 3, 3, 6, 1, 1, 1, 1], "tokenizer.ggml.unknown_token_id": 0,
       "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.add_space_prefix": True}
five = {**bytes_bpe, "tokenizer.ggml.tokens": ["a", "b", "\u0120", "ab", "<s>"], "tokenizer.ggml.token_type": [1, 1, 1, 1, 3],
        "tokenizer.ggml.bos_token_id": 4}
b = "blk.0."
put("gguf", "llama", gguf(
    {"general.architecture": "llama", "llama.vocab_size": 5, "llama.context_length": 16, "llama.embedding_length": 4,
     "llama.block_count": 1, "llama.feed_forward_length": 3, "llama.attention.head_count": 2,
     "llama.attention.head_count_kv": 1, "llama.attention.layer_norm_rms_epsilon": 1e-6,
     "llama.rope.dimension_count": 2, **five},
    {"token_embd.weight": [5, 4], "output_norm.weight": [4], b + "attn_norm.weight": [4], b + "ffn_norm.weight": [4],
     b + "attn_q.weight": [4, 4], b + "attn_k.weight": [2, 4], b + "attn_v.weight": [2, 4], b + "attn_output.weight": [4, 4],
     b + "ffn_gate.weight": [3, 4], b + "ffn_up.weight": [3, 4], b + "ffn_down.weight": [4, 3]}))
put("gguf", "mamba", gguf(
    {"general.architecture": "mamba", "mamba.vocab_size": 5, "mamba.context_length": 16, "mamba.embedding_length": 4,
     "mamba.block_count": 1, "mamba.ssm.conv_kernel": 2, "mamba.ssm.inner_size": 8, "mamba.ssm.state_size": 2,
     "mamba.ssm.time_step_rank": 1, "mamba.attention.layer_norm_rms_epsilon": 1e-5},
    {"token_embd.weight": [5, 4], "output_norm.weight": [4], b + "attn_norm.weight": [4], b + "ssm_a": [8, 2], b + "ssm_d": [8],
     b + "ssm_conv1d.weight": [8, 2], b + "ssm_conv1d.bias": [8], b + "ssm_in.weight": [16, 4], b + "ssm_x.weight": [5, 8],
     b + "ssm_dt.weight": [8, 1], b + "ssm_dt.bias": [8], b + "ssm_out.weight": [4, 8]}))
put("gguf", "gpt2", gguf(
    {"general.architecture": "gpt2", "gpt2.vocab_size": 5, "gpt2.context_length": 8, "gpt2.embedding_length": 4,
     "gpt2.block_count": 1, "gpt2.feed_forward_length": 3, "gpt2.attention.head_count": 2,
     "gpt2.attention.layer_norm_epsilon": 1e-5},
    {"token_embd.weight": [5, 4], "position_embd.weight": [8, 4], "output_norm.weight": [4], "output_norm.bias": [4],
     b + "attn_norm.weight": [4], b + "attn_norm.bias": [4], b + "ffn_norm.weight": [4], b + "ffn_norm.bias": [4],
     b + "attn_qkv.weight": [12, 4], b + "attn_qkv.bias": [12], b + "attn_output.weight": [4, 4], b + "attn_output.bias": [4],
     b + "ffn_up.weight": [3, 4], b + "ffn_up.bias": [3], b + "ffn_down.weight": [4, 3], b + "ffn_down.bias": [4]}))
put("gguf", "vocab_bytes", gguf(bytes_bpe, {}))
put("gguf", "vocab_spm", gguf(spm, {}))

# ---- tokenizers: JSON, NUL, text
letters = {"<s>": 0, "a": 1, "b": 2, "c": 3, "ab": 4, "\u0120": 5, "\u2581": 6, "<0xC3>": 7, "<0xA9>": 8, "\u2581a": 9}
bpe = {"type": "BPE", "unk_token": None, "byte_fallback": False, "vocab": letters, "merges": ["a b"]}


def tokenizer(name, text, model=None, **parts):
    whole = {"version": "1.0", "truncation": None, "padding": None,
             "added_tokens": [{"id": 0, "content": "<s>", "special": True, "normalized": False}],
             "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
             "model": {**bpe, **(model or {})}}
    put("tokenizer", name, json.dumps({**whole, **parts}, separators=(",", ":")).encode() + b"\0" + text.encode())


def sequence(member, *parts):
    return {"type": "Sequence", member: list(parts)}


byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
pair = [{"Sequence": {"id": "A", "type_id": 0}}]
put("tokenizer", "world", b"1 'a' 1\n2 ' b' 2\n3 b'\\xe2\\x80' 2\n4 '\\u200b\\n' 4\n\0a b\xe2\x80\x8b\n<s>")
put("tokenizer", "world_bytes", b"b'<s>'\nb'a'\nb'\\xff\\''\n\0aa<s>")
tokenizer("bytes", "ab c<s>abc", pre_tokenizer=byte_level, decoder=byte_level, post_processor=byte_level)
tokenizer("metaspace", "ab ab\u00e9", {"byte_fallback": True, "fuse_unk": True, "unk_token": "<s>"},
          normalizer=sequence("normalizers", {"type": "Prepend", "prepend": "\u2581"},
                              {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}),
          decoder=sequence("decoders", {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                           {"type": "ByteFallback"}, {"type": "Fuse"},
                           {"type": "Strip", "content": " ", "start": 1, "stop": 0}))
tokenizer("split", "ab1 ab, c", {"ignore_merges": True, "merges": [["a", "b"]]}, normalizer={"type": "NFC"},
          pre_tokenizer=sequence("pretokenizers",
                                 {"type": "Split", "pattern": {"Regex": "\\s+|[a-b]+(?!x)"}, "behavior": "Removed", "invert": True},
                                 {"type": "Digits", "individual_digits": True},
                                 {"type": "Punctuation", "behavior": "Isolated"}), decoder={"type": "Fuse"})
tokenizer("accents", " \u00c9a\u0308B ", {"continuing_subword_prefix": None, "end_of_word_suffix": None, "dropout": None},
          normalizer=sequence("normalizers", {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"},
                              {"type": "Strip", "strip_left": True, "strip_right": True}),
          pre_tokenizer={"type": "Whitespace"}, decoder={"type": "BPEDecoder", "suffix": "</w>"})
tokenizer("template", "a<s> b", pre_tokenizer=metaspace, decoder=metaspace,
          post_processor={"type": "TemplateProcessing",
                          "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}] + pair, "pair": pair,
                          "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}})
tokenizer("roberta", "a b", pre_tokenizer={"type": "WhitespaceSplit"},
          post_processor={"type": "RobertaProcessing", "sep": ["<s>", 0], "cls": ["<s>", 0], "trim_offsets": True,
                          "add_prefix_space": False})
tokenizer("added", "xa by ", added_tokens=[
    {"id": 0, "content": "<s>", "special": True, "normalized": False},
    {"id": 10, "content": "a b", "single_word": True, "lstrip": True, "rstrip": True, "special": False, "normalized": True}])

# ---- data sets
put("dataset", "objects", '{"text": "ab"}\n{"text": "c\\u00e9", "n": 3}\n')
put("dataset", "strings", '"ab"\r\n\n"\\ud83d\\ude00"\n')
put("dataset", "other", '{"body": "ab"}\n[1, 2]\n')

# ---- pytorch_model.bin: "z" and the file, "q" and a pickle of storages of 64 and 16 bytes
put("pytorch", "mamba", b"z" + craft.model({k: ("F32", v, numbers(v)) for k, v in models["mamba"][1].items()}))
put("pytorch", "one", b"z" + craft.saved(craft.whole(craft.dictionary([("a", craft.tensor(craft.storage(), [2, 2]))]))))
put("pytorch", "large", b"z" + craft.large(craft.saved(craft.whole(craft.dictionary(
    [("a", craft.tensor(craft.storage(), [2, 2]))])))))
both = [("a", craft.tensor(craft.storage("0", 16), [2, 4], offset=8)),
        ("b", craft.tensor(craft.storage("1", 8, "BFloat16Storage"), [8]))]
parameter = craft.named("torch._utils", "_rebuild_parameter")
kept = craft.text("_metadata") + craft.ordered + b"s"
put("pytorch", "pickle", b"q" + craft.whole(craft.dictionary(both)))
put("pytorch", "parameter", b"q" + craft.whole(craft.dictionary(
    [("a", parameter + craft.tup(both[0][1], b"\x88", craft.ordered) + b"R"), both[1]]) + b"}" + kept + b"b"))
put("pytorch", "wrapped", b"q" + craft.whole(craft.dictionary(
    [("state_dict", craft.dictionary(both, b"}")), ("n", b"](K\1M\2\0G\0\0\0\0\0\0\0\0N\x89\x8a\2\1\2eNa"),
     ("t", b"NN\x86q\0\x85r\1\0\0\0j\1\0\0\0\x86h\0\x86")])))
put("pytorch", "protocol4", b"q\x80\x04\x95\5\0\0\0\0\0\0\0\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94.")
