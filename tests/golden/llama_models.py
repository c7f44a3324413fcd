"""The random Llama models of llama.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type and architectures, exactly as written (keys that are left out
test the defaults); "v5" replaces the spelling of config.json after the reference was built; "dtype" F32, BF16 or F16;
"shards"; "bare" leaves the prefix "model." out; "extra" adds rotary_emb.inv_freq buffers, which are to be ignored;
"lengths" (default: those of llama.py); "full": attention weights and the logits of all positions up to T = 37, not 2;
"gate" scales the gate's weights; "like" shares the weights, texts and targets of another.
"""


def config(d, heads, ff, vocab, layers=2, **more):
    return dict(vocab_size=vocab, hidden_size=d, intermediate_size=ff, num_hidden_layers=layers,
                num_attention_heads=heads, **more)


def small(rope=None, vocab=61, **more):
    """d 24, two query heads of 10 and one key/value head: what the RoPE variants share."""
    more = dict(dict(num_key_value_heads=1, head_dim=10, max_position_embeddings=256, rms_norm_eps=1e-5), **more)
    if rope is not None:
        more["rope_scaling"] = rope
    return config(24, 2, 42, vocab, **more)


UP_TO_37 = (1, 2, 37)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
LONG = [1.0, 1.5, 2.25, 4.0, 7.5]
SHORT = [1.0, 1.0, 1.25, 1.5, 1.75]

MODELS = {
    # Everything that can be left out is: one key/value head per query head, head size d/H, eps 1e-6, base 1e4, untied.
    "plain": {"config": config(24, 4, 42, 61), "full": True},
    "gqa2_tied_bf16": {"config": config(24, 4, 36, 97, num_key_value_heads=2, head_dim=10, rms_norm_eps=1e-5,
                                        rope_theta=100000.0, tie_word_embeddings=True, torch_dtype="bfloat16"),
                       "dtype": "BF16", "full": True},
    "gqa8_gelu": {"config": config(32, 16, 50, 61, num_key_value_heads=2, head_dim=6, hidden_act="gelu",
                                   rms_norm_eps=1e-6, rope_scaling=None), "extra": True},
    "mqa_bias": {"config": config(30, 3, 45, 97, layers=3, num_key_value_heads=1, head_dim=18, attention_bias=True,
                                  mlp_bias=True, hidden_act="gelu_pytorch_tanh"), "full": True},
    "bias_sharded": {"config": config(40, 2, 52, 61, num_key_value_heads=2, head_dim=None, attention_bias=True,
                                      mlp_bias=False, hidden_act="relu", torch_dtype="float32"), "shards": 3},
    "mlp_bias_f16": {"config": config(36, 6, 38, 97, num_key_value_heads=3, mlp_bias=True, rms_norm_eps=1e-5,
                                      torch_dtype="float16"), "dtype": "F16", "lengths": UP_TO_37},
    "vocab1000": {"config": config(24, 4, 42, 1000, num_key_value_heads=4, eos_token_id=[2, 3]),
                  "dtype": "F16"},
    "vocab600_tied": {"config": config(24, 2, 20, 600, tie_word_embeddings=True), "bare": True, "lengths": UP_TO_37},
    "rope_default": {"config": small({"rope_type": "default"}, rope_theta=500.0), "full": True,
                     "lengths": UP_TO_37},
    "rope_linear": {"config": small({"rope_type": "linear", "factor": 4.0})},
    "rope_linear_legacy": {"config": small({"type": "linear", "factor": 2.5}, tie_word_embeddings=True), "bare": True,
                           "lengths": UP_TO_37},
    "rope_dynamic": {"config": small({"rope_type": "dynamic", "factor": 2.0}, max_position_embeddings=64)},
    "rope_yarn": {"config": small({"rope_type": "yarn", "factor": 4.0}, head_dim=20, max_position_embeddings=128)},
    "rope_yarn_beta": {"config": small({"rope_type": "yarn", "factor": 8.0, "attention_factor": 1.25,
                                        "beta_fast": 16.0, "beta_slow": 2.0,
                                        "original_max_position_embeddings": 32}, head_dim=20)},
    "rope_yarn_mscale": {"config": small({"rope_type": "yarn", "factor": 4.0, "mscale": 1.5, "mscale_all_dim": 0.5,
                                          "original_max_position_embeddings": 64}, head_dim=20),
                         "lengths": UP_TO_37},
    "rope_llama3": {"config": small(LLAMA3, head_dim=20, rope_theta=500000.0)},
    "rope_llama3_v5": {"config": small(LLAMA3, head_dim=20, rope_theta=500000.0), "like": "rope_llama3",
                       "v5": dict(LLAMA3, rope_theta=500000.0), "lengths": UP_TO_37},
    "rope_longrope": {"config": small({"rope_type": "longrope", "short_factor": SHORT, "long_factor": LONG},
                                      original_max_position_embeddings=64)},
    "rope_longrope_af": {"config": small({"type": "longrope", "short_factor": SHORT, "long_factor": LONG,
                                          "attention_factor": 1.125}, original_max_position_embeddings=64)},
}

