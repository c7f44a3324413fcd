"""The tokenizer of a Gemma GGUF file as two other programs have it, made from the file's vocabulary: a model of Google's
sentencepiece, and a tokenizer.json as transformers converts one, for the package tokenizers. ODD are texts for both."""
import json
import struct

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)
SPACE = "\u2581"

ODD = [
    " ", "  ", "   a", "a ", "a  b   c    d", " " * 31 + "x", " " * 32 + "x", " " * 70, "\n", "\n\n\n", "\n" * 31,
    "\n" * 33 + "a", "a\n\n b\n", "\t", "\t\t\tx", "a\tb\t\tc", " \t \n \r\n", "\r", "x\r\ny", "\u00a0a\u3000b\u2003c",
    SPACE, "a" + SPACE + "b" + SPACE * 3 + " c", SPACE + " " + SPACE, "The capital of France is 42", "1234567890", "3.14e-10",
    "\u00bd\u00b2\u0663\u17e3", "don't we'LL I'm", "snake_case camelCase HTTPServer2", "!!??...--(a)[b]{c}", "$10 + 20% = 30^2 ~ `x`",
    "\U0001f600", "\U0001f469\u200d\U0001f469\u200d\U0001f467 ok \U0001f44d\U0001f3fd", "\u2764\ufe0f", "\U0010ffff\U000e0041",
    "\u4e2d\u6587\u3001\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3002", "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "\u0e44\u0e17\u0e22 \u0928\u092e\u0938\u094d\u0924\u0947",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627", "caf\u00e9 cafe\u0301 \u212b \u0130\u00df \ufb01ne \uff21\uff22",
    "\x00a\x01\x7f", "\ufeffa\u200b\u200d\u00ad", "<h1>Title</h1><ul><li>x</li></ul>", "<table><tr><td></td></tr>",
    "<b>a</b> <i>b</i>", "<0x0A><0x41>", "<unused0><unused98>", "<pad><eos>", "def f(x):\n    return x + 1\n\n\nclass A:\n\tpass\n",
    "for (int i = 0; i < 10; i++)\n\t\tprintf(\"%d\\n\", i);", "a" * 300, "ab " * 60, "\u00e9" * 40, "\U00020000\U0002b820",
    "https://example.org/a?b=c&d=%20#e", "[multimodal]", "<image_soft_token>", "\u0391\u03b8\u03ae\u03bd\u03b1",
    "e\u0323\u0302\u0327", "\ud7a3\u3131", "  leading,   inner\n\n  and trailing  ",
]
# With what is special in it, which is text unless asked for.
SPECIAL = ["<bos>a<eos>", "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", "x <bos> y", "<unk>", "<mask> <pad>"]


class Vocabulary:
    def __init__(self, path):
        import gguf
        fields = gguf.GGUFReader(path).fields
        get = lambda k: fields["tokenizer.ggml." + k].contents()  # noqa: E731
        self.tokens, self.scores, self.types = get("tokens"), get("scores"), get("token_type")
        self.unknown = get("unknown_token_id")


def _field(number, value):
    """A field of a protocol buffer: text or a message, a float, or an integer."""
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    return _varint(number << 3) + _varint(value % 2**64)


def _varint(x):
    out = bytearray()
    while x > 127:
        out.append(x & 127 | 128)
        x >>= 7
    return bytes(out + bytes([x]))


def sentencepiece_of(v):
    """Pieces with their scores; user-defined ones are spelt with plain spaces in the file."""
    from sentencepiece import SentencePieceProcessor
    bpe, none = 2, -1
    trainer = {3: bpe, 4: len(v.tokens), 35: True, 40: v.unknown, 41: none, 42: none, 43: none}  # 35: bytes
    normalizer = {1: b"identity", 3: False, 4: False, 5: True}  # no space in front, all are kept, and are \u2581
    message = lambda fields: b"".join(_field(k, x) for k, x in fields.items())  # noqa: E731
    spelt = (t.replace(" ", SPACE) if kind == USER else t for t, kind in zip(v.tokens, v.types))
    pieces = [{1: t.encode(), 2: float(s), 3: kind} for t, s, kind in zip(spelt, v.scores, v.types)]
    p = SentencePieceProcessor()
    p.LoadFromSerializedProto(b"".join(_field(1, message(x)) for x in pieces)
                              + _field(2, message(trainer)) + _field(3, message(normalizer)))
    return p.EncodeAsIds


def tokenizer_json(v):
    """Every way to put a token together from two others is a merge, the best token first. User-defined tokens are found in
    the text whose spaces are U+2581 already."""
    tokens = [t.replace(" ", SPACE) if kind == USER else t for t, kind in zip(v.tokens, v.types)]
    at = {t: i for i, t in enumerate(tokens)}
    merges = []
    for i, t in enumerate(tokens):
        if v.types[i] == NORMAL:
            ways = [(t[:k], t[k:]) for k in range(1, len(t)) if t[:k] in at and t[k:] in at]
            merges += [(-v.scores[i], a, b) for a, b in sorted(ways, key=lambda w: (at[w[0]], at[w[1]]))]
    merges.sort(key=lambda m: m[0])
    added = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": v.types[i] == USER, "special": v.types[i] == CONTROL}
             for i, t in enumerate(tokens) if v.types[i] in (CONTROL, USER)]
    space = {"String": " "}
    return json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": space, "content": SPACE},
        "pre_tokenizer": {"type": "Split", "pattern": space, "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                                                     {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": v.tokens[v.unknown], "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": at, "merges": [[a, b] for _, a, b in merges]}})
