"""The random Gemma 3 models of gemma3.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type and architectures, exactly as written (keys that are left out
test the defaults); "v5" replaces the spelling of types and rotations after the reference was built; "dtype" F32, BF16 or
F16; "shards"; "bare" leaves the prefix "model." out; "head": a tied model's file has lm_head.weight too; "inside": the
text part of a model of type gemma3, with names as hub files ("hub") or newer ones ("new") have them; "lengths" (default:
LENGTHS); "full": attention weights and the logits of all positions up to T = 37, not 2; "gain": deviation of the norms'
weights; "post": mean of those after attention and feed-forward part, where many layers would otherwise grow what
rounding leaves; "logits": a factor of the head's weights; "like" shares the weights, texts and targets of another.
"""
LENGTHS = (1, 2, 5, 37, 130)
SHORT = (1, 2, 5, 37)


def config(d, vocab, layers=3, heads=4, groups=2, **more):
    return dict(dict(vocab_size=vocab, hidden_size=d, num_hidden_layers=layers, num_attention_heads=heads,
                     num_key_value_heads=groups, head_dim=10, intermediate_size=42, query_pre_attn_scalar=10,
                     sliding_window=7, sliding_window_pattern=3), **more)


def pick(row, *without):
    return {k: v for k, v in row.items() if k not in without}


LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)
TYPED = config(24, 61, layers=4, sliding_window_pattern=2, rope_local_base_freq=300.0, rope_theta=20000.0,
               rope_scaling={"rope_type": "linear", "factor": 3.0})

MODELS = {
    # Everything that can be left out is: 8 heads of 256 in groups of 2, six to a period, a window of 4096, tied.
    "defaults": {"config": dict(vocab_size=29, hidden_size=8, num_hidden_layers=2, intermediate_size=10),
                 "lengths": (1, 2, 37)},
    # Windows shorter than the text; the head has its own size, the scale another one.
    "plain": {"config": config(24, 61), "full": True, "lengths": LENGTHS},
    "window2": {"config": config(24, 61, layers=2, heads=3, groups=3, sliding_window=2, sliding_window_pattern=2,
                                 head_dim=8, query_pre_attn_scalar=8), "full": True, "lengths": SHORT},
    "window1": {"config": config(16, 29, layers=3, heads=2, groups=1, sliding_window=1), "lengths": SHORT},
    "window64_six": {"config": config(20, 61, layers=7, heads=4, groups=1, head_dim=6, intermediate_size=26,
                                      sliding_window=64, sliding_window_pattern=6, query_pre_attn_scalar=6),
                     "lengths": (2, 130)},
    "all_global": {"config": config(24, 61, layers=2, heads=4, groups=4, head_dim=6, sliding_window_pattern=1,
                                    query_pre_attn_scalar=13.5), "lengths": SHORT},
    "all_local": {"config": config(24, 61, layers=2, sliding_window_pattern=5, sliding_window=5), "lengths": SHORT},
    "scaled_linear": {"config": config(24, 61, rope_scaling={"rope_type": "linear", "factor": 8.0},
                                       max_position_embeddings=256), "lengths": LENGTHS},
    "scaled_yarn": {"config": config(24, 97, head_dim=20, query_pre_attn_scalar=20, rope_scaling=YARN,
                                     max_position_embeddings=256), "lengths": LENGTHS},
    "scaled_llama3": {"config": config(24, 61, head_dim=20, query_pre_attn_scalar=20, rope_scaling=LLAMA3,
                                       rope_theta=500000.0), "lengths": SHORT},
    # Its frequencies depend on the length; local layers keep theirs.
    "scaled_dynamic": {"config": config(24, 61, rope_scaling={"rope_type": "dynamic", "factor": 2.0},
                                        max_position_embeddings=64), "lengths": LENGTHS},
    "untied": {"config": config(24, 97, tie_word_embeddings=False, rms_norm_eps=1e-5), "lengths": SHORT},
    "bias": {"config": config(24, 61, attention_bias=True), "lengths": SHORT},
    "cap": {"config": config(24, 61, final_logit_softcapping=4.0, attn_logit_softcapping=None), "lengths": SHORT},
    # Gains below 0 and far from 1, as released models have them.
    "gains": {"config": config(24, 61, layers=4), "gain": 1.5, "lengths": SHORT},
    "gelu_erf": {"config": config(24, 29, layers=2, hidden_activation="gelu"), "lengths": (2, 37)},
    "bf16": {"config": config(24, 61, torch_dtype="bfloat16"), "dtype": "BF16", "lengths": SHORT},
    "f16_sharded": {"config": config(30, 61, torch_dtype="float16"), "dtype": "F16", "shards": 3, "lengths": SHORT},
    "bare_with_head": {"config": config(16, 29, layers=2), "bare": True, "head": True, "lengths": SHORT},
    # The same model in three spellings; newer files have lists of types, and rotations by type.
    "typed": {"config": TYPED, "lengths": SHORT},
    "typed_list": {"config": TYPED, "like": "typed", "lengths": (2, 37), "v5": dict(
        pick(TYPED, "sliding_window_pattern"), _sliding_window_pattern=6,
        layer_types=["sliding_attention", "full_attention"] * 2)},
    "typed_v5": {"config": TYPED, "like": "typed", "lengths": (2, 37), "v5": dict(
        pick(TYPED, "sliding_window_pattern", "rope_theta", "rope_local_base_freq", "rope_scaling"), dtype="float32",
        layer_types=["sliding_attention", "full_attention"] * 2, rope_parameters={
            "full_attention": {"rope_type": "linear", "factor": 3.0, "rope_theta": 20000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 300.0}})},
    # Of larger models, which read pictures.
    "inside_hub": {"config": config(24, 61, rope_scaling={"rope_type": "linear", "factor": 8.0}), "inside": "hub",
                   "dtype": "BF16", "lengths": SHORT},
    "inside_new": {"config": config(24, 61, layers=2, tie_word_embeddings=False), "inside": "new", "lengths": SHORT},
}

