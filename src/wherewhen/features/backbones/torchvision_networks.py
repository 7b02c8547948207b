"""What torchvision's networks have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherewhen.features.backbones.backbone import Preprocessing
from wherewhen.features.backbones.downloads import no_download, require_host
from wherewhen.features.backbones.record import Architecture

if TYPE_CHECKING:
    from torch import Tensor, nn


def of_torchvision(
    name: str,
    preprocessing: Preprocessing,
    heads: tuple[str, ...],
    build: Callable[[], nn.Module],
    stages: Sequence[str],
) -> Architecture:
    """Return the architecture of a network whose weights torchvision publishes under a name."""
    import torchvision

    return Architecture(
        library=f"torchvision {torchvision.__version__.split('+')[0]}",  # alike on CPU and GPU
        preprocessing=preprocessing,
        heads=heads,
        build=build,
        download=lambda: download(name),
        initialise=_initialise_he,
        stages=lambda module: stages,
    )


def published(name: str) -> tuple[Any, Path]:
    """Return what torchvision says of the weights of a network, and the file that it keeps."""
    import torch
    from torchvision.models import get_model_weights

    weights = get_model_weights(name).DEFAULT
    return weights, Path(torch.hub.get_dir(), "checkpoints", Path(weights.url).name)


def download(name: str) -> dict[str, Tensor]:
    """Return the weights that torchvision publishes, downloaded if it does not keep them yet.

    Raises
    ------
    WeightsError
        If they can't be had.
    """
    weights, cached = published(name)
    if not cached.exists():
        require_host(weights.url, name, f"they would be kept as {cached}")
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except Exception as error:  # network, disk, hash: the ways out are the same
        raise no_download(name, weights.url, error) from error


def _initialise_he(module: nn.Module) -> None:
    """Initialise so that activations keep their size through a frozen, never trained network.

    torchvision's own initialisation counts on batch normalisation in training mode; frozen, its
    activations would vanish below what float16 can hold.  Source: He et al. 2015, Eq. 10.
    """
    from torch import nn

    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, mode="fan_in", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
