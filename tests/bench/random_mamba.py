#!/usr/bin/env python3
"""random_mamba.py DIRECTORY

Writes a Mamba of the size of mamba-130m (24 layers, hidden 768, 1536 channels, 16 states, dt rank 48, vocabulary of
50280, 129 million parameters) with random weights as a Hugging Face directory in float32, 517 MB, for bench.py. The
same weights on every call. A, D and dt are those of transformers' own initialisation: A = -1 ... -16, dt log-uniform
in 0.001 ... 0.1; the matrices are wide enough that every layer matters and the best token is not a tie.
Needs torch and transformers 4.52.4.
"""
import math
import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / "golden")]

import no_torchvision  # noqa: E402,F401
import torch  # noqa: E402
from transformers import MambaConfig, MambaForCausalLM  # noqa: E402


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n")[0])
    torch.manual_seed(130)
    model = MambaForCausalLM(MambaConfig(vocab_size=50280, hidden_size=768, state_size=16, num_hidden_layers=24,
                                         time_step_rank=48))
    with torch.no_grad():
        model.backbone.embeddings.weight.normal_(std=0.1)
        for block in model.backbone.layers:
            m = block.mixer
            for w, fan in ((m.in_proj, 768), (m.x_proj, 1536), (m.out_proj, 1536)):
                w.weight.normal_(std=fan ** -0.5)
            m.dt_proj.weight.normal_(std=48 ** -0.5)
            m.conv1d.weight.normal_(std=0.5)
            m.conv1d.bias.normal_(std=0.1)
            dt = torch.empty(1536).uniform_(math.log(1e-3), math.log(1e-1)).exp()
            m.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))
    model.save_pretrained(sys.argv[1])
    print(f"{sys.argv[1]}: {sum(p.numel() for p in model.parameters())} parameters")


if __name__ == "__main__":
    main()
