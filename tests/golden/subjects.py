"""What rules.py explains of each golden model: the input, as arrays for the tests, and the target. A subject has
arrays(), names to arrays, run(method), which gives (what has embed, parts and read(), the value), and inside(run): the
restated model or, of two texts, models."""
import numpy as np
import torch

from bert_lrp import Pair
from llama import LENGTHS, seed


def length(row):
    return max(t for t in row.get("lengths", LENGTHS) if t <= 40)


class Text:
    """The best next token at the end."""

    def __init__(self, family, forward, model, name, row):
        t, like = length(row), row.get("like", name)
        self.model, self.forward = model, forward
        self.ids = torch.from_numpy(seed("ids", like, t).integers(0, model.config.vocab_size, t))
        self.target = (t - 1, int(self.make(False).logits[-1].detach().argmax()))

    def make(self, method):
        return self.forward(self.model, self.ids, method)

    def arrays(self):
        return {"ids": self.ids.numpy(), "target": np.array(self.target)}

    def run(self, method):
        f = self.make(method)
        return f, f.logits[self.target]

    @staticmethod
    def inside(f):
        return [f]


class Segments(Text):
    """The best label, or the best token in the middle."""

    def __init__(self, family, forward, model, name, row):
        t = length(row)
        self.model, self.forward = model, forward
        self.ids = torch.from_numpy(seed("ids", row.get("like", name), t).integers(0, model.config.vocab_size, t))
        self.segments = torch.zeros_like(self.ids)
        if row.get("pair"):
            self.segments[(t + 1) // 2:] = 1
        at = 0 if hasattr(model, "classifier") else t // 2
        self.target = (at, int(self.make(False).logits[at].detach().argmax()))

    def make(self, method):
        return self.forward(self.model, self.ids, self.segments, rules=method)

    def arrays(self):
        return {**super().arrays(), "segments": self.segments.numpy()}


class Similarity(Text):
    """The cosine of two texts."""

    def __init__(self, family, forward, model, name, row):
        t = length(row)
        self.model, self.how, self.lens = model, row["pooling"] or "mean", [t // 2, t - t // 2]
        self.ids = torch.from_numpy(seed("ids", row.get("like", name), t).integers(0, model.config.vocab_size, t))

    def arrays(self):
        return {"ids": self.ids.numpy(), "segments": np.repeat([0, 1], self.lens)}

    def run(self, method):
        f = Pair(self.model, self.ids, self.lens, self.how, method)
        return f, f.value

    @staticmethod
    def inside(f):
        return f.one


class Picture(Text):
    """The best class."""

    def __init__(self, family, forward, model, name, row):
        size = row["config"]["image_size"]
        h, w = size if isinstance(size, list) else (size, size)
        x = seed("pixels", name).standard_normal((row["config"].get("num_channels", 3), h, w)).astype(np.float32)
        self.model, self.forward, self.ids = model, forward, torch.from_numpy(x.astype(np.float64))
        self.target = (0, int(self.make(False).logits[0].detach().argmax()))

    def arrays(self):
        return {"pixels": self.ids.numpy(), "target": np.array(self.target)}


def of(kind, *what):
    if kind == "vit":
        return Picture(*what)
    if kind == "bert":
        return (Similarity if what[-1]["config"]["architectures"] == ["BertModel"] else Segments)(*what)
    return Text(*what)
