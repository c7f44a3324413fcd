"""An empty bitsandbytes: LXT's tables of rules name two of its classes, and it needs a GPU. To be called when transformers
has looked for it."""
import importlib.machinery
import sys
import types

import torch


def pretend():
    stub = types.ModuleType("bitsandbytes")
    stub.__spec__ = importlib.machinery.ModuleSpec("bitsandbytes", None)
    stub.nn = types.ModuleType("bitsandbytes.nn")
    for name in ("Linear4bit", "Linear8bitLt"):
        setattr(stub.nn, name, type(name, (torch.nn.Module,), {}))
    sys.modules |= {"bitsandbytes": stub, "bitsandbytes.nn": stub.nn}
