#!/usr/bin/env python3
"""attribute.py [MODEL [TEXT]] - the relevance of each token, from Python.

Nothing is built and nothing but libheed.so is needed: the structures below are
those of the headers. HEED_LIB names the library if the loader does not find it.
"""
import os
import sys
from ctypes import (CDLL, POINTER, Structure, byref, c_char_p, c_double,
                    c_float, c_int, c_int32, c_int64, c_uint8, c_uint64,
                    c_void_p, cast)

heed = CDLL(os.environ.get("HEED_LIB", "libheed.so.0"))


class Token(Structure):  # heed/token.h
    _fields_ = [("id", c_int32), ("byte_start", c_int64),
                ("byte_end", c_int64), ("text", c_char_p),
                ("word_id", c_int32), ("is_special", c_uint8),
                ("is_added", c_uint8)]


class Tokens(Structure):
    _fields_ = [("n", c_int64), ("token", POINTER(Token)),
                ("text", c_char_p), ("text_len", c_int64)]


class Input(Structure):  # heed/attribute.h
    _fields_ = [("tokens", POINTER(Tokens)), ("target", c_void_p),
                ("n_targets", c_int64), ("pixels", c_void_p)]


class Request(Structure):
    _fields_ = [("model", c_void_p), ("tokenizer", c_void_p),
                ("method", c_char_p), ("settings", c_void_p),
                ("input", POINTER(Input)), ("n_inputs", c_int64),
                ("reduce", c_char_p), ("layers", c_void_p),
                ("heads", c_void_p), ("n_layers", c_int64),
                ("n_heads", c_int64), ("ledger", c_int), ("tol", c_double),
                ("keep", c_void_p), ("group", c_char_p), ("seed", c_uint64),
                ("streams", c_int), ("center_logits", c_int),
                ("top", c_int64)]


class Sink(Structure):  # heed/result.h
    _fields_ = [("ud", c_void_p), ("define", c_void_p),
                ("write", c_void_p), ("attr", c_void_p)]


class Array(Structure):
    _fields_ = [("group", c_char_p), ("name", c_char_p), ("type", c_int),
                ("nd", c_int), ("dim", c_char_p * 4), ("len", c_int64 * 4),
                ("units", c_char_p), ("long_name", c_char_p),
                ("data", c_void_p)]


heed.heed_error.restype = c_char_p
heed.heed_result_str.restype = c_char_p
heed.heed_result_num.restype = c_double
heed.heed_result_sink.restype = Sink
heed.heed_result_get.restype = POINTER(Array)


def call(function, *args):
    if getattr(heed, function)(*args):
        sys.exit(f"attribute.py: {heed.heed_error(ctx).decode()}")


path = sys.argv[1] if len(sys.argv) > 1 else "../examples/models/austen-llama"
text = sys.argv[2] if len(sys.argv) > 2 else "She was the youngest of the two"
text = text.encode()

ctx, model, tokenizer, result = c_void_p(), c_void_p(), c_void_p(), c_void_p()
tokens = POINTER(Tokens)()
if heed.heed_ctx_new(byref(ctx), None):
    sys.exit("attribute.py: out of memory")
call("heed_model_load", byref(model), ctx, path.encode())
call("heed_tokenizer_load", byref(tokenizer), ctx, path.encode())
call("heed_encode", byref(tokens), ctx, tokenizer, text, c_int64(len(text)), None)
call("heed_result_new", byref(result), ctx)

one = Input(tokens=tokens)
request = Request(model=model, tokenizer=tokenizer, method=None, n_inputs=1,
                  group=b"explanations/mine", input=POINTER(Input)(one))
sink = heed.heed_result_sink(result)
call("heed_attribute", ctx, byref(request), byref(sink))

array = heed.heed_result_get(result, b"explanations/mine", b"relevance").contents
relevance = cast(array.data, POINTER(c_float))
target = heed.heed_result_str(result, b"explanations/mine", b"target_text")
value = heed.heed_result_num(result, b"explanations/mine", b"target_value")
print(f"logit of '{target.decode()}': {value:.2f}")
for i in range(array.len[0]):
    print(f"{relevance[i]:6.2f}  '{tokens.contents.token[i].text.decode()}'")

heed.heed_result_free(result)
heed.heed_tokens_free(ctx, tokens)
heed.heed_tokenizer_free(tokenizer)
heed.heed_model_free(model)
heed.heed_ctx_free(ctx)
