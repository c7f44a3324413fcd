#!/usr/bin/env python3
"""falcon_mamba.py OUTDIR [NAME ...]

Writes small random Falcon Mamba models and what transformers and mamba_lrp make of them in float64. Needs what llama.py
needs. falcon_mamba_models.py lists the models; arrays and columns are those of mamba.py.
"""
import sys

import no_torchvision  # noqa: F401
from transformers import FalconMambaConfig, FalconMambaForCausalLM

import common
import mamba
import mamba_gguf
from falcon_mamba_lrp import Forward
from falcon_mamba_models import GGUF, MODELS  # noqa: F401
from mamba import parts  # noqa: F401


def draw(name, row):
    return mamba.draw(name, row, FalconMambaConfig)


def build(row, weights):
    c = FalconMambaConfig(**row["config"])
    return common.build(FalconMambaForCausalLM, c, weights, "lm_head.weight", "backbone.embeddings.weight")


def write_folder(folder, row, weights):
    mamba.write_folder(folder, row, weights, FalconMambaForCausalLM)


def write_gguf(path, row, weights):
    return mamba_gguf.write(path, row, weights, FalconMambaConfig, norms=True)


if __name__ == "__main__":
    common.main(__doc__, sys.modules[__name__], Forward)