# GGUF files. "types" are taken in turn by the matrices of the blocks. All settings are exact in float32.
EPS = 2.0 ** -17
GGUF = {
    "gguf_tied": {"config": config(64, 97, layers=7, heads=2, groups=1, head_dim=32, intermediate_size=96,
                                   query_pre_attn_scalar=32, max_position_embeddings=256, rms_norm_eps=1e-6,
                                   sliding_window_pattern=6),
                  "types": ["Q5_0", "Q8_0", "Q4_1", "F16", "F32"], "embed": "Q8_0", "lengths": SHORT},
    "gguf_linear": {"config": config(32, 61, layers=6, heads=4, groups=2, head_dim=16, intermediate_size=64,
                                     query_pre_attn_scalar=16, max_position_embeddings=256, rms_norm_eps=EPS,
                                     sliding_window_pattern=6, tie_word_embeddings=False,
                                     rope_scaling={"rope_type": "linear", "factor": 8.0}),
                    "types": ["Q8_0", "Q5_1"], "embed": "BF16", "head": "Q4_0", "lengths": SHORT},
    # The keys that newer files may have.
    "gguf_keys": {"config": config(32, 61, layers=4, heads=2, groups=2, head_dim=16, intermediate_size=32,
                                   query_pre_attn_scalar=16, rms_norm_eps=EPS, rope_local_base_freq=512.0,
                                   final_logit_softcapping=4.0, sliding_window_pattern=2),
                  "keys": "number", "types": ["F32", "F16"], "embed": "F32", "lengths": SHORT},
    "gguf_list": {"config": config(32, 61, layers=4, heads=2, groups=1, head_dim=16, intermediate_size=32,
                                   query_pre_attn_scalar=16, rms_norm_eps=EPS, sliding_window_pattern=4),
                  "keys": "list", "types": ["Q4_0"], "embed": "F16", "gain": 0.8, "lengths": (2, 37)},
    # In the model of 62 blocks scores are divided by the root of the width over the heads.
    "gguf_62": {"config": config(32, 29, layers=62, heads=2, groups=1, head_dim=32, intermediate_size=32,
                                 query_pre_attn_scalar=16, rms_norm_eps=EPS, sliding_window_pattern=6),
                "post": -0.7, "types": ["Q4_0"], "embed": "Q8_0", "lengths": (1, 5)},
}
