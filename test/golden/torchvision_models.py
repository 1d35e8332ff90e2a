"""torchvision's models, also where its compiled extension does not fit the installed PyTorch.

The models are plain Python. All that importing them needs the extension for is to register fake kernels of its
operators, so that registration is left out while they are imported.
"""
import torch.library


def _register_no_fake(operator, *args, **kwargs):
    return lambda function: function


_register_fake = torch.library.register_fake
torch.library.register_fake = _register_no_fake
try:
    from torchvision.models import resnet  # noqa: F401
finally:
    torch.library.register_fake = _register_fake
