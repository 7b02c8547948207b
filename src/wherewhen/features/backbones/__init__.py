"""Backbones: convolutional networks that turn a frame into a feature cube.

A backbone is a module of this package with records `KINDS`.  It is frozen, knows how its images are
prepared, and carries a record of everything that its cubes depend on, which is a part of the cube
store's key.
"""

from __future__ import annotations

import logging
import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from wherewhen.features.backbones.backbone import Backbone, Precision, Preprocessing
from wherewhen.features.backbones.folding import fold_batch_norms
from wherewhen.features.backbones.parts import ALL, FROZEN, NO_WEIGHTS, NORMS, TrunkSpec
from wherewhen.features.backbones.record import Architecture, BackboneKind
from wherewhen.features.checkpoint_files import WeightsError, read_checkpoint
from wherewhen.features.fitting import in_order_of, load_into, state_sha256
from wherewhen.features.weights import PACKAGES, WeightsSource, checkpoint_path
from wherewhen.tracklets.sizes import Size

if TYPE_CHECKING:
    from torch import Tensor, nn

    from wherewhen.features.trunk import Trunk

__all__ = [
    "BACKBONES",
    "Architecture",
    "Backbone",
    "BackboneKind",
    "Precision",
    "Preprocessing",
    "TrunkSpec",
    "backbone_weights",
    "build_backbone",
    "build_trunk",
    "fold_batch_norms",
    "trunk_like",
]

POOLED = ":pool"
"""What follows a backbone's name where its grid is averaged into one cell."""

BACKBONES: dict[str, BackboneKind] = {
    kind.name: kind
    for info in pkgutil.iter_modules(__path__)
    for kind in getattr(import_module(f"{__name__}.{info.name}"), "KINDS", ())
}
"""The records by name."""

log = logging.getLogger(__name__)


def build_backbone(
    name: str,
    weights: WeightsSource,
    device: str = "cpu",
    precision: Precision = "float32",
    fold: bool = True,
    compiled: bool = False,
    size: Size | None = None,
    trained: str = FROZEN,
) -> Backbone:
    """Build a backbone by name, or the part of it that is not trained.

    Parameters
    ----------
    name
        A name of `BACKBONES`, or that of a family with a network's behind it, such as
        ``timm:resnet18``; ``timm:resnet18:stride1`` is a ResNet whose last stage does not halve the
        grid; ``NAME:pool`` is the mean of any of them over its grid, 1 x 1 x D.
    weights
        Where its weights come from.
    device
        Where it computes.
    precision
        ``bfloat16`` multiplies in bfloat16: nearly twice as fast on processors that have it, for
        cubes that differ by some 7 % (lite0). A part of the record, and so of the cubes' key.
    fold
        Merge batch norms into the convolutions before them (`fold_batch_norms`): a tenth faster,
        in bfloat16 a third.  False keeps the layers as they were published.
    compiled
        See `Backbone`.
    size
        Height and width of its images in pixels; None: the network's own, for most 224 x 224.  The
        position embeddings of a network of tokens are interpolated.
    trained
        What of it is trained elsewhere (`build_trunk`) and left out here: ``frozen`` for nothing,
        ``last:N`` for its last N stages; ``norms`` or ``all``: cubes are the pixels of its input.

    Returns
    -------
    Backbone
        Frozen, in evaluation mode.

    Raises
    ------
    ValueError
        If the name is unknown, the network makes nothing of images of this size, or it has no more
        than N stages.
    WeightsError
        If the weights can't be had or don't fit; the message names the ways out.

    See Also
    --------
    build_trunk : Builds the other part.

    Notes
    -----
    Source: "Where-and-When to Look", sections V-B (GoogLeNet's and VGG16's last convolution) and
    V-C (VGG16's fc7 and GoogLeNet's last layer, for the FC-GRU baselines (1) and (2)).
    torch's own random state is left as it was.
    """
    from wherewhen.features.trunk import Pixels, frozen_part

    architecture = _architecture_of(name, size)
    preprocessing = architecture.preprocessing.for_input(weights.input)
    if trained in (NORMS, ALL):
        record = {"library": architecture.library, "weights": NO_WEIGHTS, "trained": ALL}
        return Backbone(name, Pixels(), preprocessing.of_pixels(), record)  # a GPU would only copy
    module = _module(name, architecture, weights)
    record = {
        "library": architecture.library,
        "weights": {"source": weights.source, "sha256": state_sha256(module)},
    }
    if weights.source == "random":
        record["weights"]["seed"] = weights.seed
    record["folded_batch_norms"] = fold_batch_norms(module) if fold else 0
    network = _whole(name, architecture, module)
    if trained != FROZEN:
        record["trained"] = trained
        stages = _stages(name, architecture, network)
        network = frozen_part(network, stages, trained, name, preprocessing)
    if weights.source == "file":
        log.info(
            "weights of %s: pixels in 0..1, %s, mean %s, deviation %s (extract.weights.input)",
            name,
            preprocessing.channels,
            list(preprocessing.mean),
            list(preprocessing.std),
        )
    return Backbone(name, network, preprocessing, record, device, precision, compiled)


