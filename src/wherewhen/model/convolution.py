"""Forms of the recurrent stack's convolutions: torch's own, or products in the frequency domain.

An `Execution` chooses form and precision for each device, grid and kernel. Forms are equal up to
rounding.
"""

from __future__ import annotations

import itertools
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from wherewhen.tracklets.sizes import Size

TRANSFORM = 8
"""Cost of a multiplication in a transform, relative to one in a product of channels."""

Product = Callable[[Tensor], Tensor]
"""A prepared kernel: multiplies the output of `Convolution.transform`."""


@dataclass(frozen=True)
class Execution:
    """How a network computes; affects speed and rounding.

    Examples
    --------
    >>> Execution("direct").dtype(torch.device("cpu"))
    torch.float32
    """

    convolution: Literal["auto", "direct", "dft"] = "auto"
    """``direct`` (torch's convolution), ``dft`` (products in the frequency domain), or the faster
    one for the device, the grid and the kernels."""

    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """Compute dtype of the convolutions' factors and results; sums inside of them, states and
    weights stay float32. ``auto`` is bfloat16 where the device is fast at it. A network in float64
    computes in float64."""

    def dtype(self, device: torch.device, parameters: torch.dtype = torch.float32) -> torch.dtype:
        """Return the compute dtype on a device, for weights of the dtype `parameters`.

        Where bfloat16 is asked for and slow, warns and returns float32.
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
        # older versions of torch have no such function
        capabilities = getattr(torch.cpu, "get_capabilities", dict)()
        return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))
    return False


@contextmanager
def full_float32() -> Iterator[None]:
    """Disable TF32 in a GPU's convolutions.

    By default torch allows TF32 in convolutions and not in matrix products, so that the forms of a
    convolution would differ in precision. Put it around the backward pass, too.
    """
    cudnn = torch.backends.cudnn
    with cudnn.flags(cudnn.enabled, cudnn.benchmark, None, cudnn.deterministic, allow_tf32=False):
        yield


class Convolution(ABC):
    """A form of the zero-padded convolution with stride 1.

    ``inverse(kernel(weight)(transform(x)))`` convolves. Between ``transform`` and ``inverse``
    products can be added and split, so that shared work is done once.
    """

    @abstractmethod
    def lay_out(self, frames: Tensor) -> Tensor:
        """``[T, N, C, H, W]`` of frames ``[N, T, H, W, C]``, in the memory layout of this form."""

    @abstractmethod
    def transform(self, inputs: Tensor) -> Tensor:
        """Bring inputs ``[N, C, H, W]`` into this form."""

    @abstractmethod
    def kernel(self, weight: Tensor, uses: int) -> Product:
        """Prepare a kernel ``[O, C, k1, k2]`` for at most `uses` products."""

    @abstractmethod
    def inverse(self, product: Tensor, bias: Tensor | None = None) -> Tensor:
        """Transform a product back to ``[N, O, H, W]``, and add a bias ``[O]``."""

    def split(self, product: Tensor, channels: Sequence[int]) -> tuple[Tensor, ...]:
        """Split the channels of a product into views."""
        return product.split(tuple(channels), dim=1)


class DirectConvolution(Convolution):
    """torch's own convolution in a compute dtype, with a result in another or the same (None)."""

    def __init__(self, dtype: torch.dtype, result: torch.dtype | None = None) -> None:
        self.dtype, self.result = dtype, result or dtype

    def lay_out(self, frames: Tensor) -> Tensor:
        """Channels first."""
        return frames.permute(1, 0, 4, 2, 3).contiguous()

    def transform(self, inputs: Tensor) -> Tensor:
        """Cast to the compute dtype."""
        return inputs.to(self.dtype)

    def kernel(self, weight: Tensor, uses: int) -> Product:
        """Cast to the compute dtype, once a batch."""
        rounded = weight.to(self.dtype)
        padding = (weight.shape[2] // 2, weight.shape[3] // 2)
        return lambda inputs: nn.functional.conv2d(inputs, rounded, padding=padding)

    def inverse(self, product: Tensor, bias: Tensor | None = None) -> Tensor:
        """Add the bias, or cast to the dtype of the result."""
        return product.to(self.result) if bias is None else product + bias[:, None, None]


class _Bilinear(NamedTuple):
    """Matrices of a convolution by R products: ``back @ ((there @ x) * (taps @ w))``."""

    there: Tensor
    """Transform of values on the grid, ``[R, H * W]``."""
    taps: Tensor
    """Transform of a kernel, ``[R, k1 * k2]``."""
    back: Tensor
    """Inverse transform of the products, ``[H * W, R]``."""


@lru_cache(maxsize=64)
def _bilinear(
    grid: Size, reach: Size, kernel: Size, dtype: torch.dtype, device: torch.device
) -> _Bilinear:
    """Matrices of the DFT of a grid, padded by the reach of the kernels.

    The padding makes the circular convolution equal to the zero-padded one. Of two conjugate
    frequencies one is kept. A complex product ``(a + ib)(c + id)`` is three real ones (Gauss): of
    a + b with c, of a with d - c, and of b with c + d; these sums, and those of the results, are
    part of the matrices.
    """
    circle = [side + beyond for side, beyond in zip(grid, reach, strict=True)]
    opposite = {(u, v): (-u % circle[0], -v % circle[1]) for u, v in _positions(circle)}
    real = [at for at, other in opposite.items() if at == other]
    pairs = [at for at, other in opposite.items() if at < other]
    cells = torch.tensor(_positions(grid)).double()
    offsets = torch.tensor(_positions(kernel)) - torch.tensor([side // 2 for side in kernel])
    met = (offsets.abs() <= torch.tensor(reach)).all(1)  # other taps only see the padding

    def angles(frequencies: list[Size], positions: Tensor) -> Tensor:
        turns = 2 * torch.pi / torch.tensor(circle).double()
        return (torch.tensor(frequencies).reshape(-1, 2) * turns) @ positions.double().T

    x, w = angles(pairs, cells), angles(pairs, offsets)
    there = [angles(real, cells).cos(), x.cos() - x.sin(), x.cos(), -x.sin()]
    taps = [angles(real, offsets).cos(), w.cos(), w.sin() - w.cos(), w.sin() + w.cos()]
    back = [there[0], 2 * (x.cos() - x.sin()), -2 * x.sin(), -2 * x.cos()]
    return _Bilinear(
        torch.cat(there).to(device, dtype),
        (torch.cat(taps) * met).to(device, dtype),
        (torch.cat(back).T / math.prod(circle)).contiguous().to(device, dtype),
    )


def _positions(sides: Sequence[int]) -> list[Size]:
    return list(itertools.product(*(range(side) for side in sides)))


class DFTConvolution(Convolution):
    """Convolution in the frequency domain: a matrix product over the channels per frequency.

    A zero-padded 5x5 convolution on a 7x7 grid is a circular one on 9x9. For real inputs it has 41
    frequencies and R = 121 real products for every pair of channels, the direct form 1,225. Kernels
    are transformed once a batch, and so are their gradients, summed over the frames.

    A transformed tensor is ``[R, C, N]``. ``inverse`` returns ``[N, C, H, W]`` with the memory
    layout ``[H, W, C, N]``, which elementwise operations keep and ``transform`` reads without a
    copy.

    Parameters
    ----------
    grid : (int, int)
        Height and width of the inputs.
    reach : (int, int)
        Cells that the largest kernel extends beyond the grid, down and across.
    dtype, result : torch.dtype
        As for `DirectConvolution`; sums inside the products are float32 for bfloat16.

    Examples
    --------
    >>> inputs, weight = torch.ones(1, 1, 7, 7), torch.ones(1, 1, 5, 5)
    >>> forms = DirectConvolution(torch.float32), DFTConvolution((7, 7), (2, 2), torch.float32)
    >>> [form.inverse(form.kernel(weight, 1)(form.transform(inputs)))[0, 0, 3, 3].round().item()
    ...  for form in forms]
    [25.0, 25.0]

    See Also
    --------
    choose : Chooses the form of a layer's convolutions.
    """

    def __init__(
        self, grid: Size, reach: Size, dtype: torch.dtype, result: torch.dtype | None = None
    ) -> None:
        self.grid = grid
        self.reach = tuple(min(beyond, side - 1) for beyond, side in zip(reach, grid, strict=True))
        self.dtype, self.result = dtype, result or dtype

    def lay_out(self, frames: Tensor) -> Tensor:
        """Locations first, clips last."""
        return frames.permute(1, 2, 3, 4, 0).contiguous().permute(0, 4, 3, 1, 2)

    def transform(self, inputs: Tensor) -> Tensor:
        """Frequencies ``[R, C, N]``."""
        clips, channels = inputs.shape[:2]
        there = _bilinear(self.grid, self.reach, (1, 1), self.dtype, inputs.device).there
        values = inputs.permute(2, 3, 1, 0).reshape(-1, channels * clips)
        return (there @ values.to(self.dtype)).view(-1, channels, clips)

    def kernel(self, weight: Tensor, uses: int) -> Product:
        """Transform a kernel, once a batch."""
        size = tuple(weight.shape[2:])
        taps = _bilinear(self.grid, self.reach, size, self.dtype, weight.device).taps
        return _SpectralProducts(_SpectralKernel(weight, taps), uses)

    def inverse(self, product: Tensor, bias: Tensor | None = None) -> Tensor:
        """Values on the grid, without the padding."""
        channels, clips = product.shape[1:]
        back = _bilinear(self.grid, self.reach, (1, 1), self.dtype, product.device).back
        values = (back @ product.reshape(-1, channels * clips)).view(*self.grid, channels, clips)
        values = values.to(self.result) if bias is None else values + bias[:, None]
        return values.permute(3, 2, 0, 1)


class _SpectralKernel:
    """A transformed kernel, and the inputs that its gradient needs."""

    def __init__(self, weight: Tensor, taps: Tensor) -> None:
        self.weight, self.taps = weight, taps
        self.forwards = self._transform((2, 3, 0, 1))
        # for gradients: three times as fast as a product with a transposed view
        self.backwards = self._transform((2, 3, 1, 0)) if torch.is_grad_enabled() else None
        self.seen: dict[int, Tensor] = {}
        """Inputs by frame, until the gradient of the kernel is computed."""

    @torch.no_grad()
    def _transform(self, order: tuple[int, ...]) -> Tensor:
        values = self.weight.to(self.taps.dtype).permute(order)
        return (self.taps @ values.flatten(0, 1).flatten(1)).unflatten(1, values.shape[2:])


class _SpectralProducts:
    """Products of the frames of one batch with a transformed kernel.

    Autograd would accumulate a gradient of the size of the transformed kernel at every frame.
    Instead, each product takes a handle, an empty tensor in place of the kernel, whose gradient is
    that of the product; one matrix product over all frames then gives the kernel's gradient.
    """

    def __init__(self, kernel: _SpectralKernel, uses: int) -> None:
        # the kernel must not refer to the handles: the graph refers to it and would not be freed
        self.kernel, self.uses, self.used = kernel, uses, 0
        self.handles: list[Tensor] = []

    def __call__(self, inputs: Tensor) -> Tensor:
        """Products ``[R, O, N]`` of frequencies ``[R, C, N]``."""
        kernel = self.kernel
        if kernel.backwards is None or not torch.is_grad_enabled():
            return torch.bmm(kernel.forwards, inputs)
        if self.used == len(self.handles):
            shape = (*kernel.forwards.shape[:2], inputs.shape[2])
            self.handles += _Handles.apply(kernel.weight, kernel, self.used, self.uses, shape)
        frame = self.used
        self.used += 1
        return _SpectralProduct.apply(inputs, self.handles[frame], kernel, frame)


class _Handles(torch.autograd.Function):
    """Handles of a transformed kernel (forward), gradient of its weight (backward)."""

    @staticmethod
    def forward(
        ctx: Any,
        weight: Tensor,
        kernel: _SpectralKernel,
        first: int,
        uses: int,
        shape: tuple[int, ...],
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.kernel, ctx.first = kernel, first
        return tuple(kernel.forwards.new_empty(()).expand(shape) for _ in range(uses))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        kernel = ctx.kernel
        came = {ctx.first + at: each for at, each in enumerate(gradients) if each is not None}
        if not came:
            return None, None, None, None, None
        inputs = torch.cat([kernel.seen.pop(frame) for frame in came], dim=2)
        products = torch.cat(list(came.values()), dim=2)
        gradient = torch.bmm(products, inputs.transpose(1, 2)).flatten(1)
        gradient = kernel.taps.T.contiguous() @ gradient
        weight = kernel.weight
        return gradient.to(weight.dtype).T.reshape(weight.shape), None, None, None, None


class _SpectralProduct(torch.autograd.Function):
    """One frame's product with a transformed kernel."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, handle: Tensor, kernel: _SpectralKernel, frame: int
    ) -> Tensor:
        ctx.save_for_backward(inputs)
        ctx.kernel, ctx.frame = kernel, frame
        return torch.bmm(kernel.forwards, inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        kernel = ctx.kernel
        gradient = gradient.contiguous()
        if ctx.needs_input_grad[1]:
            kernel.seen[ctx.frame] = ctx.saved_tensors[0]
        before = torch.bmm(kernel.backwards, gradient) if ctx.needs_input_grad[0] else None
        return before, gradient, None, None


def choose(
    execution: Execution,
    device: torch.device,
    parameters: torch.dtype,
    grid: Size,
    kernels: Sequence[Size],
    channels: Size,
) -> Convolution:
    """Choose the form of a layer's convolutions.

    On a CPU ``auto`` takes the DFT where it needs fewer multiplications, those of the transforms
    counted `TRANSFORM` times (measured by ``benchmarks/train_step.py``); on a GPU torch's
    convolution.

    Parameters
    ----------
    execution : Execution
        The choice of form and precision.
    device, parameters : torch.device, torch.dtype
        Device and dtype of the weights.
    grid : (int, int)
        Height and width of the layer's state.
    kernels : sequence of (int, int)
        Height and width of its kernels: W, then U of the gates and of the candidate.
    channels : (int, int)
        Channels of its input and of its state.
    """
    dtype = execution.dtype(device, parameters)
    form = execution.convolution
    reach = tuple(max(sides) // 2 for sides in zip(*kernels, strict=True))
    if form == "auto":
        pays = device.type == "cpu" and _dft_pays(grid, reach, kernels, channels)
        form = "dft" if pays else "direct"
    if form == "direct":
        return DirectConvolution(dtype, parameters)
    return DFTConvolution(grid, reach, dtype, parameters)


def _dft_pays(grid: Size, reach: Size, kernels: Sequence[Size], channels: Size) -> bool:
    """Whether the DFT needs fewer multiplications for a frame of a clip."""
    if grid == (1, 1) or reach == (0, 0):
        return False
    cells, (inputs, states) = math.prod(grid), channels
    circle = math.prod(side + beyond for side, beyond in zip(grid, reach, strict=True))
    pairs = (3 * inputs * states, 2 * states**2, states**2)
    direct = cells * sum(
        math.prod(kernel) * count for kernel, count in zip(kernels, pairs, strict=True)
    )
    transforms = cells * (inputs + 2 * states + 3 * states)  # there: x, h, r h; back: z, r, c
    return 1.5 * circle * (sum(pairs) + TRANSFORM * transforms) < direct
