"""The random GPT-J models of gptj.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type and architectures, exactly as written (keys that are left out
test the defaults); "dtype" F32, BF16 or F16; "keep": tensors with these endings stay F32; "shards"; "masks" adds
the buffers attn.bias (1, 1, n, n), attn.masked_bias and attn.embed_positions, which are to be ignored; "lengths"
(default: those of llama.py); "full": attention weights and the logits of all positions up to T = 37, not 2. There are no
GGUF files of this family.
"""


def config(d, heads, vocab, layers=2, rot=4, **more):
    return dict(vocab_size=vocab, n_embd=d, n_layer=layers, n_head=heads, rotary_dim=rot, **more)


UP_TO_37 = (1, 2, 37)
# 64 of 66 dimensions turn, as the default says.
WIDE = config(66, 1, 61, layers=1, n_inner=20)
del WIDE["rotary_dim"]

MODELS = {
    # Everything that can be left out is: 2048 positions, inner width 4 d, gelu_new, eps 1e-5, not tied.
    "plain": {"config": config(24, 3, 61), "full": True},
    "whole_inner_gelu": {"config": config(24, 4, 97, rot=6, n_inner=30, activation_function="gelu",
                                          layer_norm_epsilon=1e-3, n_positions=144), "full": True},
    "default_rotary": {"config": WIDE, "lengths": UP_TO_37},
    "tied_relu": {"config": config(18, 3, 61, rot=2, n_inner=None, activation_function="relu",
                                   tie_word_embeddings=True), "masks": True, "lengths": UP_TO_37},
    "silu_f16": {"config": config(20, 2, 97, layers=3, rot=6, activation_function="silu", torch_dtype="float16"),
                 "dtype": "F16"},
    "bf16_keep": {"config": config(16, 2, 61, torch_dtype="bfloat16", tie_word_embeddings=True), "dtype": "BF16",
                  "keep": ("ln_1.weight", "ln_1.bias", "ln_f.weight", "ln_f.bias"), "lengths": UP_TO_37},
    "aliases_sharded": {"config": dict(vocab_size=61, hidden_size=24, num_hidden_layers=3, num_attention_heads=2,
                                       max_position_embeddings=64, rotary_dim=10, attn_pdrop=0.1),
                        "shards": 3, "lengths": UP_TO_37},
}
GGUF = {}
