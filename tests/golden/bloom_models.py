"""The random BLOOM models of bloom.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type and architectures, exactly as written (keys that are left out
test the defaults); "dtype" F32, BF16 or F16; "keep": tensors with these endings stay F32; "shards"; "bare": names
without the prefix "transformer." (as the hub's files); "head": a tied model's file has lm_head.weight too; "lengths"
(default: those of llama.py); "full": attention weights and the logits of all positions up to T = 37, not 2.
"""


def config(d, heads, vocab, layers=2, **more):
    return dict(vocab_size=vocab, hidden_size=d, n_layer=layers, n_head=heads, **more)


UP_TO_37 = (1, 2, 37)

MODELS = {
    # Everything that can be left out is: 2 layers, 8 heads, eps 1e-5, tied.
    "plain": {"config": dict(vocab_size=61, hidden_size=24), "full": True},
    "three_heads": {"config": config(24, 3, 97, seq_length=144, layer_norm_epsilon=1e-3), "full": True},
    "one_head_late": {"config": config(20, 1, 61, apply_residual_connection_post_layernorm=True), "full": True},
    "seven_heads_untied": {"config": config(28, 7, 61, layers=3, tie_word_embeddings=False), "lengths": UP_TO_37},
    "twelve_heads_f16": {"config": config(24, 12, 97, torch_dtype="float16", pretraining_tp=2, slow_but_exact=False),
                         "dtype": "F16", "bare": True},
    "late_bf16": {"config": config(16, 2, 61, apply_residual_connection_post_layernorm=True, torch_dtype="bfloat16"),
                  "dtype": "BF16", "keep": ("layernorm.weight", "layernorm.bias", "ln_f.weight", "ln_f.bias"),
                  "lengths": UP_TO_37},
    "aliases_sharded": {"config": dict(vocab_size=61, n_embed=16, num_hidden_layers=3, num_attention_heads=4,
                                       hidden_dropout=0.1, attention_dropout=0.1), "shards": 3, "head": True,
                        "lengths": UP_TO_37},
}

# GGUF files. "types" are taken in turn by the matrices of the blocks. All settings are exact in float32.
EPS = 2.0 ** -17
GGUF = {
    "gguf_tied": {"config": config(32, 4, 61, layer_norm_epsilon=EPS, seq_length=64),
                  "types": ["Q8_0", "F16", "Q4_0"], "embed": "Q8_0", "lengths": UP_TO_37},
    "gguf_six_heads": {"config": config(96, 6, 97, layers=1, layer_norm_epsilon=EPS, seq_length=64,
                                        tie_word_embeddings=False), "types": ["Q8_0", "Q4_0"], "embed": "F16",
                       "head": "Q8_0", "lengths": UP_TO_37},
}
