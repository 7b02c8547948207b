"""How the products of the recurrent stack are computed: the same numbers, as fast as a machine can.

The one seam between what the network is (``config``) and what runs: an `Execution` chooses the form
of the convolutions and their precision, for each device, grid and kernel. Nothing else of the
network knows which was chosen.
"""

from __future__ import annotations

import itertools
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

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
        """Split into views."""
        return product.split(tuple(channels), dim=1)

    def inverse(self, product: Tensor, bias: Tensor | None = None) -> Tensor:
        """Nothing but the bias: sums are float32 if the bias is."""
        if bias is None:
            return product
        return product + bias[:, None, None]


class _Matrices(NamedTuple):
    """A real DFT as products of matrices; rows and columns are real and imaginary parts, F each."""

    grid: Tensor
    """From the grid, ``[2 F, H * W]``."""
    kernel: Tensor
    """From a kernel's taps, ``[2 F, k1 * k2]``."""
    inverse: Tensor
    """Back to the grid, ``[H * W, 2 F]``."""


@lru_cache(maxsize=64)
def _matrices(
    grid: Size, reach: Size, kernel: Size, dtype: torch.dtype, device: torch.device
) -> _Matrices:
    """Matrices of the DFT of a grid and of a kernel on a circle large enough for both.

    The circle has as many cells more than the grid as kernels reach over one edge: what comes
    round from the other side meets zeros. Of two conjugate frequencies one is kept.
    """
    circle = [side + beyond for side, beyond in zip(grid, reach, strict=True)]
    kept = {min((u, v), (-u % circle[0], -v % circle[1])) for u, v in _positions(circle)}
    count = torch.tensor(
        [1 if (2 * u % circle[0], 2 * v % circle[1]) == (0, 0) else 2 for u, v in sorted(kept)]
    )  # frequencies that each stands for
    angles = torch.tensor(sorted(kept)) * (2 * torch.pi / torch.tensor(circle).double())
    cells = torch.tensor(_positions(grid)).double()
    taps = torch.tensor(_positions(kernel)) - torch.tensor([side // 2 for side in kernel])
    met = (taps.abs() <= torch.tensor(reach)).all(1)  # taps farther out meet nothing but zeros

    def parts(phases: Tensor) -> Tensor:
        return torch.stack([phases.cos(), phases.sin()], 1).flatten(0, 1)

    forward, backward = -angles @ cells.T, angles @ cells.T
    inverse = torch.stack([backward.cos(), -backward.sin()], 1) * count[:, None, None]
    return _Matrices(
        parts(forward).to(device, dtype),
        (parts(angles @ taps.double().T) * met).to(device, dtype),
        (inverse.flatten(0, 1).T / math.prod(circle)).contiguous().to(device, dtype),
    )


def _positions(sides: Sequence[int]) -> list[tuple[int, ...]]:
    return list(itertools.product(*(range(side) for side in sides)))


class DFTConvolution(Convolution):
    """Products of frequencies, each a product of matrices over the channels.

    A zero-padded 5x5 convolution on a 7x7 grid is a circular one on 9x9. Real input leaves 41
    frequencies and 164 real products for every pair of channels, where the direct form has 1,225.
    Kernels are transformed once a batch; so are their gradients, summed over the frames before.

    A transformed tensor is ``[F, 2, C, N]``, real and imaginary parts; ``inverse`` returns
    ``[N, C, H, W]`` whose memory is laid out ``[H, W, C, N]``: elementwise operations leave it so,
    and ``transform`` takes it without a copy.

    Parameters
    ----------
    grid
        Height and width of the inputs.
    reach
        Cells that the largest of the kernels reaches over the edge, down and across.
    dtype
        Precision of the factors. Sums inside the products are float32 for bfloat16.
    """

    def __init__(self, grid: Size, reach: Size, dtype: torch.dtype) -> None:
        self.grid = grid
        self.reach = tuple(min(beyond, side - 1) for beyond, side in zip(reach, grid, strict=True))
        self.dtype = dtype

    def transform(self, inputs: Tensor) -> Tensor:
        """Frequencies ``[F, 2, C, N]``."""
        clips, channels = inputs.shape[:2]
        values = inputs.permute(2, 3, 1, 0).reshape(-1, channels * clips).to(self.dtype)
        matrix = _matrices(self.grid, self.reach, (1, 1), self.dtype, inputs.device).grid
        return (matrix @ values).view(-1, 2, channels, clips)

    def kernel(self, weight: Tensor, uses: int) -> Product:
        """Transform a kernel, once a batch."""
        size = tuple(weight.shape[2:])
        matrix = _matrices(self.grid, self.reach, size, weight.dtype, weight.device).kernel
        return _SpectralKernel(weight, matrix, uses, self.dtype)

    def split(self, product: Tensor, channels: Sequence[int]) -> tuple[Tensor, ...]:
        """Split into views."""
        return product.split(tuple(channels), dim=2)

    def inverse(self, product: Tensor, bias: Tensor | None = None) -> Tensor:
        """Values on the grid, without what is beyond it."""
        channels, clips = product.shape[2:]
        matrix = _matrices(self.grid, self.reach, (1, 1), self.dtype, product.device).inverse
        values = (matrix @ product.reshape(-1, channels * clips)).view(*self.grid, channels, clips)
        if bias is not None:
            values = values + bias[:, None]
        return values.permute(3, 2, 0, 1)


def _side_by_side(spectrum: Tensor) -> Tensor:
    """``[F, C, 2 N]`` of ``[F, 2, C, N]``: one product then serves both parts."""
    return spectrum.transpose(1, 2).flatten(2)


def _multiply(kernel: Tensor, inputs: Tensor, conjugate: bool = False) -> Tensor:
    """Complex products, summed over channels.

    Parameters
    ----------
    kernel
        ``[F, 2 O, C]``: real parts above imaginary parts.
    inputs
        ``[F, C, 2 N]``: real parts beside imaginary parts.
    conjugate
        Whether the kernel's conjugate is meant.

    Returns
    -------
    Tensor
        ``[F, 2, O, N]``.
    """
    frequencies, rows, _ = kernel.shape
    products = torch.bmm(kernel, inputs).view(frequencies, 2, rows // 2, 2, -1)
    real, imaginary = products.unbind(1)
    out = products.new_empty(frequencies, 2, rows // 2, products.shape[4])
    sign = -1 if conjugate else 1
    torch.sub(real[:, :, 0], imaginary[:, :, 1], alpha=sign, out=out[:, 0])
    torch.add(real[:, :, 1], imaginary[:, :, 0], alpha=sign, out=out[:, 1])
    return out


class _SpectralKernel:
    """A transformed kernel, and the frames it was used on.

    Autograd would add up a gradient of the size of the transformed kernel at every frame. Here each
    frame's product also takes a handle, a tensor without content that the kernel gives out; what
    comes back through the handles are the gradients of the products, and one product of matrices
    over all frames makes the kernel's gradient of them.
    """

    def __init__(self, weight: Tensor, matrix: Tensor, uses: int, dtype: torch.dtype) -> None:
        self.weight, self.matrix, self.uses = weight, matrix, uses
        out, inputs = weight.shape[:2]
        with torch.no_grad():
            spectrum = (matrix @ weight.flatten(2).flatten(0, 1).T).to(dtype)
        self.forwards = spectrum.view(-1, 2 * out, inputs)
        self.backwards: Tensor | None = None
        if torch.is_grad_enabled():  # a product with a transposed view takes twice the time
            spectrum = spectrum.view(-1, 2, out, inputs).transpose(2, 3)
            self.backwards = spectrum.reshape(-1, 2 * inputs, out)
        self.handles: list[Tensor] = []
        self.used = 0
        self.seen: dict[int, Tensor] = {}
        """Inputs of the frames whose gradients have come back, until the kernel's is made."""

    def __call__(self, spectrum: Tensor) -> Tensor:
        """Products ``[F, 2, O, N]`` of frequencies ``[F, 2, C, N]``."""
        if self.backwards is None or not torch.is_grad_enabled():
            return _multiply(self.forwards, _side_by_side(spectrum))
        if self.used == len(self.handles):
            frequencies, rows, _ = self.forwards.shape
            shape = (frequencies, 2, rows // 2, spectrum.shape[3])
            self.handles += _Handles.apply(self.weight, self, shape)
        frame = self.used
        self.used += 1
        return _SpectralProduct.apply(spectrum, self.handles[frame], self, frame)


class _Handles(torch.autograd.Function):
    """From a weight to the handles of its transformed kernel, and back."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, kernel: _SpectralKernel, shape: tuple[int, ...]
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.kernel, ctx.first = kernel, kernel.used
        return tuple(kernel.forwards.new_empty(()).expand(shape) for _ in range(kernel.uses))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        kernel = ctx.kernel
        came = {ctx.first + at: each for at, each in enumerate(gradients) if each is not None}
        if not came:
            return None, None, None
        inputs = torch.cat([kernel.seen.pop(frame) for frame in came], dim=2).transpose(1, 2)
        real = torch.cat([_side_by_side(each) for each in came.values()], dim=2)
        clips = next(iter(came.values())).shape[3]
        # d c = (re, im) (a, b)^T and d d = (im, -re) (a, b)^T, for a product of c + id and a + ib
        parts = real.unflatten(2, (-1, 2, clips))
        imaginary = torch.stack([parts[..., 1, :], -parts[..., 0, :]], dim=3).flatten(2)
        gradient = torch.stack([torch.bmm(real, inputs), torch.bmm(imaginary, inputs)], 1)
        gradient = kernel.matrix.T.to(gradient.dtype) @ gradient.flatten(2).flatten(0, 1)
        weight = kernel.weight
        return gradient.to(weight.dtype).T.reshape(weight.shape), None, None


class _SpectralProduct(torch.autograd.Function):
    """One frame's product with a transformed kernel."""

    @staticmethod
    def forward(
        ctx: Any, spectrum: Tensor, handle: Tensor, kernel: _SpectralKernel, frame: int
    ) -> Tensor:
        inputs = _side_by_side(spectrum)
        ctx.save_for_backward(inputs)
        ctx.kernel, ctx.frame = kernel, frame
        return _multiply(kernel.forwards, inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        kernel = ctx.kernel
        if ctx.needs_input_grad[1]:
            kernel.seen[ctx.frame] = ctx.saved_tensors[0]
        before = None
        if ctx.needs_input_grad[0]:
            before = _multiply(kernel.backwards, _side_by_side(gradient), conjugate=True)
        return before, gradient, None, None


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
    dtype = execution.dtype(device, parameters)
    form = execution.convolution
    reach = (max(down for down, _ in kernels) // 2, max(across for _, across in kernels) // 2)
    if form == "auto":
        pointwise = grid == (1, 1) or reach == (0, 0)
        form = "dft" if device.type == "cpu" and not pointwise else "direct"
    if form == "direct":
        return DirectConvolution(dtype)
    return DFTConvolution(grid, reach, dtype)
