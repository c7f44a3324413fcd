"""The random RWKV-6 models of rwkv6.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type and architectures, exactly as written (keys that are left out
test the defaults); "ranks": of the mixing weights and of the decay, which no key tells; "dtype" F32, BF16 or F16; "keep":
tensors with these endings stay F32; "shards"; "bare" leaves the prefix "rwkv." out; "head": a tied model's file has
head.weight too; "lengths" (default: those of llama.py); "full": the logits of all positions up to T = 37, not 2; "like"
shares the weights, texts and targets of another. "ignored": intermediate_size is not how wide the tensors are. "decay":
range of time_decay; "sway": size of the decay's own matrix. A number after the own name in "like" draws again, where the
first draw is no test of float32: strong_decay (weights changed by half a unit in the last place change a gradient by up to
1.2e-5, since a head is nearly constant over its channels).
"""


def config(d, vocab, head=8, layers=2, **more):
    return dict(vocab_size=vocab, hidden_size=d, num_hidden_layers=layers, head_size=head, **more)


UP_TO_37 = (1, 2, 37)

MODELS = {
    "plain": {"config": config(24, 61), "ranks": (4, 6), "full": True},
    # All that can be left out is: heads of 64, divisor 8, eps 1e-5, untied; ranks as the original code has them.
    "defaults": {"config": dict(vocab_size=29, hidden_size=64, num_hidden_layers=1), "lengths": (2, 37)},
    "heads5": {"config": config(25, 61, head=5), "ranks": (3, 5)},
    "one_head": {"config": config(18, 61, head=18, layers=3), "ranks": (1, 1), "lengths": UP_TO_37},
    "head4_divisor": {"config": config(20, 97, head=4, head_size_divisor=3, layer_norm_epsilon=1e-6), "ranks": (5, 3),
                      "full": True, "lengths": UP_TO_37},
    "wider": {"config": config(20, 61, head=17, attention_hidden_size=34, intermediate_size=50), "ranks": (2, 7), "full": True},
    "narrower": {"config": config(21, 61, head=5, attention_hidden_size=15, layers=3, intermediate_size=90),
                 "ignored": True, "ranks": (3, 3), "lengths": UP_TO_37},
    "tied": {"config": config(16, 61, tie_word_embeddings=True), "ranks": (4, 4), "lengths": UP_TO_37},
    "tied_with_head": {"config": config(24, 61, head=12, tie_word_embeddings=True), "ranks": (4, 6), "head": True,
                       "lengths": UP_TO_37},
    "bf16": {"config": config(24, 97, torch_dtype="bfloat16"), "ranks": (4, 6), "dtype": "BF16"},
    "f16_keep": {"config": config(24, 61, torch_dtype="float16"), "ranks": (4, 6), "dtype": "F16",
                 "keep": ("time_decay", "time_faaaa"), "lengths": UP_TO_37},
    "strong_decay": {"config": config(24, 61), "ranks": (4, 6), "decay": (1.0, 5.0), "like": "strong_decay 2"},
    "weak_decay": {"config": config(24, 61), "ranks": (4, 6), "decay": (-9.0, -4.0)},
    "extreme_decay": {"config": config(24, 61), "ranks": (4, 6), "decay": (-20.0, 20.0), "sway": 3.0},
    "sharded_bare": {"config": config(16, 61, head=16, layers=4), "ranks": (3, 4), "shards": 3, "bare": True,
                     "lengths": UP_TO_37},
    # As the hub has it. The stream is not rescaled where float16 does not overflow.
    "hub": {"config": config(16, 64, layers=5, attention_hidden_size=16, head_size_divisor=8, intermediate_size=None,
                             layer_norm_epsilon=1e-5, num_attention_heads=64, rescale_every=2, tie_word_embeddings=False,
                             use_cache=True, bos_token_id=0, eos_token_id=0, model_max_length=4096),
            "ranks": (4, 6), "lengths": UP_TO_37},
}

# GGUF files: "types" are taken in turn by the large matrices; "small" is the type of the small ones; "apart": the mixing
# weights are tensors of their own. Output and value of block b are divided by 2^(b // rescale_every). The eps is exact
# in float32.
EPS = 2.0 ** -17
GGUF = {
    "gguf": {"config": config(32, 61, layers=3, rescale_every=2, layer_norm_epsilon=EPS), "ranks": (4, 6),
             "types": ["Q8_0", "F16", "F32", "Q4_0"], "embed": "Q8_0", "head": "F16", "lengths": UP_TO_37},
    "gguf_apart": {"config": config(32, 97, head=16, layers=3, rescale_every=1, layer_norm_epsilon=EPS), "ranks": (32, 32),
                   "types": ["F16", "Q8_0"], "small": "Q8_0", "embed": "F16", "head": "Q8_0", "apart": True,
                   "lengths": UP_TO_37},
    "gguf_unscaled": {"config": config(32, 61, head=32, rescale_every=0, layer_norm_epsilon=EPS), "ranks": (5, 32),
                      "types": ["F32"], "small": "F16", "embed": "F32", "head": "F32", "lengths": UP_TO_37},
}
