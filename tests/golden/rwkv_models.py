"""The random RWKV-4 models of rwkv.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type and architectures, exactly as written (keys that are left out
test the defaults, and rescale_every is 0 in the reference, whatever it says); "dtype" F32, BF16 or F16; "keep": tensors
with these endings stay F32; "shards"; "bare": names without the prefix "rwkv."; "head": a tied model's file has head.weight
too; "lengths" (default: LENGTHS); "full": the logits of all positions up to T = 37, not 2. "decay": range of time_decay;
"first": spread of time_first; "key": gain of the keys; "mix": range of the mixing weights. "like": another draw (the first
one of "wide" has a contrast of 0.03 between logits of 8).
"""

LENGTHS = (1, 2, 5, 37, 130)
UP_TO_37 = (1, 2, 37)


def config(d, vocab, layers=2, **more):
    return dict(vocab_size=vocab, hidden_size=d, num_hidden_layers=layers, **more)


MODELS = {
    # Everything that can be left out is: as many channels as the width, 4 times as many neurons, eps 1e-5, not tied.
    "plain": {"config": config(20, 61), "full": True},
    "narrow": {"config": config(18, 97, attention_hidden_size=7, intermediate_size=23, layer_norm_epsilon=1e-6),
               "full": True},
    "wide": {"config": config(17, 61, attention_hidden_size=35, intermediate_size=None, rescale_every=6),
             "like": "wide 2"},
    "deep": {"config": config(15, 61, layers=5, attention_hidden_size=None, intermediate_size=19, rescale_every=2),
             "lengths": UP_TO_37},
    "tied": {"config": config(16, 61, tie_word_embeddings=True), "lengths": UP_TO_37},
    "tied_with_head": {"config": config(16, 61, tie_word_embeddings=True, attention_hidden_size=9), "head": True,
                       "lengths": UP_TO_37},
    "bf16": {"config": config(20, 97, attention_hidden_size=33, torch_dtype="bfloat16"), "dtype": "BF16",
             "keep": ("time_decay", "time_first")},
    "f16": {"config": config(13, 61, torch_dtype="float16"), "dtype": "F16", "lengths": UP_TO_37},
    "sharded_bare": {"config": config(16, 97, layers=4, intermediate_size=24, tie_word_embeddings=True),
                     "shards": 3, "bare": True, "lengths": UP_TO_37},
    "slow": {"config": config(16, 61), "decay": (-9, -4)},
    "fast": {"config": config(16, 61), "decay": (1, 4), "first": 3.0},
    "sharp": {"config": config(16, 61), "decay": (-6, 1), "key": 4.0},
    "beyond": {"config": config(16, 61, layer_norm_epsilon=1e-2), "mix": (-0.5, 1.5), "lengths": UP_TO_37},
    # As the converted models of the hub have it.
    "hub": {"config": config(24, 64, attention_hidden_size=24, context_length=1024, intermediate_size=96,
                             layer_norm_epsilon=1e-5, rescale_every=6, bos_token_id=0, eos_token_id=0,
                             tie_word_embeddings=False, use_cache=True, torch_dtype="float32"), "lengths": UP_TO_37},
}
GGUF = {}
