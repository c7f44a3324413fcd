#!/usr/bin/env python3
"""Small tokenizers, one for each part that a tokenizer.json may have, with the
ids, ranges and decoded texts that the library `tokenizers` 0.21.4 gives.

    make.py > cases.json

cases.json has `base`: models trained here on a few sentences; `texts`; and
`variants`: a base with some of its parts replaced, and for each text
[ids, byte ranges or null, decoded text or null]; where `pair` is true the text and the next one are two texts, ranges
of the second begin where the first ends, and a list of their segments follows. A range that cuts a character
is the library's, widened to whole characters. Where `ranges` is false the
library's ranges are not what heed's documentation promises, and are left out:
it gives a character put in front the range of the one behind it, a composed
character that of its first part alone, and what replaces several characters
that of the last one.
"""
import json, sys
import tokenizers
from tokenizers import Tokenizer, models, trainers, normalizers, pre_tokenizers, decoders, AddedToken

assert tokenizers.__version__ == "0.21.4"

CORPUS = [
    "the quick brown fox jumps over the lazy dog, and the other foxes don't mind it at all.",
    "Hello there! Hello world, hello again; there is nothing new here in 2024 or 1999.",
    "she sells sea shells by the sea shore, the shells she sells are surely sea shells.",
    "def f(x):\n    return x + 1\n\n\nclass A:\n\tpass\n",
    "café naïve résumé über straße Привет мир 日本語 한국어",
] * 3

TEXTS = [
    "", " ", "   ", "hello", "Hello world", " Hello  world ", "the foxes don't mind",
    "DON'T we'LL I'm", "a\n\n b\t\tc  \r\n", "x=1234567 and 3.14, ok?", "½ cup, x² and ٣٤ ៣",
    "café cafe\u0301 \u212b\u0130ß", "e\u0323\u0302\u0327 ﬁne ＡＢ \u1112\u1161\u11ab 각",
    "日本語のテキスト、です。", "😀 👩‍👩‍👧 ok", "Привет, мир!", "!!??...--(a)[b]{c}", "<s>the</s> <s> fox </s>",
    "the<mask>fox <mask> the", "foxfoxes fox, FOX _fox fox_", "a▁b ▁▁ c", "hello\u00a0there\u2003x\u3000y\u0085z",
    "snake_case camelCase 12ab34", "don't 'tis rock'n'roll", "\u0000 a\ufeffb\u200d", "नमस्ते ไทย",
    "shells shells shells", "$10 + 20% = 30^2 ~ `x`|y",
]
# Of BERT alone: what its normalizer drops and cuts, and long words.
BERT_TEXTS = TEXTS + [
    "caf\u00e9 CAFE\u0301 \u01d6\u0323x \u1e69\u0307", "a\u0000b\ufffdc\u200bd\u00ade\x7ff\x9fg\ue000h\u0378i", "\u4e2d\u6587fox\u4e2dfox",
    "\U00020000x\U0002b820x\U0002b920x\uf900", "[CLS] the [MASK] [SEP]fox[UNK]", "\u0130I\u0131 \u01c5 \u1e9e \u03a3\u03c2",
    "a" * 100, "a" * 101, "\u00e9" * 100 + " \u00e9\u0301" * 3, "the" * 40, "\u2003the\u0085fox\u3000", "\u00bffox\u2019s \u2014dog\u3001",
]

LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
BARE = dict(LEVEL, use_regex=False)
UNDER = "\u2581"


def train(pre, size, **kw):
    tok = Tokenizer(models.BPE(**{k: v for k, v in kw.items() if k in ("unk_token", "continuing_subword_prefix", "end_of_word_suffix")}))
    tok.pre_tokenizer = pre
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=kw.get("special", []),
                                  initial_alphabet=kw.get("alphabet", []), min_frequency=2,
                                  **{k: kw[k] for k in ("continuing_subword_prefix", "end_of_word_suffix") if k in kw})
    tok.train_from_iterator(CORPUS, trainer)
    return json.loads(tok.to_str())


