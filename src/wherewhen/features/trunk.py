"""The trunk: the layers of a backbone that are trained with the network that stands on them.

A backbone is cut into a frozen part, whose cubes are made once and kept, and the trunk, which runs
anew at every step. Where the whole backbone is trained, cubes are the frames' pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from wherewhen.features.backbones.parts import ALL, LAST, NORMS, TrunkSpec
from wherewhen.features.backbones.splitting import split

if TYPE_CHECKING:
    from wherewhen.features.backbones.backbone import Preprocessing

FRAMES_AT_ONCE = 32
"""Frames in a forward pass where no gradient is asked for."""

Layout = Literal["channels_first", "channels_last", "tokens"]
"""``[N, C, H, W]``, ``[N, H, W, C]``, or ``[N, L, C]``, which is kept as a grid of L x 1."""


class Cut(NamedTuple):
    """A backbone in two parts."""

    frozen: list[nn.Module]
    """Stages that stay as they are; none where cubes are pixels."""
    trained: list[nn.Module]
    """The other stages."""


def cut(network: nn.Module, stages: Sequence[str], trained: str, name: str) -> Cut:
    """Cut a backbone between its stages.

    Parameters
    ----------
    network
        Maps images to a grid of features.
    stages
        Names of the modules with which its stages end, the last included.
    trained
        ``norms``, ``all`` or ``last:N``.
    name
        Named in the error.

    Raises
    ------
    ValueError
        If it has no more than N stages.
    wherewhen.features.backbones.splitting.SplitError
        If its way can't be traced.
    """
    parts = split(network, stages[:-1])
    if trained in (NORMS, ALL):
        return Cut([], parts)
    count = int(trained.removeprefix(LAST))
    if count >= len(parts):
        raise ValueError(
            f"train.backbone is {trained}, but {name} has {len(parts)} stages: choose at most "
            f"{LAST}{len(parts) - 1}, or {ALL}"
        )
    return Cut(parts[:-count], parts[-count:])


def frozen_part(
    network: nn.Module, stages: Sequence[str], trained: str, name: str, preprocessing: Preprocessing
) -> nn.Module:
    """Make what a trunk leaves of a backbone; the arguments and errors are those of `trunk_of`."""
    frozen = cut(network, stages, trained, name).frozen
    return nn.Sequential(*frozen, ToGrid(_layout_behind(frozen, network, preprocessing)[0]))


def trunk_of(
    network: nn.Module, stages: Sequence[str], spec: TrunkSpec, preprocessing: Preprocessing
) -> Trunk:
    """Make the trunk of a backbone.

    Parameters
    ----------
    network, stages
        As of `cut`.
    spec
        Says what is trained.
    preprocessing
        Of the backbone.

    Raises
    ------
    ValueError, wherewhen.features.backbones.splitting.SplitError
        As `cut`.
    """
    frozen, trained = cut(network, stages, spec.trained, spec.backbone)
    if not frozen:
        enter = Normalise(preprocessing.mean, preprocessing.std, spec.channels)
        return Trunk(spec, enter, trained, (*preprocessing.size, 3))
    layout, takes = _layout_behind(frozen, network, preprocessing)
    return Trunk(spec, FromCubes(layout), trained, takes)


def _layout_behind(
    frozen: Sequence[nn.Module], network: nn.Module, preprocessing: Preprocessing
) -> tuple[Layout, tuple[int, int, int]]:
    """Tell how the features behind some stages of a network are laid out, and as what cubes."""
    with torch.no_grad():
        features = nn.Sequential(*frozen).eval()(torch.zeros(1, 3, *preprocessing.size))
    layout: Layout = "tokens"
    if features.ndim == 4:
        # timm says so of networks that keep channels last
        last = any(getattr(part, "output_fmt", None) == "NHWC" for part in network.modules())
        layout = "channels_last" if last else "channels_first"
    _, channels, height, width = ToGrid(layout)(features).shape
    return layout, (height, width, channels)


class ToGrid(nn.Module):
    """Turns features of a layout into ``[N, C, H, W]``."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, features: Tensor) -> Tensor:
        """Lay out."""
        if self.layout == "tokens":
            return features.mT.unsqueeze(3)
        return features if self.layout == "channels_first" else features.permute(0, 3, 1, 2)


class FromCubes(nn.Module):
    """Turns cubes ``[N, H, W, C]`` into features of a layout."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, cubes: Tensor) -> Tensor:
        """Lay out."""
        if self.layout == "tokens":
            return cubes.squeeze(2)
        return cubes if self.layout == "channels_last" else cubes.permute(0, 3, 1, 2)


class Pixels(nn.Module):
    """The frozen part of a backbone that is trained as a whole: cubes are pixels, 0 to 255."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the pixels."""
        return images.round()


