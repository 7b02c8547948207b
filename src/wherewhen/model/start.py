"""Start of a network at the weights of a trained one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import SiameseNetwork, build_network

if TYPE_CHECKING:
    from wherewhen.features.trunk import Trunk

STATISTICS = ("standardise", "scale_floor")
"""Fields that decide the statistics of the cubes, and no shape."""


def start_from(
    trained: SiameseNetwork, config: NetworkConfig, trunk: Trunk | None = None
) -> SiameseNetwork:
    """Build a network with the weights of a trained one.

    Statistics and basis of the cubes are copied, too: the network is calibrated if the trained one
    is, on the cubes that the trained one saw.

    Parameters
    ----------
    trained : SiameseNetwork
        Has the weights.
    config : NetworkConfig
        Agrees with the trained one's in the fields that decide the weights' shapes and the
        statistics; others, such as ``dropout``, may differ.
    trunk : Trunk, optional
        Trained layers of the backbone, for a trained network that has none; else its own is copied.

    Raises
    ------
    ValueError
        Naming the fields that have to agree, and both values.

    Examples
    --------
    >>> trained = build_network(NetworkConfig(projection=4, channels=[8]), channels=16, grid=7)
    >>> start_from(trained, NetworkConfig(projection=4, channels=[8], dropout=0.5)).config.dropout
    0.5

    See Also
    --------
    wherewhen.model.files.read_network : Reads a trained network.
    """
    before, now = (dict(each) for each in (trained.config, config))
    differing = [name for name in now if now[name] != before[name]]
    wrong = [name for name in differing if name in STATISTICS]
    shapes = _shapes(before, trained)
    if _shapes(now, trained) != shapes:
        alone = [
            name for name in differing if _shapes(before | {name: now[name]}, trained) != shapes
        ]
        wrong += alone or differing
    if wrong:
        raise ValueError("; ".join(f"{name} is {now[name]}, not {before[name]}" for name in wrong))
    trunk = trunk if trained.trunk is None else copy.deepcopy(trained.trunk)
    network = build_network(config, trained.channels, trained.grid, trunk)
    network.load_state_dict(network.state_dict() | trained.state_dict())
    return network


def _shapes(fields: dict, like: SiameseNetwork) -> dict[str, torch.Size] | None:
    """Shapes of the weights for the same cubes; None where the fields do not fit together."""
    try:
        with torch.device("meta"):
            built = build_network(NetworkConfig(**fields), like.channels, like.grid)
    except ValueError:
        return None
    return {name: value.shape for name, value in built.state_dict().items()}
