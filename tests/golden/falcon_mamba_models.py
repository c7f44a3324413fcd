"""The random Falcon Mamba models of falcon_mamba.py; keys of a row as in mamba_models.py. weak_decay: the first draw is
no test of float32 (logits of transformers' own float32 run are 4.6e-6 off at T = 130). gguf_tied: the first draw is no test of float64 (a
probability of 1 - 4e-6, whose gradient has 11 digits)."""


def config(d, vocab, inner=None, layers=2, **more):
    inner = {} if inner is None else dict(intermediate_size=inner)
    return dict(vocab_size=vocab, hidden_size=d, num_hidden_layers=layers, **inner, **more)


UP_TO_37 = (1, 2, 37)

MODELS = {
    # As the 7B's file has it: expand says one thing, intermediate_size another.
    "plain": {"config": config(20, 61, 36, expand=16), "full": True},
    "expand_alone": {"config": config(18, 97, state_size=8, conv_kernel=2, time_step_rank=3, expand=3,
                                      tie_word_embeddings=False, layer_norm_epsilon=1e-6), "full": True},
    "state5_conv3": {"config": config(15, 61, 45, state_size=5, conv_kernel=3, time_step_rank="auto")},
    "bias": {"config": config(24, 97, 24, layers=3, state_size=4, use_bias=True, time_step_rank=5,
                              tie_word_embeddings=False), "full": True, "lengths": UP_TO_37},
    "no_conv_bias": {"config": config(17, 61, 34, state_size=8, use_conv_bias=False, tie_word_embeddings=True)},
    "bias_no_conv_bias": {"config": config(16, 61, 21, state_size=4, conv_kernel=3, use_bias=True,
                                           use_conv_bias=False, residual_in_fp32=False), "lengths": UP_TO_37},
    "bf16": {"config": config(20, 97, 40, state_size=8, time_step_rank=2, torch_dtype="bfloat16"), "dtype": "BF16"},
    "f16_keep": {"config": config(16, 61, 32, state_size=16, tie_word_embeddings=False, torch_dtype="float16"),
                 "dtype": "F16", "keep": ("A_log", ".D"), "lengths": UP_TO_37},
    "strong_decay": {"config": config(16, 61, 32, state_size=8), "dt": (2.0, 8.0)},
    "weak_decay": {"config": config(16, 61, 32, state_size=8), "dt": (3e-3, 3e-2), "slow": 4.0,
                   "like": "weak_decay 2"},
    # An epsilon of the size of what is normalised, and hardly any.
    "eps_large": {"config": config(16, 61, 32, state_size=8, mixer_rms_eps=0.5)},
    "eps_small": {"config": config(16, 61, 32, state_size=3, time_step_rank=1, mixer_rms_eps=1e-12),
                  "lengths": UP_TO_37},
    "sharded_bare": {"config": config(16, 97, 32, layers=4, state_size=5, conv_kernel=2), "shards": 3, "bare": True,
                     "lengths": UP_TO_37},
    "tied_with_head": {"config": config(16, 61, 48, state_size=4), "head": True, "lengths": UP_TO_37},
    # Fields of the published file.
    "hub": {"config": config(32, 64, 64, architectures=["FalconMambaForCausalLM"], bos_token_id=0, conv_kernel=4,
                             eos_token_id=11, expand=16, hidden_act="silu", initializer_range=0.1,
                             layer_norm_epsilon=1e-5, pad_token_id=11, rescale_prenorm_residual=False,
                             residual_in_fp32=True, state_size=16, tie_word_embeddings=False, time_step_floor=1e-4,
                             time_step_init_scheme="random", time_step_max=0.1, time_step_min=0.001, time_step_rank=4,
                             time_step_scale=1.0, torch_dtype="bfloat16", use_bias=False, use_cache=True,
                             use_conv_bias=True), "dtype": "BF16", "lengths": UP_TO_37},
}

for _a in ("gelu", "relu"):
    MODELS["act_" + _a] = {"config": config(12, 29, 24, state_size=4, hidden_act=_a), "lengths": (2, 11)}

# One epsilon for all norms.
EPS = 2.0 ** -17
GGUF = {
    "gguf_tied": {"config": config(32, 61, 64, state_size=8, layer_norm_epsilon=EPS, mixer_rms_eps=EPS),
                  "types": ["Q8_0", "F16", "Q4_0", "F32"], "embed": "Q8_0", "lengths": UP_TO_37,
                  "like": "gguf_tied 2"},
    "gguf_untied": {"config": config(32, 97, 32, state_size=5, conv_kernel=3, time_step_rank=3,
                                     layer_norm_epsilon=2.0 ** -7, mixer_rms_eps=2.0 ** -7,
                                     tie_word_embeddings=False), "types": ["F16", "Q8_0"], "embed": "F16",
                    "head": "Q8_0", "small": "F16", "lengths": UP_TO_37},
}
