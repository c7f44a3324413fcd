"""The random ViT and DeiT models of vit.py: what config.json says, and how the weights are stored.

Keys of a row: "config" is config.json but for model_type and architectures (keys that are left out test the defaults);
"teacher": DeiT with two heads; "dtype", "keep", "shards" as in gpt2_models.py; "base": names lack the prefix "vit.".
"""


def config(d, heads, image, patch, layers=2, labels=5, **more):
    names = {str(i): f"class {i}" for i in range(labels)}
    return dict(hidden_size=d, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=2 * d + 3,
                image_size=image, patch_size=patch, id2label=names, label2id={v: int(k) for k, v in names.items()}, **more)


MODELS = {
    "vit_plain": {"config": config(20, 4, 12, 4)},
    "vit_odd": {"config": config(18, 3, 10, 3, layer_norm_eps=1e-3, hidden_act="gelu_new")},
    "vit_oblong": {"config": config(15, 5, [8, 12], [4, 3], labels=3, hidden_act="quick_gelu"), "base": True},
    "vit_no_bias": {"config": config(16, 2, 9, 3, layers=3, qkv_bias=False, num_channels=1, hidden_act="relu")},
    "vit_one_patch": {"config": config(12, 1, 5, 5, layers=1, labels=2)},
    "vit_long": {"config": config(16, 2, 24, 2, labels=7), "shards": 2},
    "vit_f16": {"config": config(20, 5, 8, 4, torch_dtype="float16", hidden_act="silu"), "dtype": "F16"},
    "deit_plain": {"config": config(20, 4, 12, 4)},
    "deit_teacher": {"config": config(18, 3, 9, 3, labels=6, layers=3), "teacher": True},
    "deit_teacher_bf16": {"config": config(16, 2, 7, 2, qkv_bias=False, torch_dtype="bfloat16"), "teacher": True,
                          "dtype": "BF16", "keep": ("layernorm.weight", "layernorm.bias")},
}
