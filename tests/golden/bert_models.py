"""The random BERT models of bert.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type, exactly as written (keys that are left out test the defaults);
"dtype", "keep", "shards": as in gpt2_models.py; "prefix": names start with "bert."; "old": LayerNorm's tensors are
called gamma and beta; "more": tensors that are there and not used, by shape; "pooling": what 1_Pooling/config.json says,
None: there is no modules.json; "pair": the second half of every text is of segment 1; "lengths", "full": as there.
"like": the name that random numbers are drawn by, the model's own and a number where its first draw is no test of float32.
Lengths of models with embeddings are those of both texts together.
"""


def config(kind, d, heads, vocab, ff, layers=2, positions=144, **more):
    return dict(architectures=[kind], vocab_size=vocab, hidden_size=d, num_hidden_layers=layers,
                num_attention_heads=heads, intermediate_size=ff, max_position_embeddings=positions, **more)


UP_TO_37 = (1, 2, 37)
CLASS, MASKED, BASE = "BertForSequenceClassification", "BertForMaskedLM", "BertModel"
LABELS = {"0": "NEGATIVE", "1": "NEUTRAL", "2": "POSITIVE"}

MODELS = {
    "plain": {"config": config(CLASS, 24, 4, 61, 40, id2label=LABELS, label2id={v: int(k) for k, v in LABELS.items()}),
              "prefix": True, "pair": True, "full": True},
    "cls_old_names": {"config": config(CLASS, 21, 3, 97, 33, layers=3, hidden_act="gelu_new", layer_norm_eps=1e-5,
                                       position_embedding_type="absolute"), "old": True, "prefix": True,
                      "lengths": UP_TO_37, "like": "cls_old_names 24"},
    "cls_multi_bf16": {"config": config(CLASS, 16, 1, 61, 20, layers=1, problem_type="multi_label_classification",
                                        id2label={str(i): f"L{i}" for i in range(5)}, torch_dtype="bfloat16"),
                       "dtype": "BF16", "keep": ("LayerNorm.weight", "LayerNorm.bias"), "pair": True, "prefix": True,
                       "lengths": UP_TO_37},
    "masked": {"config": config(MASKED, 20, 5, 67, 44), "prefix": True, "pair": True, "full": True,
               "more": {"cls.seq_relationship.weight": (2, 20), "cls.seq_relationship.bias": (2,),
                        "bert.pooler.dense.weight": (20, 20), "bert.pooler.dense.bias": (20,)}},
    "masked_untied_f16": {"config": config(MASKED, 22, 2, 89, 31, layers=3, hidden_act="relu",
                                           tie_word_embeddings=False, torch_dtype="float16"),
                          "dtype": "F16", "lengths": UP_TO_37},
    "embed_mean": {"config": config(BASE, 24, 6, 61, 48), "pooling": "mean", "full": True,
                   "more": {"pooler.dense.weight": (24, 24), "pooler.dense.bias": (24,)}},
    "embed_cls_one_type": {"config": config(BASE, 16, 2, 127, 24, type_vocab_size=1, hidden_act="gelu_pytorch_tanh"),
                           "pooling": "cls", "prefix": True, "shards": 2, "lengths": (2, 37), "like": "embed_cls_one_type 14"},
    "embed_limit": {"config": config(BASE, 15, 5, 61, 20, positions=65, hidden_act="silu"), "pooling": None},
    "relkey": {"config": config(CLASS, 28, 4, 61, 36, id2label=LABELS, label2id={v: int(k) for k, v in LABELS.items()},
                                position_embedding_type="relative_key"), "prefix": True, "pair": True, "full": True,
               "like": "relkey 3"},
    "relkeyquery": {"config": config(MASKED, 21, 3, 67, 40, layers=3, hidden_act="gelu_new",
                                     position_embedding_type="relative_key_query"), "prefix": True, "full": True},
    "embed_relkeyquery_bf16": {"config": config(BASE, 16, 2, 61, 24, positions=65, torch_dtype="bfloat16",
                                                position_embedding_type="relative_key_query"), "dtype": "BF16",
                               "pooling": "mean", "lengths": (2, 37, 130)},
    "embed_root": {"config": config(BASE, 16, 4, 61, 24, layers=1), "pooling": "mean_sqrt_len", "lengths": (2, 37)},
}

# GGUF files, with embeddings. "types" are taken in turn by the matrices of the blocks. The epsilon is exact in float32.
EPS = 2.0 ** -17
GGUF = {
    "gguf_mean": {"config": config(BASE, 32, 4, 61, 64, layer_norm_eps=EPS), "pooling": "mean", "embed": "Q8_0",
                  "types": ["F16", "Q8_0", "Q4_0"], "lengths": (2, 37)},
    "gguf_cls": {"config": config(BASE, 32, 2, 61, 32, type_vocab_size=1, layer_norm_eps=EPS), "pooling": "cls",
                 "embed": "F16", "types": ["F32"], "lengths": (2, 37)},
}
