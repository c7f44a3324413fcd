"""mamba_lrp on a Falcon Mamba model: Mamba's (mamba_lrp.py), the norms of Δ, B and C being part of what is constant."""
import torch

import mamba_lrp


class Forward(mamba_lrp.Forward):
    def selected(self, m, parts):
        return (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.rms_eps) for x in parts)
