"""The rules of MambaLRP (arXiv:2406.07592) on transformers' Mamba, as the authors write them: parts of the slow path
that are held constant are detached. As fast as that can honestly be in PyTorch: coefficients are made for all tokens at
once without autograd, their slices are taken with unbind (a slice's own backward would fill a tensor of all tokens for
each token), a step is one fused multiply-add, and what is constant keeps nothing for the backward pass.
"""
import torch
from transformers import MambaForCausalLM
from transformers.models.mamba import modeling_mamba


def act(x):
    """silu; passes on f(x)/x"""
    return x * torch.sigmoid(x.detach())


def half(x):
    """x; passes on half"""
    x = x / 2
    return x + x.detach()


def scan(m, x):
    """x: (T, E) -> (T, E), the coefficients constant"""
    with torch.no_grad():
        r, b, c = m.x_proj(x).split([m.time_step_rank, m.ssm_state_size, m.ssm_state_size], -1)
        dt = torch.nn.functional.softplus(m.dt_proj(r))
        decay = torch.exp(dt[:, :, None] * -torch.exp(m.A_log))
    h, out = torch.zeros_like(decay[0]), []
    for a, u, b, c in zip(decay.unbind(), (dt * x)[:, :, None].unbind(), b[:, None].unbind(), c.unbind()):
        h = torch.addcmul(u * b, a, h)
        out.append(h @ c)
    return torch.stack(out) + m.D * x


def mixer(m, x, **unused):
    x, z = m.in_proj(x).chunk(2, -1)
    s = act(m.conv1d(x.transpose(1, 2))[..., :x.shape[1]].transpose(1, 2))
    return m.out_proj(half(scan(m, s[0])[None] * act(z)))


def norm(m, x):
    return m.weight * (x * torch.rsqrt(x.detach().pow(2).mean(-1, keepdim=True) + m.variance_epsilon))


class Mamba:
    def __init__(self, folder):
        self.model = MambaForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval().requires_grad_(False)
        self.plain = modeling_mamba.MambaMixer.forward, modeling_mamba.MambaRMSNorm.forward

    def last(self, rules, **of):
        """Logits of the last position, by transformers itself or with the rules. There the norm and the mixer are
        other functions; values are the same."""
        modeling_mamba.MambaMixer.forward, modeling_mamba.MambaRMSNorm.forward = (
            (mixer, norm) if rules else self.plain)
        return self.model.lm_head(self.model.backbone(use_cache=False, **of).last_hidden_state[0, -1])
