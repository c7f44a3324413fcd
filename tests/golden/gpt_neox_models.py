"""The random GPT-NeoX models of gpt_neox.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type and architectures, exactly as written (keys that are left out
test the defaults); "as": what transformers 4.52 calls the same; "dtype" F32, BF16 or F16; "keep": tensors with these
endings stay F32; "shards"; "bare": names without the prefix "gpt_neox."; "masks" adds the buffers attention.bias (1, 1,
n, n), attention.masked_bias and rotary_emb.inv_freq, which are to be ignored; "head": a tied model's file has
embed_out.weight too; "lengths" (default: those of llama.py); "full": attention weights and the logits of all positions
up to T = 37, not 2.
"""


def config(d, heads, vocab, layers=2, inner=None, **more):
    return dict(vocab_size=vocab, hidden_size=d, num_hidden_layers=layers, num_attention_heads=heads,
                intermediate_size=inner or 4 * d, **more)


UP_TO_37 = (1, 2, 37)
LINEAR = {"type": "linear", "factor": 4.0}
DYNAMIC = {"type": "dynamic", "factor": 2.0}

MODELS = {
    # Defaults: 2 of 8 dimensions turn, base 10000, 2048 positions, gelu, eps 1e-5, parallel, biases, not tied.
    "plain": {"config": config(24, 3, 61), "full": True},
    "sequential": {"config": config(24, 2, 97, use_parallel_residual=False, rotary_pct=0.5, inner=40,
                                    layer_norm_eps=1e-3), "full": True},
    "whole_tied": {"config": config(20, 5, 61, rotary_pct=1.0, tie_word_embeddings=True, hidden_act="gelu_fast"),
                   "head": True, "lengths": UP_TO_37},
    "no_bias_relu": {"config": config(24, 1, 61, attention_bias=False, hidden_act="relu", rotary_emb_base=500),
                     "masks": True, "lengths": UP_TO_37},
    # int(10 x 0.45) = 4
    "odd_part_f16": {"config": config(30, 3, 97, layers=3, rotary_pct=0.45, inner=44, hidden_act="gelu_new",
                                      torch_dtype="float16"), "dtype": "F16"},
    "sequential_no_bias_bf16": {"config": config(16, 2, 61, attention_bias=False, use_parallel_residual=False,
                                                 torch_dtype="bfloat16"), "dtype": "BF16",
                                "keep": ("layernorm.weight", "layernorm.bias", "layer_norm.weight",
                                         "layer_norm.bias"), "lengths": UP_TO_37},
    "linear_sharded": {"config": config(32, 4, 61, rotary_pct=0.5, rope_scaling=LINEAR, max_position_embeddings=64),
                       "shards": 3, "lengths": UP_TO_37},
    "dynamic_bare": {"config": config(32, 2, 61, rotary_pct=0.5, rope_scaling=DYNAMIC, max_position_embeddings=64,
                                      tie_word_embeddings=True), "bare": True},
    "v5": {"config": config(32, 2, 61, rope_parameters={"rope_theta": 2000.0, "partial_rotary_factor": 0.75,
                                                        "rope_type": "default"}),
           "as": dict(rotary_pct=0.75, rotary_emb_base=2000.0), "lengths": UP_TO_37},
}

# GGUF files. "types" are taken in turn by the matrices of the blocks. All settings are exact in float32.
EPS = 2.0 ** -17
GGUF = {
    "gguf_parallel": {"config": config(32, 2, 61, layer_norm_eps=EPS, max_position_embeddings=64, rotary_pct=0.5),
                      "types": ["Q8_0", "F16", "Q4_0"], "embed": "Q8_0", "head": "F32", "lengths": UP_TO_37},
    "gguf_sequential": {"config": config(32, 4, 97, inner=64, layer_norm_eps=EPS, max_position_embeddings=64,
                                         use_parallel_residual=False), "types": ["F32", "Q8_0"], "embed": "F16",
                        "head": "Q8_0", "lengths": UP_TO_37},
}
