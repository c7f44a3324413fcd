"""Real float64 references.

`model.double()` is not enough: transformers and lxt cast to torch.float32 in norms, softmax and rotary tables, so such
a model is only good to about 4e-7. Call everywhere() once, before any model is built; then each cast is one to double.
"""


def everywhere():
    import torch

    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)


def quiet():
    """No remarks of transformers on the config, no progress bars."""
    from transformers.utils import logging

    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
