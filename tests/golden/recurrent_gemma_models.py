"""The random RecurrentGemma models of recurrent_gemma.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type and architectures, exactly as written (keys that are left out
test the defaults); "dtype" F32, BF16 or F16; "shards"; "bare" leaves the prefix "model." out; "head": a tied model's
file has lm_head.weight too; "lengths" (default: those of llama.py); "full": the logits of all positions up to T = 37, not
2; "like" shares the weights, texts and targets of another; "decay": the range of softplus(recurrent_param); "logits": a
factor of the head's weights, against the cap.
"""


def config(d, vocab, layers=3, heads=3, **more):
    return dict(vocab_size=vocab, hidden_size=d, num_hidden_layers=layers, num_attention_heads=heads, **more)


UP_TO_37 = (1, 2, 37)
BOTH = ["recurrent", "attention"]

MODELS = {
    # Everything that can be left out is: the pattern, window 2048, filter 4, cap 30, as many key/value heads, tied.
    "plain": {"config": config(24, 61, intermediate_size=46), "full": True},
    "one_key_head": {"config": config(40, 97, layers=4, heads=5, num_key_value_heads=1, lru_width=45,
                                      intermediate_size=74, rms_norm_eps=1e-5), "logits": 0.5},
    "two_key_heads": {"config": config(32, 61, layers=2, heads=4, num_key_value_heads=2, intermediate_size=50,
                                       block_types=BOTH, rope_theta=500.0, tie_word_embeddings=False), "full": True},
    # Four layers over a pattern of two; texts are longer than the window.
    "window5": {"config": config(24, 61, layers=4, heads=3, num_key_value_heads=1, intermediate_size=46,
                                 attention_window_size=5, block_types=["attention", "recurrent"]), "full": True},
    "window2": {"config": config(16, 29, layers=2, heads=2, intermediate_size=26, attention_window_size=2,
                                 block_types=["attention"]), "lengths": UP_TO_37},
    "window64": {"config": config(24, 61, layers=2, heads=2, num_key_value_heads=None, intermediate_size=30,
                                  attention_window_size=64, block_types=BOTH), "logits": 0.7, "lengths": (2, 130)},
    "no_attention": {"config": config(20, 61, layers=2, heads=4, lru_width=36, intermediate_size=42,
                                      block_types=["recurrent"], conv1d_width=2, tie_word_embeddings=False),
                     "lengths": (1, 37, 130)},
    "one_block": {"config": config(20, 61, layers=2, heads=1, lru_width=17, intermediate_size=34, conv1d_width=5,
                                   block_types=["recurrent"]), "lengths": UP_TO_37},
    "bias": {"config": config(24, 97, layers=3, heads=3, num_key_value_heads=1, attention_bias=True,
                              intermediate_size=46, tie_word_embeddings=False), "lengths": UP_TO_37},
    # The cap takes a third of many logits. (Nearer to it, transformers' gradient loses digits to 1 - tanh^2.)
    "cap3": {"config": config(24, 61, intermediate_size=46, logits_soft_cap=3.0), "logits": 0.5},
    "strong_decay": {"config": config(24, 61, layers=2, heads=2, intermediate_size=46, block_types=BOTH),
                     "decay": (0.2, 4.0), "logits": 0.6, "lengths": UP_TO_37},
    "weak_decay": {"config": config(24, 61, layers=2, heads=2, intermediate_size=46, block_types=BOTH),
                   "decay": (1e-2, 2e-2), "logits": 0.6, "lengths": (2, 37, 130)},
    "silu_bf16": {"config": config(24, 61, layers=2, heads=3, intermediate_size=46, hidden_activation="silu",
                                   block_types=BOTH, torch_dtype="bfloat16"), "dtype": "BF16", "lengths": UP_TO_37},
    "gelu_f16": {"config": config(16, 29, layers=2, heads=2, intermediate_size=26, hidden_activation="gelu",
                                  block_types=BOTH, torch_dtype="float16"), "dtype": "F16", "lengths": UP_TO_37},
    "sharded_bare": {"config": config(16, 97, layers=4, heads=2, num_key_value_heads=1, intermediate_size=26),
                     "shards": 3, "bare": True, "lengths": UP_TO_37},
    "tied_with_head": {"config": config(16, 29, layers=2, heads=2, intermediate_size=26, block_types=BOTH),
                       "head": True, "lengths": UP_TO_37},
    # As the released files have it: the pattern's key with an underscore, the width of a head.
    "hub": {"config": config(24, 61, layers=4, heads=3, num_key_value_heads=1, head_dim=8, lru_width=24,
                             _block_types=["recurrent", "recurrent", "attention"], attention_bias=False,
                             attention_dropout=0.0, attention_window_size=2048, conv1d_width=4,
                             embeddings_scale_by_sqrt_dim=True, final_w_init_variance_scale=0.5,
                             hidden_activation="gelu_pytorch_tanh", initializer_range=0.02, intermediate_size=46,
                             logits_soft_cap=30.0, partial_rotary_factor=0.5, rms_norm_eps=1e-6, rope_theta=10000.0,
                             bos_token_id=2, eos_token_id=1, pad_token_id=0, use_cache=True,
                             w_init_variance_scale=0.01, torch_dtype="float32"), "lengths": UP_TO_37},
}

# No program writes GGUF files of it.
GGUF = {}