def bases():
    level = train(pre_tokenizers.ByteLevel(add_prefix_space=False), 330, special=["<s>", "</s>"],
                  alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    level["pre_tokenizer"], level["decoder"] = LEVEL, LEVEL
    few = train(pre_tokenizers.Metaspace(), 120, special=["<unk>", "<s>", "</s>"] , unk_token="<unk>")
    few["decoder"] = {"type": "Metaspace", "replacement": UNDER, "prepend_scheme": "always", "split": True}
    full = train(pre_tokenizers.Metaspace(), 400, special=["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)],
                 unk_token="<unk>")
    full["added_tokens"] = full["added_tokens"][:3]
    full["model"]["byte_fallback"] = True
    full["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": UNDER}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    words = train(pre_tokenizers.Whitespace(), 150, special=["[UNK]"], unk_token="[UNK]",
                  continuing_subword_prefix="##", end_of_word_suffix="</w>")
    words["decoder"] = {"type": "BPEDecoder", "suffix": "</w>"}
    bert = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bert.normalizer, bert.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    bert.decoder = decoders.WordPiece()
    bert.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
        vocab_size=200, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    return {"level": level, "few": few, "full": full, "words": words, "bert": json.loads(bert.to_str())}


def split(pattern, behavior, invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def seq(*parts, group="pretokenizers"):
    return {"type": "Sequence", group: list(parts)}


def meta(**kw):
    return dict({"type": "Metaspace", "replacement": UNDER, "prepend_scheme": "always", "split": True}, **kw)


def variants(base):
    out = []

    vocab, extra = base["level"]["model"]["vocab"], []

    def added(content, **kw):
        id = vocab.get(content, len(vocab) + len(extra))
        if id >= len(vocab):
            extra.append(content)
        return dict({"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                     "normalized": False, "special": False}, **kw)

    def v(name, base, ranges=True, decode=True, special=True, model=None, plain=True, pair=False, **parts):
        out.append({"name": name, "base": base, "ranges": ranges, "decode": decode, "special": special, "plain": plain,
                    "model": model or {}, "parts": parts})
        if pair:
            out[-1]["pair"] = True
        extra.clear()

    v("plain", "level")
    v("special tokens as text", "level", special=False)
    v("ignore_merges", "level", model={"ignore_merges": True})
    v("merges as strings", "level", model={"merges": [" ".join(m) for m in base["level"]["model"]["merges"]]})
    for n in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"):
        v(n, "level", ranges=n == "Lowercase", decode=False, normalizer={"type": n})
    v("NFD, StripAccents, Lowercase", "level", ranges=False, decode=False,
      normalizer=seq({"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, group="normalizers"))
    for l in (False, True):
        for r in (False, True):
            v("Strip %d %d" % (l, r), "level", decode=False,
              normalizer={"type": "Strip", "strip_left": l, "strip_right": r})
    v("Prepend", "level", ranges=False, decode=False, normalizer={"type": "Prepend", "prepend": "the"})
    v("Replace string", "level", ranges=False, decode=False, normalizer={"type": "Replace", "pattern": {"String": "fox"}, "content": "dog"})
    v("Replace regex", "level", ranges=False, decode=False, normalizer={"type": "Replace", "pattern": {"Regex": r"\s{2,}|[aeiou]"}, "content": "_"})
    v("Replace with nothing", "level", decode=False, normalizer={"type": "Replace", "pattern": {"Regex": r"[^\w\s]"}, "content": ""})
    v("prefix space", "level", ranges=False, decode=False, pre_tokenizer=dict(LEVEL, add_prefix_space=True))
    v("no regex", "level", pre_tokenizer=BARE)
    for b in ("Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"):
        for i in (False, True):
            v("Split %s %d" % (b, i), "level", decode=b != "Removed", pre_tokenizer=seq(split(r"\s|[a-e]+|x", b, i), BARE))
        v("Split string " + b, "level", decode=b != "Removed", pre_tokenizer=seq(split("he", b, kind="String"), BARE))
        v("Punctuation " + b, "level", decode=b != "Removed", pre_tokenizer=seq({"type": "Punctuation", "behavior": b}, BARE))
    v("Split at nothing", "level", pre_tokenizer=seq(split(r"(?=[A-Z])|(?<=o)", "Isolated"), BARE))
    v("Split at nothing, removed", "level", pre_tokenizer=seq(split(r"x*", "Removed"), BARE), decode=False)
    v("Split at ends of lines", "level", pre_tokenizer=seq(split(r"\s+$", "Isolated"), split("^b", "Isolated"), BARE))
    v("Split classes", "level", pre_tokenizer=seq(split(r"\w+|[^\w\s]+|\d|\S\W", "Isolated"), BARE))
    for p in (r"[[:alpha:]]+|[[:digit:]]+|[[:punct:]]", r"\s\S\h+|\H\w", r"[^\S\n]+|[\w.]", r"[[:upper:][:space:]]+|[[:alnum:]]", r"(?m:x.)|\u0061+|[\u0062-\u0064]", r"[]a-c]+|[^]d-z]"):
        v("Split " + p, "level", pre_tokenizer=seq(split(p, "Isolated"), BARE))
        v("Replace " + p, "level", ranges=False, decode=False, normalizer={"type": "Replace", "pattern": {"Regex": p}, "content": "."})
    v("Split L3", "level", pre_tokenizer=seq(split(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", "Isolated"), BARE))
    for p in (r"[^a[b-d[0-9]]]+|[[ef] ]", r"[[:alpha:][0-4]_]+"):
        v("Split " + p, "level", pre_tokenizer=seq(split(p, "Isolated"), BARE))
    v("BLOOM", "level", pre_tokenizer=seq(split(" ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+", "Isolated"), BARE))
    v("NeoX", "level", ranges=False, decode=False, normalizer={"type": "NFC"}, pre_tokenizer=dict(LEVEL, trim_offsets=True),
      post_processor=dict(LEVEL, trim_offsets=True), added_tokens=base["level"]["added_tokens"] +
      [added(" " * n, normalized=True) for n in (4, 3, 2)])
    v("Digits", "level", pre_tokenizer=seq({"type": "Digits", "individual_digits": False}, BARE))
    v("Digits individual", "level", pre_tokenizer=seq({"type": "Digits", "individual_digits": True}, LEVEL))
    v("Falcon", "level", pre_tokenizer=seq({"type": "Punctuation", "behavior": "Contiguous"}, LEVEL,
                                           {"type": "Digits", "individual_digits": False}, split("[0-9][0-9][0-9]", "Isolated")))
    v("Whitespace", "level", decode=False, pre_tokenizer=seq({"type": "Whitespace"}, BARE))
    v("WhitespaceSplit", "level", decode=False, pre_tokenizer=seq({"type": "WhitespaceSplit"}, BARE))
    v("added", "level", added_tokens=base["level"]["added_tokens"] + [added("fox"), added("foxes"), added("  ")])
    v("added, single_word", "level", added_tokens=[added("fox", single_word=True)])
    v("added, lstrip", "level", added_tokens=[added("<mask>", lstrip=True, special=True), added("b", lstrip=True)])
    v("added, rstrip", "level", added_tokens=[added("<mask>", rstrip=True, special=True), added("the", rstrip=True)])
    v("added, both", "level", added_tokens=[added("<mask>", lstrip=True, rstrip=True, special=True)])
    v("added, special as text", "level", special=False, added_tokens=[added("<mask>", special=True), added("mask")])
    v("added, normalized", "level", decode=False, normalizer={"type": "Lowercase"},
      added_tokens=[added("FOX", normalized=True), added("Hello")])
    v("added, raw before normalized", "level", decode=False, normalizer={"type": "Lowercase"},
      added_tokens=[added("fox", normalized=True), added("FOX"), added("o", normalized=True)])
    tmpl = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "</s>", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [1, 1], "tokens": ["</s>", "</s>"]}}}
    v("template", "level", plain=False, decode=False, post_processor=tmpl)
    v("Roberta", "level", plain=False, decode=False, post_processor={"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": False, "add_prefix_space": True})
    v("Bert", "level", plain=False, decode=False, post_processor={"type": "BertProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]})
    v("post sequence", "level", plain=False, decode=False, post_processor={"type": "Sequence", "processors": [dict(LEVEL), tmpl]})
    for s in ("always", "first", "never"):
        v("Metaspace " + s, "few", ranges=s == "never", decode=False, pre_tokenizer=meta(prepend_scheme=s), decoder=meta(prepend_scheme=s))
    v("Metaspace, no split", "few", ranges=False, decode=False, pre_tokenizer=meta(split=False))
    v("fuse_unk", "few", ranges=False, decode=False, model={"fuse_unk": True})
    v("no unk", "few", ranges=False, decode=False, model={"unk_token": None})
    v("byte fallback", "full", ranges=False)
    v("Llama", "full", ranges=False, pre_tokenizer=None, model={"fuse_unk": True}, normalizer=seq(
        {"type": "Prepend", "prepend": UNDER}, {"type": "Replace", "pattern": {"String": " "}, "content": UNDER}, group="normalizers"))
    v("Gemma", "full", pre_tokenizer=split(" ", "MergedWithPrevious", kind="String"), normalizer={"type": "Replace", "pattern": {"String": " "}, "content": UNDER},
      decoder=seq({"type": "Replace", "pattern": {"String": UNDER}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, group="decoders"))
    full = base["full"]["model"]["vocab"]
    more = sorted((UNDER * 2, UNDER * 3, "\n", "\n\n", "fox"), key=lambda c: c not in full)  # new ones at the end
    at = len(full) - sum(c in full for c in more)
    v("Gemma, runs", "full", pre_tokenizer=split(" ", "MergedWithPrevious", kind="String"), normalizer={"type": "Replace", "pattern": {"String": " "}, "content": UNDER},
      decoder=seq({"type": "Replace", "pattern": {"String": UNDER}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, group="decoders"),
      added_tokens=base["full"]["added_tokens"] + [{"id": full.get(c, at + i), "content": c, "single_word": False, "lstrip": False, "rstrip": False,
      "normalized": True, "special": False} for i, c in enumerate(more)])
    v("prefix and suffix", "words", ranges=True)
    v("suffix, fuse_unk", "words", model={"fuse_unk": True})
    v("no decoder", "few", ranges=False, decoder=None)

    def norm(**kw):
        return dict({"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                     "lowercase": True}, **kw)

    cls_sep = {"sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    v("BERT", "bert")
    v("BERT, special tokens as text", "bert", special=False)
    v("BERT, cased", "bert", normalizer=norm(lowercase=False))
    v("BERT, accents kept", "bert", normalizer=norm(strip_accents=False))
    v("BERT, cased without accents", "bert", normalizer=norm(lowercase=False, strip_accents=True))
    v("BERT, text as it is", "bert", normalizer=norm(clean_text=False, handle_chinese_chars=False))
    v("BERT, short words", "bert", model={"max_input_chars_per_word": 4})
    v("BERT, no prefix", "bert", model={"continuing_subword_prefix": ""})
    v("BERT, spaces kept", "bert", decoder={"type": "WordPiece", "prefix": "##", "cleanup": False})
    v("BERT, post-processor", "bert", plain=False, pair=True, post_processor=dict(cls_sep, type="BertProcessing"))
    v("Roberta, pair", "bert", plain=False, pair=True,
      post_processor=dict(cls_sep, type="RobertaProcessing", trim_offsets=False, add_prefix_space=False))
    v("pair without a post-processor", "bert", plain=False, pair=True)
    v("template, pair", "bert", plain=False, pair=True, post_processor={
        "type": "TemplateProcessing", "single": tmpl["single"][1:2], "pair": [
            {"Sequence": {"id": "B", "type_id": 3}}, {"SpecialToken": {"id": "x", "type_id": 2}},
            {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "x", "type_id": 1}}],
        "special_tokens": {"x": {"id": "x", "ids": [3, 2], "tokens": ["[SEP]", "[CLS]"]}}})
    return out


def bytes_at(text, base):
    at = [base]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return at


def expected(tok, text, second, var):
    pair = var.get("pair", False)
    enc = tok.encode(text, second if pair else None, add_special_tokens=not var["plain"])
    ranges = decoded = None
    if var["ranges"]:
        at = [bytes_at(text, 0)]
        at.append(bytes_at(second, at[0][-1]))
        ranges = [at[s or 0][x] for s, o in zip(enc.sequence_ids, enc.offsets) for x in o]
    if var["decode"]:
        decoded = tok.decode(enc.ids, skip_special_tokens=False)
        if "\ufffd" in decoded:
            decoded = None
    return [enc.ids, ranges, decoded] + ([enc.type_ids] if pair else [])


def main():
    base = bases()
    result = {"base": base, "texts": TEXTS, "bert_texts": BERT_TEXTS, "variants": []}
    for var in variants(base):
        j = json.loads(json.dumps(base[var["base"]]))
        j.update(var["parts"])
        j["model"].update(var["model"])
        tok = Tokenizer.from_str(json.dumps(j))
        tok.encode_special_tokens = not var["special"]
        texts = BERT_TEXTS if var["base"] == "bert" else TEXTS
        var["cases"] = [expected(tok, t, u, var) for t, u in zip(texts, texts[1:] + texts[:1])]
        result["variants"].append(var)
    json.dump(result, sys.stdout, ensure_ascii=True, separators=(",", ":"))
    print()


main()
