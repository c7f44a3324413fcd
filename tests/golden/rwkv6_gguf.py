"""Writes an RWKV-6 model as GGUF, as llama.cpp's converter does: small matrices (outputs, inputs), the weights of the
shifts in one tensor (or, as older files have them, in five), output and value divided by a power of two."""
import gguf
import numpy as np
from gguf.quants import dequantize, quantize

from rwkv6_model import Config

TOP = {"rwkv.embeddings": "token_embd", "rwkv.blocks.0.pre_ln": "token_embd_norm", "rwkv.ln_out": "output_norm",
       "head": "output"}
BLOCK = {"ln1": "attn_norm", "ln2": "attn_norm_2", "attention.ln_x": "time_mix_ln", "attention.time_maa_w1": "time_mix_w1",
         "attention.time_maa_w2": "time_mix_w2", "attention.time_decay": "time_mix_decay",
         "attention.time_decay_w1": "time_mix_decay_w1", "attention.time_decay_w2": "time_mix_decay_w2",
         "attention.time_faaaa": "time_mix_first",
         **{"attention.time_maa_" + c: "time_mix_lerp_" + c for c in "xwkvrg"},
         **{"feed_forward.time_maa_" + c: "channel_mix_lerp_" + c for c in "kr"},
         **{"attention." + c: "time_mix_" + c for c in ("receptance", "key", "value", "gate", "output")},
         **{"feed_forward." + c: "channel_mix_" + c for c in ("receptance", "key", "value")}}


def gguf_name(key):
    stem, kind = key.rsplit(".", 1) if key.endswith((".weight", ".bias")) else (key, "weight")
    if stem in TOP:
        return f"{TOP[stem]}.{kind}"
    _, _, i, name = stem.split(".", 3)
    return f"blk.{i}.{BLOCK[name]}.{kind}"


def metadata(w, c, row):
    w.add_vocab_size(c.vocab_size)
    w.add_context_length(2**20)
    w.add_embedding_length(c.hidden_size)
    w.add_block_count(c.num_hidden_layers)
    w.add_layer_norm_eps(c.layer_norm_epsilon)
    w.add_rescale_every_n_layers(row["config"]["rescale_every"])
    w.add_wkv_head_size(c.head_size)
    w.add_time_mix_extra_dim(c.ranks[0])
    w.add_time_decay_extra_dim(c.ranks[1])
    w.add_feed_forward_length(c.inner)
    w.add_head_count(0)


def stored(name, a, every):
    """As the file has it, without its number type."""
    if name.endswith(("time_mix_w1.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight")):
        a = a.T
    if name.endswith("time_mix_w2.weight"):
        a = a.transpose(0, 2, 1)
    if name.endswith("time_mix_decay.weight") or "lerp" in name:
        a = a.squeeze()
    if every and name.endswith(("time_mix_output.weight", "channel_mix_value.weight")):
        a = a / 2 ** (int(name.split(".")[1]) // every)
    return np.ascontiguousarray(a)


def back_of(name, a, shape, every):
    if name.endswith(("time_mix_w1.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight")):
        a = a.T
    if name.endswith("time_mix_w2.weight"):
        a = a.transpose(0, 2, 1)
    if every and name.endswith(("time_mix_output.weight", "channel_mix_value.weight")):
        a = a * 2 ** (int(name.split(".")[1]) // every)
    return np.ascontiguousarray(a.reshape(shape))


def write(path, row, weights):
    """-> the weights as they come back, in the names of Hugging Face."""
    c, every = Config(row["ranks"], **row["config"]), row["config"]["rescale_every"]
    w, back, turn, lerps = gguf.GGUFWriter(str(path), "rwkv6"), {}, 0, {}
    metadata(w, c, row)
    for key, a in weights.items():
        name, kind = gguf_name(key), "F32"
        data = stored(name, a, every)
        if name == "token_embd.weight" or name == "output.weight":
            kind = row["embed" if name[0] == "t" else "head"]
        elif any(s in name for s in ("_w1", "_w2")):
            kind = row.get("small", "F32")
        elif data.ndim == 2 and "first" not in name:
            kind, turn = row["types"][turn % len(row["types"])], turn + 1
        kind = gguf.GGMLQuantizationType[kind]
        data = quantize(data, kind)
        back[key] = back_of(name, dequantize(data, kind).astype(np.float32), a.shape, every)
        if "time_mix_lerp" in name and "lerp_x" not in name and not row.get("apart"):
            lerps[name] = data
            block = name.rsplit("_", 1)[0]
            names = [f"{block}_{c}.weight" for c in "wkvrg"]
            if all(n in lerps for n in names):
                w.add_tensor(f"{block}_fused.weight", np.stack([lerps[n] for n in names])[:, None, None])
            continue
        w.add_tensor(name, data, raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return back