class Normalise(nn.Module):
    """Turns pixels ``[N, H, W, 3]``, 0 to 255, red first, into a backbone's input.

    Parameters
    ----------
    mean, std
        Of pixels in 0..1, in the order of `channels`.
    channels
        Order of the colours in the backbone's input, ``RGB`` or ``BGR``.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], channels: str) -> None:
        super().__init__()
        self.flipped = channels == "BGR"
        means, deviations = torch.tensor(mean), torch.tensor(std)
        self.register_buffer("scale", (1 / (255 * deviations)).view(3, 1, 1))
        self.register_buffer("shift", (means / deviations).view(3, 1, 1))

    def forward(self, cubes: Tensor) -> Tensor:
        """Normalise."""
        pixels = cubes.permute(0, 3, 1, 2)
        return (pixels.flip(1) if self.flipped else pixels) * self.scale - self.shift


class Trunk(nn.Module):
    """The trained layers of a backbone: cubes of its frozen part in, cubes for the network out.

    Parameters
    ----------
    spec
        What it is built from.
    enter
        Turns cubes into the input of the first stage.
    stages
        Run one after another and end in ``[N, D, H, W]``.
    takes
        (h, w, c) of the cubes that go in.

    Attributes
    ----------
    takes, gives : tuple of int
        (h, w, c) of the cubes that go in, and (H, W, D) of those that come out.
    multiplications : int
        Multiplications for a frame.
    batch_statistics : bool
        Whether batch norms use and update statistics in training; else those of the backbone's own
        training stay.
    recompute : bool
        Whether a stage's activations are computed again in the backward pass instead of being kept.
    """

    def __init__(
        self,
        spec: TrunkSpec,
        enter: nn.Module,
        stages: Sequence[nn.Module],
        takes: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.spec = spec
        self.enter, self.stages = enter, nn.ModuleList(stages)
        self.batch_statistics = self.recompute = False
        self.takes = takes
        self.eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            height, width, channels = self(torch.zeros(1, *takes)).shape[1:]
        self.multiplications = counter.get_total_flops() // 2
        self.gives = (height, width, channels)
        trained = list(self._norms()) if spec.trained == NORMS else [self.stages]
        if not trained:
            raise ValueError(
                f"train.backbone is {NORMS}, but {spec.backbone} has no normalisation layers: "
                f"choose {LAST}N or {ALL}"
            )
        self.stages.requires_grad_(False)
        for part in trained:
            part.requires_grad_(True)

    def _norms(self) -> Iterator[nn.Module]:
        kinds = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
        return (part for part in self.modules() if isinstance(part, kinds))

    def train(self, mode: bool = True) -> Trunk:
        """Set the mode; batch norms with frozen statistics stay in evaluation."""
        super().train(mode)
        if not self.batch_statistics:
            for norm in self._norms():
                norm.eval()
        return self

    def forward(
        self, cubes: Tensor, mask: Tensor | None = None, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Compute cubes ``[..., H, W, D]``, float32, of cubes ``[..., h, w, c]``.

        Parameters
        ----------
        cubes
            Of the frozen part.
        mask
            Frames of clips that are valid; of the others the result is arbitrary. They have no
            influence on batch statistics.
        dtype
            What products are computed in.
        """
        if mask is not None and self.training and self.batch_statistics:
            valid = self(cubes[mask], dtype=dtype)
            filled = valid.new_zeros(*mask.shape, *valid.shape[1:])
            filled[mask] = valid
            return filled
        frames = cubes.reshape(-1, *cubes.shape[-3:])
        # nothing is kept for a backward pass: a test tracklet's frames need not be there at once
        parts = [frames] if torch.is_grad_enabled() else frames.split(FRAMES_AT_ONCE)
        features = torch.cat([self._compute(part.float(), dtype) for part in parts])
        return features.unflatten(0, cubes.shape[:-3])

    def _compute(self, frames: Tensor, dtype: torch.dtype) -> Tensor:
        """Compute cubes ``[N, H, W, D]`` of cubes ``[N, h, w, c]``."""
        # the meta device, where only shapes are computed, knows no autocast
        low = (
            torch.autocast(frames.device.type, dtype, enabled=dtype != torch.float32)
            if (not frames.is_meta)
            else nullcontext()
        )
        with low:
            features = self.enter(frames)
            for stage in self.stages:
                if self.recompute and torch.is_grad_enabled():
                    features = checkpoint(stage, features, use_reentrant=False)
                else:
                    features = stage(features)
        return features.permute(0, 2, 3, 1).float()
