"""How the products of the recurrent stack are computed: the same numbers, as fast as a machine can.

The one seam between what the network is (``config``) and what runs: an `Execution` chooses the form
of the convolutions and their precision, for each device, grid and kernel. Nothing else of the
network knows which was chosen.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Size = tuple[int, int]
Product = Callable[[Tensor], Tensor]
"""A kernel made ready: takes what `Convolution.transform` makes of inputs."""


@dataclass(frozen=True)
class Execution:
    """Choices of how, not of what: they change the time a step takes, and rounding."""

    convolution: Literal["auto", "direct", "dft"] = "auto"
    """``direct`` (torch's convolution), ``dft`` (products of frequencies), or what is faster for
    the device, the grid and the kernels."""

    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """Of the factors of the large products; sums, states and weights stay float32. ``auto`` is
    bfloat16 where the device is fast at it. A network in double computes in double."""

    def dtype(self, device: torch.device, parameters: torch.dtype = torch.float32) -> torch.dtype:
        """Precision of the products of a network on a device.

        Warns if bfloat16 is asked of a device that would be slower with it, and takes float32.

        Parameters
        ----------
        device
            Where the network is.
        parameters
            Precision of its weights.
        """
        if parameters != torch.float32 or self.precision == "float32":
            return parameters
        if has_fast_bfloat16(device):
            return torch.bfloat16
        if self.precision == "bfloat16":
            warnings.warn(
                f"precision: bfloat16 is slow on this {device.type} (no instructions for its "
                f"products): float32 is taken",
                stacklevel=2,
            )
        return torch.float32


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies matrices in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))
    return False


class Convolution(ABC):
    """A form of the zero-padded convolutions that keep the grid.

    ``inverse(kernel(weight)(transform(x)))`` convolves. Between ``transform`` and ``inverse``
    products can be added and split, so that what a layer shares is computed once.
    """

    @abstractmethod
    def transform(self, inputs: Tensor) -> Tensor:
        """Bring inputs ``[N, C, H, W]`` into this form."""

    @abstractmethod
    def kernel(self, weight: Tensor, uses: int) -> Product:
        """Make a kernel ``[O, C, k1, k2]`` ready for at most so many products."""

    @abstractmethod
    def split(self, product: Tensor, channels: Sequence[int]) -> tuple[Tensor, ...]:
        """Split the channels of a product."""

    @abstractmethod
    def inverse(self, product: Tensor, bias: Tensor | None = None) -> Tensor:
        """Bring a product back to ``[N, O, H, W]``, and add a bias ``[O]``."""


class DirectConvolution(Convolution):
    """torch's own convolution.

    Parameters
    ----------
    dtype
        Precision of the factors.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def transform(self, inputs: Tensor) -> Tensor:
        """Round."""
        return inputs.to(self.dtype)

    def kernel(self, weight: Tensor, uses: int) -> Product:
        """Round, once a batch."""
        rounded = weight.to(self.dtype)
        padding = (weight.shape[2] // 2, weight.shape[3] // 2)
        return lambda inputs: nn.functional.conv2d(inputs, rounded, padding=padding)

    def split(self, product: Tensor, channels: Sequence[int]) -> tuple[Tensor, ...]:
        """Views."""
        return product.split(tuple(channels), dim=1)

    def inverse(self, product: Tensor, bias: Tensor | None = None) -> Tensor:
        """Nothing but the bias: sums are float32 if the bias is."""
        if bias is None:
            return product
        return product + bias[:, None, None]


def choose(
    execution: Execution,
    device: torch.device,
    parameters: torch.dtype,
    grid: Size,
    kernels: Sequence[Size],
) -> Convolution:
    """Choose the form of a layer's convolutions.

    Parameters
    ----------
    execution
        What was asked for.
    device, parameters
        Where the weights are, and their precision.
    grid
        Height and width of the layer's state.
    kernels
        Height and width of its kernels.
    """
    return DirectConvolution(execution.dtype(device, parameters))
