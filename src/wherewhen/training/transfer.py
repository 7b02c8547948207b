"""From the CPU to where the training takes place."""

from __future__ import annotations

import torch
from torch import Tensor


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """Bring a tensor from the CPU to a device, a GPU without waiting for it."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