def build_trunk(name: str, weights: WeightsSource, trained: str, size: Size | None = None) -> Trunk:
    """Build the part of a backbone that is trained.

    Parameters
    ----------
    name, weights
        As of `build_backbone`.
    trained
        ``last:N``: its last N stages; ``all``; ``norms``: all of it, but only normalisation layers
        are trained.
    size
        As of `build_backbone`.

    Raises
    ------
    ValueError, WeightsError
        As `build_backbone`.
    """
    from wherewhen.features.trunk import trunk_of

    architecture = _architecture_of(name, size)
    module = _module(name, architecture, weights)
    preprocessing = architecture.preprocessing.for_input(weights.input)
    spec = TrunkSpec(
        backbone=name,
        size=preprocessing.size,
        trained=trained,
        channels=preprocessing.channels,
        weights_sha256=state_sha256(module),
    )
    network = _whole(name, architecture, module)
    return trunk_of(network, _stages(name, architecture, network), spec, preprocessing)


def trunk_like(spec: TrunkSpec) -> Trunk:
    """Build a trunk whose weights, and means of pixels, are then loaded from elsewhere."""
    from wherewhen.features.trunk import trunk_of

    architecture = _architecture_of(spec.backbone, spec.size)
    module = _module(spec.backbone, architecture, WeightsSource(source="random", seed=0))
    network = _whole(spec.backbone, architecture, module)
    stages = _stages(spec.backbone, architecture, network)
    return trunk_of(network, stages, spec, architecture.preprocessing)


def backbone_weights(
    name: str, weights: WeightsSource, size: Size | None = None
) -> dict[str, Tensor]:
    """Return a backbone's weights by name, as a file of source ``file`` may have them.

    Raises
    ------
    ValueError, WeightsError
        As `build_backbone`.
    """
    return _module(name, _architecture_of(name, size), weights).state_dict()


def _whole(name: str, architecture: Architecture, module: nn.Module) -> nn.Module:
    """Return a network that ends in a grid, which may be averaged into one cell."""
    import torch

    network = architecture.wrap(module)
    if not name.endswith(POOLED):
        return network
    return torch.nn.Sequential(network, torch.nn.AdaptiveAvgPool2d(1))


def _stages(name: str, architecture: Architecture, network: nn.Module) -> list[str]:
    """Name the modules with which the stages of a whole network end."""
    if not name.endswith(POOLED):
        return list(architecture.stages(network))
    return [f"0.{stage}" for stage in architecture.stages(network[0])]


def _module(name: str, architecture: Architecture, weights: WeightsSource) -> nn.Module:
    """Build the whole network with its weights, layers as they were published."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed or 0)
        module = architecture.build()
        if weights.source == "random":
            architecture.initialise(module)
        elif weights.source == "imagenet":
            module.load_state_dict(architecture.download(), strict=False)
        else:
            _load_checkpoint(name, module, architecture, weights)
    return module


def _architecture_of(name: str, size: Size | None = None) -> Architecture:
    name = name.removesuffix(POOLED)
    family, colon, _ = name.partition(":")
    kind = BACKBONES.get(name) or BACKBONES.get(family + colon)
    if kind is None:
        families = [f"`{each}NAME`" for each in BACKBONES if each.endswith(":")]
        named = [each for each in BACKBONES if not each.endswith(":")]
        raise ValueError(
            f"backbone `{name}` is not known; known: {', '.join(named)} and {', '.join(families)} "
            "with a name from timm.list_models(), e.g. timm:tf_efficientnet_lite0; each also with "
            f"`{POOLED}` behind it"
        )
    return kind.architecture(name).for_size(None if size is None else tuple(size))


def _load_checkpoint(
    name: str, module: nn.Module, architecture: Architecture, weights: WeightsSource
) -> None:
    name = name.removesuffix(POOLED)
    path = checkpoint_path(name, weights)
    state = read_checkpoint(path)
    if weights.package is not None:  # names of another library, tensors in the same order
        if head := PACKAGES[weights.package].head:
            state = {name: each for name, each in state.items() if not name.startswith(head)}
        state = in_order_of(module, state)

    def load(network: nn.Module) -> None:
        load_into(network, state, name, path, architecture.heads, weights.key)

    try:
        load(module)
    except WeightsError:
        if architecture.resample is None:
            raise
        published = _architecture_of(name).build()  # for images of its own size
        try:
            load(published)
        except WeightsError:
            published = None
        if published is None:
            raise
        module.load_state_dict(architecture.resample(published.state_dict(), module))
        log.info("weights of %s: the position embeddings of %s are interpolated", name, path)
