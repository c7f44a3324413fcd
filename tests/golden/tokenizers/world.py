#!/usr/bin/env python3
"""world.py OUTDIR

A vocabulary of the kind of RWKV World, made here, in the three ways in which it is stored, and what greedy longest
matching over it makes of some texts. The matching is a loop over lengths, from the longest down: no trie.

    rwkv_vocab_v20230424.txt   ID LITERAL LENGTH, ids from 1 on, strings and bytes as Python writes them
    vocab.txt                  one bytes literal on each line, ids from 0 on
    world.gguf                 the same as llama.cpp's converter writes it, filled up to 8 more tokens
    world.json                 {"tokens": [bytes as hex, by id from 1 on], "cases": [[text, [id ...]] ...]}
"""
import ast
import json
import pathlib
import random
import sys

import gguf

WORDS = """the The of and a in to is was he for it with as his on be at by I you that are this not have from or one had
quick brown fox jumps over lazy dog Hello hello world World shells shell she sea sells don't it's I'm café naïve résumé
über straße Привет мир При日本語 日本 日 本語 한국어 한국 ½ ² 😀 👩‍👩‍👧 नमस्ते ไทย def return class import 2024 20 12 123""".split()
MORE = ["  ", "   ", "    ", "\n\n", "\n\n\n", "\r\n", "\t\t", " \n", "\\n", "\\\\", "'", "''", "\"\"", "'\"", "\"'", "don't \"",
        " = ", "):\n", "\u00a0", "\u200b", "\u2028", "\ufeff", "\u3000", "\u0085", "-" * 16, "=" * 128, "a b c d", "x x",
        " the", " fox", " of the", "<s", "</s>", "\u00e9", "e\u0301", "\x7f\x7f", "\x00\x00"]
PARTS = [b"\xe4\xb8", b"\xe6\x97", b"\xf0\x9f\x98", b"\xf0\x9f", b"\xff\xfe", b"\xc3", b"\xd0", b"\x80\x80", b"'\xff\"", b"\\\xf0"]

TEXTS = ["", " ", "     ", "hello world", "Hello  World", "the quick brown fox jumps over the lazy dog", "of the fox",
         "don't \"it's\" I'm", "\n\n\n\n\n", "a\r\n\tb\t\tc", "\\n \\\\ \\", "def f(x):\n    return x = 1", "日本語のテキスト、日",
         "😀 👩‍👩‍👧 😁", "Привет, мир! Пр", "½ x² 2024 20123", "cafe\u0301 café", "\u00a0\u200b\u2028\u0085", "=" * 300, "-" * 33,
         "\u0000\u0000\u0000", "\x7f\x7f\x7f", "'\"'\"''", "a b c d a b c x x x", "<s>the</s>", "[PAD0] [PAD1]", "नमस्ते ไทย \U000e0001",
         "one\u3000two", "\u0301\u0301"]


def tokens():
    """Entries by id, from 1 on."""
    every = [bytes([i]) for i in range(256)]
    every += sorted({t.encode() for w in WORDS for t in (w, " " + w)} | {m.encode() for m in MORE} | set(PARTS),
                    key=lambda t: (len(t), t))
    out = list(dict.fromkeys(every))
    assert len(out) == len(set(out))
    return out


def literal(token):
    try:
        s = token.decode()
        r = repr(s)
        return r if "\\U" not in r else repr(token)
    except UnicodeDecodeError:
        return repr(token)


def encode(ids, longest, data):
    out, at = [], 0
    while at < len(data):
        n = next(n for n in range(longest, 0, -1) if data[at:at + n] in ids and at + n <= len(data))
        out.append(ids[data[at:at + n]])
        at += n
    return out


def write_gguf(path, every):
    w = gguf.GGUFWriter(str(path), "rwkv6")
    n = len(every) + 9
    w.add_tokenizer_model("rwkv")
    w.add_token_list([b"<s>"] + [repr(t)[2:-1].encode() for t in every] + [f"[PAD{i}]".encode() for i in range(8)])
    w.add_token_types([gguf.TokenType.CONTROL] + [gguf.TokenType.NORMAL] * len(every) + [gguf.TokenType.UNUSED] * 8)
    assert n == len(every) + 9
    w.add_bos_token_id(0)
    w.add_eos_token_id(0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    every = tokens()
    ids, longest = {t: i + 1 for i, t in enumerate(every)}, max(map(len, every))
    lines = [f"{i + 1} {literal(t)} {len(t)}\n" for i, t in enumerate(every)]
    for i, line in enumerate(lines):  # as the usual reader has it
        x = ast.literal_eval(line[line.index(" "):line.rindex(" ")].strip(" "))
        assert (x.encode() if isinstance(x, str) else x) == every[i]
    (out / "rwkv_vocab_v20230424.txt").write_bytes("".join(lines).encode())
    (out / "vocab.txt").write_bytes("".join(f"{t!r}\n" for t in [b"<s>", *every]).encode())
    write_gguf(out / "world.gguf", every)
    r, texts = random.Random(5), list(TEXTS)
    letters = sorted({c for t in TEXTS + WORDS + MORE for c in t})
    for n in (3, 8, 40, 200):
        texts += ["".join(r.choice(letters) for _ in range(n)), " ".join(r.choice(WORDS) for _ in range(n // 3 + 1))]
    cases = [[t, encode(ids, longest, t.encode())] for t in texts]
    assert all(b"".join(every[i - 1] for i in c) == t.encode() for t, c in cases)
    text = json.dumps({"tokens": [t.hex() for t in every], "cases": cases}, ensure_ascii=False, separators=(",", ":"))
    (out / "world.json").write_text(text + "\n")
    print(len(every), "tokens,", len(cases), "texts; the longest token has", longest, "bytes")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
