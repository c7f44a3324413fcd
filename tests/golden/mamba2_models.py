"""The random Mamba 2 models of mamba2.py; keys of a row as in mamba_models.py. "native": the config.json of
state-spaces/mamba; "norm": "grouped" (as in native and GGUF files, where the norm after the gate is over each group) or
"none". columns1 is drawn again: of the first draw lrp_zplus is 7e-5 off in torch's own float32."""


def config(d, heads, width, vocab, layers=2, **more):
    return dict(vocab_size=vocab, hidden_size=d, num_hidden_layers=layers, num_heads=heads, head_dim=width, **more)


UP_TO_37 = (1, 2, 37)

MODELS = {
    # One group, kernel 4, expand 2, eps 1e-5; a chunk of the reference is shorter than the longest text.
    "plain": {"config": config(18, 4, 9, 61, state_size=8, n_groups=1, chunk_size=32), "full": True},
    "groups2": {"config": config(20, 4, 10, 97, state_size=6, n_groups=2, layer_norm_epsilon=1e-6), "full": True},
    "head_each": {"config": config(15, 3, 10, 61, state_size=5, n_groups=3, conv_kernel=3)},
    "expand3_one_head": {"config": config(14, 1, 42, 61, state_size=16, n_groups=1, expand=3, conv_kernel=2)},
    "columns1": {"config": config(8, 16, 1, 61, state_size=4, n_groups=4), "lengths": UP_TO_37, "like": "columns1 2"},
    "bias": {"config": config(24, 3, 8, 97, layers=3, state_size=4, n_groups=1, expand=1, use_bias=True),
             "full": True, "lengths": UP_TO_37},
    "no_conv_bias": {"config": config(17, 2, 17, 61, state_size=8, n_groups=2, use_conv_bias=False)},
    "bias_no_conv_bias": {"config": config(16, 4, 8, 61, state_size=7, n_groups=2, use_bias=True,
                                           use_conv_bias=False, residual_in_fp32=False), "lengths": UP_TO_37},
    "limits": {"config": config(16, 8, 4, 61, state_size=8, n_groups=2, time_step_limit=[0.1, 0.5]), "full": True},
    "limit_above": {"config": config(16, 4, 8, 61, state_size=3, n_groups=1,
                                     time_step_limit=[0.0, 0.3]), "lengths": UP_TO_37},
    # Defaults as the class has them: 8 groups, the limits with their infinity.
    "default_groups": {"config": dict(vocab_size=61, hidden_size=32, num_hidden_layers=2, num_heads=16, head_dim=4,
                                      state_size=3, time_step_limit=[0.0, float("inf")]), "lengths": UP_TO_37},
    "wide_state": {"config": config(16, 2, 16, 61, state_size=128, n_groups=1)},
    "tied": {"config": config(16, 4, 8, 61, state_size=8, n_groups=1, tie_word_embeddings=True), "head": True},
    "bf16": {"config": config(20, 5, 8, 97, state_size=8, n_groups=1, torch_dtype="bfloat16"), "dtype": "BF16"},
    "f16_keep": {"config": config(16, 4, 8, 61, state_size=16, n_groups=1, torch_dtype="float16"),
                 "dtype": "F16", "keep": ("A_log", ".D", "dt_bias"), "lengths": UP_TO_37},
    "strong_decay": {"config": config(16, 4, 8, 61, state_size=8, n_groups=2), "dt": (2.0, 8.0)},
    "weak_decay": {"config": config(16, 4, 8, 61, state_size=8, n_groups=2), "dt": (3e-3, 3e-2), "slow": 4.0},
    "sharded_bare": {"config": config(16, 4, 8, 97, layers=4, state_size=5, n_groups=1, conv_kernel=2), "shards": 3,
                     "bare": True, "lengths": UP_TO_37},
    "native": {"config": config(20, 5, 8, 64, state_size=16, n_groups=1, tie_word_embeddings=True), "head": True,
               "native": dict(d_model=20, d_intermediate=0, n_layer=2, vocab_size=61,
                              ssm_cfg=dict(layer="Mamba2", d_state=16, headdim=8), attn_layer_idx=[], attn_cfg={},
                              rms_norm=True, residual_in_fp32=True, fused_add_norm=True, pad_vocab_size_multiple=16,
                              tie_embeddings=True)},
    "native_groups": {"config": config(18, 6, 6, 61, state_size=5, n_groups=3, conv_kernel=3, use_bias=True,
                                       use_conv_bias=False, time_step_limit=[0.05, 0.4]), "norm": "grouped",
                      "native": dict(d_model=18, n_layer=2, vocab_size=61, tie_embeddings=False,
                                     ssm_cfg=dict(layer="Mamba2", d_state=5, d_conv=3, headdim=6, ngroups=3, bias=True,
                                                  conv_bias=False, d_ssm=36, D_has_hdim=False, rmsnorm=True,
                                                  norm_before_gate=False, dt_limit=[0.05, 0.4]),
                                     pad_vocab_size_multiple=1)},
    "native_no_norm": {"config": config(16, 4, 8, 61, state_size=5, n_groups=1), "norm": "none",
                       "native": dict(d_model=16, n_layer=2, vocab_size=61, tie_embeddings=False,
                                      ssm_cfg=dict(layer="Mamba2", d_state=5, headdim=8, rmsnorm=False),
                                      pad_vocab_size_multiple=1), "lengths": UP_TO_37},
}

for _a in ("gelu", "relu"):
    MODELS["act_" + _a] = {"config": config(12, 3, 8, 29, state_size=4, n_groups=1, hidden_act=_a), "lengths": (2, 11)}

# All settings are exact in float32.
EPS = 2.0 ** -17
GGUF = {
    "gguf_tied": {"config": config(32, 4, 16, 61, state_size=8, n_groups=1, layer_norm_epsilon=EPS,
                                   tie_word_embeddings=True), "types": ["Q8_0", "F16", "Q4_0", "F32"],
                  "embed": "Q8_0", "norm": "grouped", "lengths": UP_TO_37},
    "gguf_groups": {"config": config(32, 8, 8, 97, state_size=5, n_groups=4, conv_kernel=3, layer_norm_epsilon=EPS),
                    "types": ["F16", "Q8_0"], "embed": "F16", "head": "Q8_0", "norm": "grouped",
                    "lengths": UP_TO_37},
}
