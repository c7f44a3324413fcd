#!/usr/bin/env python3
"""Vocabularies in GGUF, with their test vectors, as files that
tests/test_text_vectors.c reads without a GGUF reader.

    convert.py FOLDER OUT

For each FOLDER/ggml-vocab-NAME.gguf of a model gpt2, llama or bert, OUT gets
NAME.vocab (the metadata), NAME.json (gpt2: a tokenizer.json made from them,
with the parts that the model's own file has) and NAME.cases.

Strings are a uint32 length and bytes; all integers are little-endian.
  .vocab  model pre; uint32 n; n tokens; n int32 types; uint32 0 or n; float32
          scores; uint32 m; m merges; int32 bos eos unk sep pad cls add_bos
          add_eos add_space_prefix (-1: not in the file)
  .cases  uint32 k; k times: text; uint32 n; n int32 ids
"""
import glob, json, os, re, struct, sys

FMT = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def read_gguf(path):
    data, at = open(path, "rb").read(), 8

    def get(f):
        nonlocal at
        v = struct.unpack_from("<" + f, data, at)[0]
        at += struct.calcsize("<" + f)
        return v

    def value(t):
        nonlocal at
        if t == 8:
            n = get("Q")
            at += n
            return data[at - n:at]
        if t == 9:
            t, n = get("I"), get("Q")
            if t in FMT:
                f = "<%d%s" % (n, FMT[t])
                at += struct.calcsize(f)
                return list(struct.unpack_from(f, data, at - struct.calcsize(f)))
            return [value(t) for _ in range(n)]
        return get(FMT[t])

    get("Q")
    return {k.decode(): v for k, v in ((value(8), value(get("I"))) for _ in range(get("Q")))}


def string(s):
    return struct.pack("<I", len(s)) + s


LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
PRE = {
    "gpt-2": [LEVEL],
    "mpt": [LEVEL],
    "refact": [{"type": "Digits", "individual_digits": True}, LEVEL],
    "falcon": [{"type": "Punctuation", "behavior": "Contiguous"}, LEVEL,
               {"type": "Digits", "individual_digits": False},
               {"type": "Split", "pattern": {"Regex": "[0-9][0-9][0-9]"}, "behavior": "Isolated", "invert": False}],
}


def tokenizer_json(pre, tokens, types, merges):
    text = [t.decode() for t in tokens]
    filler = [re.fullmatch(r"\[PAD%d\]" % i, t) is not None for i, t in enumerate(text)]
    added = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": types[i] == 4, "special": types[i] == 3}
             for i, t in enumerate(text) if types[i] in (3, 4) and not filler[i]]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "NFC"} if pre == "mpt" else None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": PRE[pre]},
            "post_processor": None, "decoder": LEVEL,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                      "vocab": {t: i for i, t in enumerate(text) if not filler[i]},
                      "merges": [m.decode() for m in merges]}}


def main(folder, out):
    for path in sorted(glob.glob(os.path.join(folder, "ggml-vocab-*.gguf"))):
        name, m = path[:-5].split("ggml-vocab-")[1], read_gguf(path)
        g = lambda k, d: m.get("tokenizer.ggml." + k, d)
        model, pre, tokens = g("model", b""), g("pre", b""), g("tokens", [])
        if model not in (b"gpt2", b"llama", b"bert"):
            continue
        types, scores, merges = g("token_type", []), g("scores", []), g("merges", [])
        ids = [g(k, -1) for k in ("bos_token_id", "eos_token_id", "unknown_token_id", "seperator_token_id",
                                  "padding_token_id", "cls_token_id", "add_bos_token", "add_eos_token",
                                  "add_space_prefix")]
        with open(os.path.join(out, name + ".vocab"), "wb") as f:
            f.write(string(model) + string(pre) + struct.pack("<I", len(tokens)) + b"".join(map(string, tokens)))
            f.write(struct.pack("<%di" % len(tokens), *types))
            f.write(struct.pack("<I%df" % len(scores), len(scores), *scores))
            f.write(struct.pack("<I", len(merges)) + b"".join(map(string, merges)))
            f.write(struct.pack("<9i", *map(int, ids)))
        if model == b"gpt2":
            with open(os.path.join(out, name + ".json"), "w", encoding="utf-8") as f:
                json.dump(tokenizer_json(pre.decode(), tokens, types, merges), f, ensure_ascii=False)
        texts = open(path + ".inp", "rb").read().split(b"\n__ggml_vocab_test__\n")[:-1]
        lines = open(path + ".out", "rb").read().split(b"\n")
        with open(os.path.join(out, name + ".cases"), "wb") as f:
            f.write(struct.pack("<I", len(texts)))
            for text, line in zip(texts, lines):
                want = [int(x) for x in line.split()]
                f.write(string(text) + struct.pack("<I%di" % len(want), len(want), *want))


if __name__ == "__main__":
    main(*sys.argv[1:])
