"""A frozen network that turns frames into feature cubes, and how frames become its input."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from wherewhen.features.weights import WeightsInput
from wherewhen.tracklets.sizes import Size, as_recorded, times

if TYPE_CHECKING:
    from torch import Tensor, nn

Precision = Literal["float32", "bfloat16"]
"""What a backbone multiplies in."""
INPUT_SIZE = (224, 224)
"""Height and width of a backbone's input in pixels, where nobody chooses."""
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Preprocessing:
    """How frames become a network's input.

    The resize works on whole batches of uint8 with torch (not PIL: the two differ slightly), with
    antialiasing, and does not keep the aspect ratio: a crop fills the input, so that the grid's
    cells divide the person evenly.  A crop twice as high as wide is not squashed by an input of
    256 x 128.

    Parameters
    ----------
    size : (int, int)
        Height and width of the input in pixels.
    mean, std
        Per channel, in the order of `channels`, of values in 0..1.
    interpolation
        ``bilinear`` or ``bicubic``.
    channels
        Order of the colours in the network's input.
    """

    size: Size = INPUT_SIZE
    mean: tuple[float, float, float] = HALF
    std: tuple[float, float, float] = HALF
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    channels: Literal["RGB", "BGR"] = "RGB"

    def for_input(self, given: WeightsInput | None) -> Preprocessing:
        """Return the preprocessing of a network that was trained on another input."""
        if given is None:
            return self
        mean, std = self.mean, self.std
        if given.channels != self.channels:
            mean, std = mean[::-1], std[::-1]
        if given.mean is not None and given.deviation is not None:
            low, width = given.bounds
            mean = tuple((value - low) / width for value in given.mean)
            std = tuple(value / width for value in given.deviation)
        return replace(self, mean=mean, std=std, channels=given.channels)

    def of_pixels(self) -> Preprocessing:
        """Return the preprocessing that leaves pixels as they are, of the same size."""
        one = 1 / 255
        return replace(self, mean=(0.0, 0.0, 0.0), std=(one, one, one), channels="RGB")

    @property
    def record(self) -> dict[str, Any]:
        """What cubes depend on; without the order RGB, as in the keys of earlier stores."""
        fields = {**asdict(self), "resize": "torch, uint8, antialias"}
        fields["size"] = as_recorded(self.size)
        if self.channels == "RGB":
            del fields["channels"]
        return fields

    def __call__(self, images: NDArray[np.uint8]) -> Tensor:
        """Prepare images.

        Parameters
        ----------
        images
            uint8, shape [N, H, W, 3], red first.

        Returns
        -------
        Tensor
            float32, shape [N, 3, height, width], channels last in memory.

        Raises
        ------
        ValueError
            If shape or type are others.
        """
        import torch
        from torch.nn.functional import interpolate

        images = np.ascontiguousarray(images)
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise ValueError(
                f"images: expected uint8 [N, H, W, 3], got {images.dtype} {list(images.shape)}"
            )
        if not images.flags.writeable:  # torch would warn, though nothing is written
            images = images.copy()
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
        if pixels.shape[-2:] != self.size:
            pixels = interpolate(pixels, self.size, mode=self.interpolation, antialias=True)
        return self.normalise(pixels)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Prepare images that have the network's size.

        Parameters
        ----------
        pixels
            uint8, shape [N, 3, height, width], red first.

        Returns
        -------
        Tensor
            float32, of the same shape, channels last in memory.
        """
        import torch

        if self.channels == "BGR":
            pixels = pixels.flip(1)
        # (pixel / 255 - mean) / std in two passes.  It could not all go into the first convolution:
        # that pads with zeros, which stand for the mean after normalising and for black before.
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        prepared = pixels.to(torch.float32, memory_format=torch.channels_last)
        return prepared.mul_(1 / (255 * std)).sub_(mean / std)


class Backbone:
    """A frozen convolutional network: frames in, feature cubes out.

    Parameters
    ----------
    name
        Its name in the registry.
    module
        Maps float32 [N, 3, height, width] to [N, D, H, W].
    preprocess
        Maps uint8 [N, H, W, 3] to the module's input.
    record
        What identifies it: library, weights, preprocessing; `grid` and `channels` are added.
    device
        Where it computes, e.g. ``cpu`` or ``cuda``.
    precision
        ``float32``, or ``bfloat16`` for multiplications in bfloat16.
    compiled
        Compile the network (``torch.compile``, weights frozen).  It needs a C++ compiler and, on a
        CPU, a minute at every start for 1.1 (float32) to 1.4 times (bfloat16) the speed of one
        thread.  An extraction runs a compiled network in one thread only, so that on a CPU it pays
        only where there is one processor.  Cubes differ in their last digits: a part of the record.

    Attributes
    ----------
    grid : (int, int)
        Height H and width W of a cube in cells.
    channels : int
        D.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        preprocess: Preprocessing,
        record: dict[str, Any],
        device: str = "cpu",
        precision: Precision = "float32",
        compiled: bool = False,
    ):
        import torch

        self.precision = precision
        self.name = name
        self.preprocess = preprocess
        self.device = torch.device(device)
        self.module = module.eval().requires_grad_(False)
        self.module.to(device=self.device, memory_format=torch.channels_last)
        self.compiled = compiled
        self.grid, self.channels = self._probe()
        if compiled:
            self.module = torch.compile(self.module, dynamic=False, options={"freezing": True})
        self.record = {
            **record,
            "name": name,
            "preprocessing": preprocess.record,
            "grid": as_recorded(self.grid),
            "channels": self.channels,
            "precision": precision,
            "compiled": compiled,
            "device": self.device.type,
        }

    def _probe(self) -> tuple[Size, int]:
        import torch

        size = self.preprocess.size
        try:
            cubes = self.compute(torch.zeros(1, 3, *size))
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"backbone {self.name} makes nothing of images of {times(size)} (extract.size): "
                f"{reason}. Choose another size"
            ) from error
        if cubes.ndim != 4:
            raise ValueError(
                f"backbone {self.name}: expected a grid of features from a {times(size)} input, "
                f"got {list(cubes.shape[1:])}; choose a convolutional network"
            )
        return tuple(cubes.shape[1:3]), cubes.shape[3]

    def compute(self, prepared: Tensor) -> Tensor:
        """Compute the cubes of prepared images.

        Parameters
        ----------
        prepared
            float32, shape [N, 3, height, width], on any device.

        Returns
        -------
        Tensor
            float32, shape [N, H, W, D], on the backbone's device.
        """
        import torch

        low = self.precision == "bfloat16"
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=low),
        ):
            cubes = self.module(prepared.to(self.device, non_blocking=True))
        return cubes.permute(0, 2, 3, 1).float()

    def __call__(self, images: NDArray[np.uint8]) -> Tensor:
        """Compute the cubes of images.

        Parameters
        ----------
        images
            uint8, shape [N, H, W, 3], red first.

        Returns
        -------
        Tensor
            float32, shape [N, H, W, D].
        """
        return self.compute(self.preprocess(images))