# One tiny model for each activation; wide gates where the function clips. sigmoid and laplace are not 0 at 0.
ACTIVATIONS = ["silu", "swish", "gelu", "gelu_python", "gelu_new", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh",
               "gelu_10", "quick_gelu", "relu", "relu2", "relu6", "leaky_relu", "mish", "tanh", "linear", "sigmoid",
               "laplace"]
for _a in ACTIVATIONS:
    MODELS["act_" + _a] = {"config": config(12, 2, 14, 29, num_key_value_heads=1, hidden_act=_a,
                                            tie_word_embeddings=True),
                           "lengths": (2, 11), "gate": 8.0 if _a in ("gelu_10", "relu6") else 1.0}
MODELS["act_relu"]["like"] = "act_relu 2"  # the first draw is no test of float32: alpha_beta is 1.8e-5 off

# GGUF files. "types" are taken in turn by the matrices of the blocks. All settings are exact in float32.
EPS = 2.0 ** -17
GGUF = {
    "gguf_tied": {"config": config(64, 4, 96, 97, num_key_value_heads=2, head_dim=16, max_position_embeddings=256,
                                   rms_norm_eps=1e-5, rope_theta=100000.0, tie_word_embeddings=True),
                  "types": ["Q4_1", "Q8_0", "Q4_0", "F16", "F32"], "embed": "Q8_0", "lengths": UP_TO_37},
    "gguf_linear": {"config": config(32, 4, 64, 61, num_key_value_heads=1, head_dim=16, max_position_embeddings=256,
                                     rms_norm_eps=EPS, rope_theta=10000.0,
                                     rope_scaling={"rope_type": "linear", "factor": 4.0}),
                    "types": ["Q8_0", "F32"], "embed": "F16", "head": "Q4_0", "lengths": UP_TO_37},
    "gguf_yarn": {"config": config(32, 2, 64, 61, num_key_value_heads=2, head_dim=16, max_position_embeddings=256,
                                   rms_norm_eps=EPS, rope_theta=10000.0,
                                   rope_scaling={"rope_type": "yarn", "factor": 4.0,
                                                 "original_max_position_embeddings": 64}),
                  "types": ["Q4_0"], "embed": "F32", "head": "Q8_0", "lengths": UP_TO_37},
    "gguf_llama3": {"config": config(32, 4, 32, 61, num_key_value_heads=2, head_dim=24, max_position_embeddings=256,
                                     rms_norm_eps=EPS, rope_theta=500000.0, rope_scaling=LLAMA3),
                    "types": ["F32", "F16"], "embed": "Q4_1", "head": "F32", "lengths": UP_TO_37},
}
