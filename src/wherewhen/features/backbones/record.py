"""The record of a backbone: its name, and how its network is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wherewhen.features.backbones.backbone import Preprocessing
from wherewhen.tracklets.sizes import Size

if TYPE_CHECKING:
    from torch import Tensor, nn


def _nothing(module: nn.Module) -> None:
    """Leave a network as its library initialised it."""


def _as_it_is(module: nn.Module) -> nn.Module:
    return module


def _one_stage(module: nn.Module) -> Sequence[str]:
    return ("",)


@dataclass(frozen=True)
class Architecture:
    """How a network is built and filled, and what its images are like.

    Attributes
    ----------
    library : str
        Its library, with the release.
    preprocessing : Preprocessing
        What the library's own weights want.
    build : callable
        Builds the network, without weights.
    download : callable
        Gets the library's own weights, a state dict.
    heads : tuple of str
        What the names of its classifiers' tensors begin with: they are left out of files.
    initialise : callable
        Draws weights, in place, for an untrained network.
    wrap : callable
        Makes of the filled network one that ends in a grid, [N, D, H, W].
    built_for : callable, optional
        Of a network that is built for one size of images, as those with position embeddings are:
        returns the architecture for a height and width.  None: the network takes any.
    resample : callable, optional
        Turns the tensors of the network's own size into those for another: takes a state dict and
        the network that is to have them.
    stages : callable
        Names the modules of the wrapped network with which its stages end, one after another, the
        last included: where a part of it can be trained.
    """

    library: str
    preprocessing: Preprocessing
    build: Callable[[], nn.Module]
    download: Callable[[], dict[str, Tensor]]
    heads: tuple[str, ...] = ()
    initialise: Callable[[nn.Module], None] = _nothing
    wrap: Callable[[nn.Module], nn.Module] = _as_it_is
    built_for: Callable[[Size], Architecture] | None = None
    resample: Callable[[dict[str, Tensor], nn.Module], dict[str, Tensor]] | None = None
    stages: Callable[[nn.Module], Sequence[str]] = _one_stage

    def for_size(self, size: Size | None) -> Architecture:
        """Return the architecture for images of a height and width; None: of its own."""
        if size is None or size == self.preprocessing.size:
            return self
        if self.built_for is not None:
            return self.built_for(size)
        return replace(self, preprocessing=replace(self.preprocessing, size=size))


@dataclass(frozen=True)
class BackboneKind:
    """A backbone, or a family of them.

    Attributes
    ----------
    name : str
        The name in parameters; that of a family ends in a colon, behind which a network of it is
        named.
    description : str
        A line of the reference.
    architecture : callable
        Returns the `Architecture` by the whole name.

    See Also
    --------
    wherewhen.features.backbones.BACKBONES : All records.
    """

    name: str
    description: str
    architecture: Callable[[str], Architecture]
