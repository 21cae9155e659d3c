"""The device that a model runs on."""

import torch

from fullseg.errors import ConfigError


def check_device(device: str) -> None:
    """Check that PyTorch can compute on a device.

    Raises:
        ConfigError: if it can't.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {device!r} cannot be used ({reason}); choose cpu, or cuda on a GPU") from error
