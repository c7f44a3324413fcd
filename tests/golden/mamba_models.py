"""The random Mamba models of mamba.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type and architectures, exactly as written (keys that are left out
test the defaults); "native": the file has this config.json of state-spaces/mamba and its tensor names instead; "dtype"
F32, BF16 or F16; "keep": tensors with these endings stay F32; "shards"; "bare" leaves the prefix "backbone." out;
"head": a tied model's file has lm_head.weight too; "lengths" (default: those of llama.py); "full": the logits of all
positions up to T = 37, not 2; "like" shares the weights, texts and targets of another. "dt": range of the time step
without its input; "slow" is subtracted from A_log; "read" scales B and C. A number after the own name in "like" draws
again, where the first draw is no test of float32: state8_conv2_rank3 (the gradient of transformers' own float32 run is
1.7e-5 off), no_conv_bias (a contrast of 0.02 between logits of 10).
"""


def config(d, vocab, layers=2, **more):
    return dict(vocab_size=vocab, hidden_size=d, num_hidden_layers=layers, **more)


UP_TO_37 = (1, 2, 37)

MODELS = {
    # Everything that can be left out is: 16 states, kernel 4, expand 2, rank ceil(d/16) = 2, eps 1e-5, tied.
    "plain": {"config": config(20, 61), "full": True},
    "state8_conv2_rank3": {"config": config(18, 97, state_size=8, conv_kernel=2, time_step_rank=3,
                                            tie_word_embeddings=False, layer_norm_epsilon=1e-6), "full": True,
                           "like": "state8_conv2_rank3 3"},
    "state5_conv3_expand3": {"config": config(15, 61, state_size=5, conv_kernel=3, expand=3,
                                              time_step_rank="auto")},
    "expand1_bias": {"config": config(24, 97, layers=3, state_size=4, expand=1, use_bias=True, time_step_rank=5,
                                      tie_word_embeddings=False), "full": True, "lengths": (1, 2, 37)},
    "no_conv_bias": {"config": config(17, 61, state_size=8, use_conv_bias=False, tie_word_embeddings=True),
                     "like": "no_conv_bias 7"},
    "bias_no_conv_bias": {"config": config(16, 61, state_size=4, conv_kernel=3, use_bias=True, use_conv_bias=False,
                                           residual_in_fp32=False), "lengths": UP_TO_37},
    "bf16": {"config": config(20, 97, state_size=8, time_step_rank=2, torch_dtype="bfloat16"), "dtype": "BF16"},
    "f16_keep": {"config": config(16, 61, state_size=16, tie_word_embeddings=False, torch_dtype="float16"),
                 "dtype": "F16", "keep": ("A_log", ".D"), "lengths": UP_TO_37},
    "strong_decay": {"config": config(16, 61, state_size=8), "dt": (2.0, 8.0)},
    "weak_decay": {"config": config(16, 61, state_size=8), "dt": (3e-3, 3e-2), "slow": 4.0, "read": 3.0},
    "sharded_bare": {"config": config(16, 97, layers=4, state_size=5, conv_kernel=2), "shards": 3, "bare": True,
                     "lengths": UP_TO_37},
    "tied_with_head": {"config": config(16, 61, state_size=4, expand=3), "head": True, "lengths": UP_TO_37},
    # As transformers' own copies of the state-spaces models have it: fields of both, the vocabulary padded already.
    "hub": {"config": config(16, 64, d_model=16, d_inner=32, intermediate_size=32, n_layer=2, state_size=8,
                             ssm_cfg={}, rms_norm=True, fused_add_norm=True, pad_vocab_size_multiple=8,
                             residual_in_fp32=True, expand=2, conv_kernel=4, hidden_act="silu", use_bias=False,
                             use_conv_bias=True, time_step_rank=1, layer_norm_epsilon=1e-5, initializer_range=0.1,
                             time_step_floor=1e-4, time_step_init_scheme="random", time_step_max=0.1,
                             time_step_min=0.001, time_step_scale=1.0, rescale_prenorm_residual=False, use_cache=True,
                             bos_token_id=0, eos_token_id=0, pad_token_id=0, torch_dtype="float32"),
            "lengths": UP_TO_37},
    "native": {"config": config(20, 61), "like": "plain", "head": True,
               "native": dict(d_model=20, n_layer=2, vocab_size=61, ssm_cfg={}, rms_norm=True, residual_in_fp32=True,
                              fused_add_norm=True, pad_vocab_size_multiple=1)},
    # The vocabulary is padded to 64 rows.
    "native_padded": {"config": config(18, 64, state_size=8, conv_kernel=3, expand=3, time_step_rank=3, use_bias=True,
                                       use_conv_bias=False, tie_word_embeddings=False),
                      "native": dict(d_model=18, d_intermediate=0, n_layer=2, vocab_size=61,
                                     ssm_cfg=dict(layer="Mamba1", d_state=8, d_conv=3, expand=3, dt_rank=3, bias=True,
                                                  conv_bias=False),
                                     attn_layer_idx=[], attn_cfg={}, rms_norm=True, residual_in_fp32=True,
                                     fused_add_norm=True, pad_vocab_size_multiple=8, tie_embeddings=False),
                      "lengths": UP_TO_37},
}

for _a in ("swish", "gelu", "gelu_new", "relu"):
    MODELS["act_" + _a] = {"config": config(12, 29, state_size=4, hidden_act=_a), "lengths": (2, 11)}

# GGUF files. "types" are taken in turn by ssm_in and ssm_out; "small" is the type of ssm_x and ssm_dt (default: F32,
# which the converter gives them). All settings are exact in float32.
EPS = 2.0 ** -17
GGUF = {
    "gguf_tied": {"config": config(32, 61, state_size=8, layer_norm_epsilon=EPS),
                  "types": ["Q8_0", "F16", "Q4_0", "F32"], "embed": "Q8_0", "lengths": UP_TO_37},
    "gguf_untied": {"config": config(32, 97, state_size=5, conv_kernel=3, time_step_rank=3, expand=1,
                                     layer_norm_epsilon=EPS, tie_word_embeddings=False), "types": ["F16", "Q8_0"],
                    "embed": "F16", "head": "Q8_0", "small": "F16", "lengths": UP_TO_37},
}
