"""The random GPT-2 models of gpt2.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type and architectures, exactly as written (keys that are left out
test the defaults); "dtype" F32, BF16 or F16; "keep": tensors with these endings stay F32; "shards"; "prefix": names
start with "transformer." (the hub's files do not); "masks" adds the buffers h.{i}.attn.bias (1, 1, n, n) and
h.{i}.attn.masked_bias, which are to be ignored; "head": a tied model's file has lm_head.weight too; "lengths" (default:
those of llama.py); "full": attention weights and the logits of all positions up to T = 37, not 2.
"""


def config(d, heads, vocab, layers=2, positions=144, **more):
    return dict(vocab_size=vocab, n_embd=d, n_layer=layers, n_head=heads, n_positions=positions, **more)


UP_TO_37 = (1, 2, 37)
FULL_SIZE = config(20, 4, 61)
del FULL_SIZE["n_positions"]

MODELS = {
    # Everything that can be left out is: 1024 positions, inner width 4 d, gelu_new, eps 1e-5, tied, scores / sqrt(d/H).
    "plain": {"config": FULL_SIZE, "full": True},
    "prefix_inner_gelu": {"config": config(24, 3, 97, n_inner=30, activation_function="gelu",
                                           layer_norm_epsilon=1e-3), "prefix": True, "full": True},
    "relu_untied": {"config": config(18, 2, 61, n_inner=None, activation_function="relu", tie_word_embeddings=False),
                    "prefix": True, "lengths": UP_TO_37},
    "silu_f16": {"config": config(20, 5, 97, activation_function="silu", n_inner=44, torch_dtype="float16"),
                 "dtype": "F16", "prefix": True},
    "bf16_keep": {"config": config(16, 1, 61, torch_dtype="bfloat16"), "dtype": "BF16",
                  "keep": ("ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias", "ln_f.weight", "ln_f.bias"),
                  "lengths": UP_TO_37},
    "unscaled": {"config": config(16, 2, 61, scale_attn_weights=False), "lengths": UP_TO_37},
    "by_inverse_layer": {"config": config(16, 4, 61, layers=4, n_inner=24, scale_attn_by_inverse_layer_idx=True)},
    "unscaled_by_inverse_layer": {"config": config(16, 2, 61, layers=3, n_inner=24, scale_attn_weights=False,
                                                   scale_attn_by_inverse_layer_idx=True), "lengths": UP_TO_37},
    "reordered": {"config": config(18, 3, 89, layers=3, n_inner=20, reorder_and_upcast_attn=True,
                                   scale_attn_by_inverse_layer_idx=True), "prefix": True},
    "masks": {"config": config(16, 2, 61, positions=40, n_ctx=40, resid_pdrop=0.1, attn_pdrop=0.1, embd_pdrop=0.1,
                               bos_token_id=60, eos_token_id=60), "masks": True, "lengths": UP_TO_37},
    # The longest text uses the last position.
    "odd_vocab_limit": {"config": config(21, 3, 127, layers=1, positions=130, n_inner=33), "head": True,
                        "prefix": True},
    "aliases_sharded": {"config": dict(vocab_size=61, hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
                                       max_position_embeddings=64, activation_function="gelu_pytorch_tanh"),
                        "shards": 3, "lengths": UP_TO_37},
}

# GGUF files. "types" are taken in turn by the matrices of the blocks. All settings are exact in float32.
EPS = 2.0 ** -17
GGUF = {
    "gguf_tied": {"config": config(32, 4, 61, positions=64, layer_norm_epsilon=EPS), "types": ["Q8_0", "F16", "Q4_0"],
                  "embed": "Q8_0", "lengths": UP_TO_37},
    "gguf_untied": {"config": config(32, 2, 97, positions=64, n_inner=64, layer_norm_epsilon=EPS,
                                     tie_word_embeddings=False), "types": ["F32", "Q8_0"], "embed": "F16",
                    "head": "Q8_0", "lengths": UP_TO_37},
}
