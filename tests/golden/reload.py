#!/usr/bin/env python3
"""reload.py DIR

Reads the files that the scripts of the families but llama.py wrote as anybody else would: Hugging Face directories with
from_pretrained, the native Mamba directories by the fields of state-spaces/mamba, GGUF files from their metadata;
compares the logits with the expected ones. DIR has the folders of FAMILIES. Needs what llama.py needs.
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch
from transformers import (AutoModelForCausalLM, BloomConfig, BloomForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig,
                          GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM, MambaConfig, MambaForCausalLM)

import decoder_gguf
import float64
import gemma3_gguf
import gpt2_gguf
import mamba_gguf

FAMILIES = ("mamba", "rwkv", "gpt2", "gpt_neox", "gptj", "bloom", "gemma3")


def native(path):
    """config.json of state-spaces/mamba; a tensor decides how many rows the padded vocabulary has."""
    c = json.loads((path / "config.json").read_text())
    state = {k.replace("backbone.embedding.", "backbone.embeddings."): torch.from_numpy(a)
             for k, a in load_file(path / "model.safetensors").items()}
    multiple, ssm = c["pad_vocab_size_multiple"], c["ssm_cfg"]
    config = MambaConfig(
        vocab_size=math.ceil(c["vocab_size"] / multiple) * multiple, hidden_size=c["d_model"],
        num_hidden_layers=c["n_layer"], state_size=ssm.get("d_state", 16), conv_kernel=ssm.get("d_conv", 4),
        expand=ssm.get("expand", 2), time_step_rank=ssm.get("dt_rank", "auto"), use_bias=ssm.get("bias", False),
        use_conv_bias=ssm.get("conv_bias", True), tie_word_embeddings=c.get("tie_embeddings", True))
    return MambaForCausalLM, config, state


def tensors(reader):
    for t in reader.tensors:
        part = t.name.split(".")
        yield t.name, part, torch.from_numpy(dequantize(t.data, t.tensor_type).astype(np.float64))


def gguf_mamba(reader, m):
    config = MambaConfig(
        vocab_size=m["vocab_size"], hidden_size=m["embedding_length"], num_hidden_layers=m["block_count"],
        intermediate_size=m["ssm.inner_size"], state_size=m["ssm.state_size"], conv_kernel=m["ssm.conv_kernel"],
        time_step_rank=m["ssm.time_step_rank"], layer_norm_epsilon=m["attention.layer_norm_rms_epsilon"])
    state, back = {}, {v: k for k, v in mamba_gguf.BLOCK.items()}
    for name, part, a in tensors(reader):
        if part[0] != "blk":
            top = {"token_embd": "backbone.embeddings", "output_norm": "backbone.norm_f", "output": "lm_head"}
            state[f"{top[part[0]]}.weight"] = a
            continue
        at = f"backbone.layers.{part[1]}."
        if part[2] == "ssm_a":
            state[at + "mixer.A_log"] = (-a).log()
        elif part[2] == "ssm_d":
            state[at + "mixer.D"] = a
        elif part[2] == "attn_norm":
            state[at + "norm.weight"] = a
        else:
            a = a[:, None] if name.endswith("ssm_conv1d.weight") else a
            state[f"{at}mixer.{back[part[2]]}.{part[3]}"] = a
    state.setdefault("lm_head.weight", state["backbone.embeddings.weight"])
    return MambaForCausalLM, config, state


def gguf_gpt2(reader, m):
    config = GPT2Config(
        vocab_size=m["vocab_size"], n_positions=m["context_length"], n_embd=m["embedding_length"],
        n_layer=m["block_count"], n_head=m["attention.head_count"], n_inner=m["feed_forward_length"],
        layer_norm_epsilon=m["attention.layer_norm_epsilon"], attn_implementation="eager")
    state = {}
    top, block = ({v: k for k, v in names.items()} for names in (gpt2_gguf.TOP, gpt2_gguf.BLOCK))
    for _, part, a in tensors(reader):
        if part[0] == "blk":
            state[f"transformer.h.{part[1]}.{block[part[2]]}.{part[3]}"] = a.T if a.ndim == 2 else a
        else:
            state[f"{'' if part[0] == 'output' else 'transformer.'}{top[part[0]]}.{part[1]}"] = a
    state.setdefault("lm_head.weight", state["transformer.wte.weight"])
    return GPT2LMHeadModel, config, state


def fused(reader, arch, heads):
    """The state of a model whose rows of q, k and v are by head in transformers."""
    for name, _, a in tensors(reader):
        yield decoder_gguf.hf_name(arch, name), decoder_gguf.by_head(a, heads) if "attn_qkv" in name else a


def gguf_neox(reader, m):
    heads, d = m["attention.head_count"], m["embedding_length"]
    config = GPTNeoXConfig(
        vocab_size=m["tokens"], hidden_size=d, num_hidden_layers=m["block_count"], num_attention_heads=heads,
        intermediate_size=m["feed_forward_length"], max_position_embeddings=m["context_length"],
        rotary_pct=m["rope.dimension_count"] / (d // heads), use_parallel_residual=m["use_parallel_residual"],
        layer_norm_eps=m["attention.layer_norm_epsilon"], attn_implementation="eager")
    return GPTNeoXForCausalLM, config, dict(fused(reader, "gptneox", heads))


def gguf_bloom(reader, m):
    heads = m["attention.head_count"]
    config = BloomConfig(
        vocab_size=m["tokens"], hidden_size=m["embedding_length"], n_layer=m["block_count"], n_head=heads,
        layer_norm_epsilon=m["attention.layer_norm_epsilon"], attn_implementation="eager")
    state = dict(fused(reader, "bloom", heads))
    state.setdefault("lm_head.weight", state["transformer.word_embeddings.weight"])
    return BloomForCausalLM, config, state


def gguf_gemma3(reader, m):
    every, d, heads = m.get("attention.sliding_window_pattern", 6), m["embedding_length"], m["attention.head_count"]
    eps = m["attention.layer_norm_rms_epsilon"]
    short = float(f"{eps:.6g}")  # the decimal that float32 stands for
    scaling = {"rope_type": m["rope.scaling.type"], "factor": m["rope.scaling.factor"]} if "rope.scaling.type" in m else None
    config = Gemma3TextConfig(
        vocab_size=m["tokens"], hidden_size=d, num_hidden_layers=m["block_count"], num_attention_heads=heads,
        num_key_value_heads=m["attention.head_count_kv"], head_dim=m["attention.key_length"], rope_scaling=scaling,
        intermediate_size=m["feed_forward_length"], max_position_embeddings=m["context_length"],
        rms_norm_eps=short if np.float32(short) == np.float32(eps) else eps,
        query_pre_attn_scalar=d // heads if m["block_count"] == 62 else m["attention.key_length"],
        rope_theta=m["rope.freq_base"], rope_local_base_freq=m.get("rope.freq_base_swa", 10000.0),
        sliding_window=m["attention.sliding_window"], final_logit_softcapping=m.get("final_logit_softcapping"),
        sliding_window_pattern=every if isinstance(every, int) else every.index(False) + 1, attn_implementation="eager")
    state = {gemma3_gguf.hf_name(name): a - 1 if a.ndim == 1 else a for name, _, a in tensors(reader)}
    state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
    return Gemma3ForCausalLM, config, state


GGUF = {"mamba": gguf_mamba, "gpt2": gguf_gpt2, "gptneox": gguf_neox, "bloom": gguf_bloom, "gemma3": gguf_gemma3}


def gemma3(path):
    """Spellings and names that transformers 4.52.4 does not read, and the text part of a larger model."""
    c = json.loads((path / "config.json").read_text())
    c = c.get("text_config", c)
    if types := c.pop("layer_types", None):
        c["sliding_window_pattern"] = types.index("full_attention") + 1
    if rope := c.pop("rope_parameters", None):
        c["rope_theta"] = rope["full_attention"].pop("rope_theta")
        c["rope_local_base_freq"], c["rope_scaling"] = rope["sliding_attention"]["rope_theta"], rope["full_attention"]
    state = {}
    for k, a in load_torch(path / "model.safetensors").items():
        for was, new in (("language_model.model.", "model."), ("model.language_model.", "model.")):
            k = new + k.removeprefix(was) if k.startswith(was) else k
        if not k.startswith(("vision_tower.", "model.multi_modal_projector.")):
            state[k if k.startswith(("model.", "lm_head.")) else "model." + k] = a.float()
    if c.get("tie_word_embeddings", True):
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    return Gemma3ForCausalLM, Gemma3TextConfig(**c, attn_implementation="eager"), state


def factor_type(path):
    """The type of the embedding in the file, which its factor has, too."""
    name = "model.safetensors"
    if not (path / name).exists():
        name = next(iter(json.loads((path / (name + ".index.json")).read_text())["weight_map"].values()))
    return next(a.dtype for a in load_torch(path / name).values())


def folder(path):
    """The weights in float32, which holds every dtype of the files. Before everywhere(), which
    from_pretrained does not survive."""
    if path.name.startswith("native"):
        return native(path)
    if path.name in ("typed_list", "typed_v5", "inside_hub", "inside_new", "bare_with_head"):
        return gemma3(path)
    model = AutoModelForCausalLM.from_pretrained(path, torch_dtype=torch.float32, attn_implementation="eager")
    if rope := getattr(model.config, "rope_parameters", None):  # of transformers 5: this one does not read it
        model.config.rotary_pct = model.config.partial_rotary_factor = rope["partial_rotary_factor"]
        model.config.rotary_emb_base = model.config.rope_theta = rope["rope_theta"]
    return type(model), model.config, model.state_dict()


def main():
    float64.quiet()
    root, worst_of_all, n = pathlib.Path(sys.argv[1]), 0.0, 0
    files = [f for family in FAMILIES for f in sorted((root / family).rglob("*expect.safetensors"))]
    loaded = {f: folder(f.parent) for f in files if f.name == "expect.safetensors"}
    factor_types = {f: factor_type(f.parent) for f in loaded if f.parent.parent.name == "gemma3"}
    float64.everywhere()
    for file in files:
        gguf, e, worst = file not in loaded, load_file(file), 0.0
        if gguf:
            reader = GGUFReader(file.with_name(file.name.removesuffix(".expect.safetensors") + ".gguf"))
            family = reader.fields["general.architecture"].contents()
            meta = {k.removeprefix(family + "."): f.contents() for k, f in reader.fields.items()}
            meta["tokens"] = next(len(t.data) for t in reader.tensors if t.name == "token_embd.weight")
            kind, config, state = GGUF[family](reader, meta)
        else:
            kind, config, state = loaded[file]
        config.tie_word_embeddings = False
        config.rescale_every = 0  # of RWKV: it changes what an epsilon is in; and its cache has one width for all
        config.use_cache = False
        model = kind(config).double().eval()
        model.load_state_dict({k: a.double() for k, a in state.items()})
        if file in factor_types and factor_types[file].itemsize == 2:  # else these references hold it in float64
            embedding = model.model.embed_tokens
            embedding.embed_scale = embedding.embed_scale.to(factor_types[file]).double()
        with torch.no_grad():
            for k in [k for k in e if k.endswith("/ids")]:
                t, ids = k.removesuffix("ids"), torch.from_numpy(e[k])[None]
                got = model(ids, attention_mask=torch.ones_like(ids)).logits[0].numpy()[e[t + "logits_rows"]]
                worst = max(worst, np.abs(got - e[t + "logits"]).max() / np.abs(e[t + "logits"]).max())
        if not worst < 1e-13:
            sys.exit(f"{file}: the logits of the files differ from the expected ones by {worst:.2g}")
        worst_of_all, n = max(worst_of_all, worst), n + 1
    print(f"{n} models read back, logits within {worst_of_all:.1g}")


if __name__ == "__main__":
    main()
