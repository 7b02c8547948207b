"""Network files: weights as safetensors, with the configuration in the header."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from wherewhen.atomic import replacing
from wherewhen.features.backbones.parts import TrunkSpec
from wherewhen.model.config import NetworkConfig
from wherewhen.tensor_headers import HeaderError, check_header
from wherewhen.tracklets.sizes import as_recorded, as_size, times

if TYPE_CHECKING:
    from torch import Tensor

    from wherewhen.features.trunk import Trunk
    from wherewhen.model.siamese import SiameseNetwork

HEADER = "network"
"""Entry of the header: configuration, channels and grid (`as_recorded`), as JSON."""

RETIRED = {
    "update_bias": 0.0,
    "normalisation_groups": 4,
    "attention_hidden": 64,
    "temporal_hidden": 64,
}
"""Fields of earlier versions, with the values that are fixed now."""

LATER = ("head", "transformer_layers", "transformer_heads", "neck")
"""Fields that are written only where they are not at their defaults: files of networks that earlier
versions could build stay as they were, and can be read by them."""

LARGEST = 2**31
"""Largest number of weights; a header that asks for more is damaged."""


class NetworkFileError(ValueError):
    """The file is damaged, or not a network of this project."""


def write_network(network: SiameseNetwork, path: Path) -> None:
    """Write a network's weights and configuration; equal networks give equal bytes.

    Parameters
    ----------
    network : SiameseNetwork
        The network.
    path : Path
        The file, written atomically.

    See Also
    --------
    read_network : Reads the file.
    """
    from safetensors.torch import save_file

    built = {
        "config": _written(network.config),
        "channels": network.channels,
        "grid": as_recorded(network.grid),
    }
    if network.trunk is not None:
        built["trunk"] = network.trunk.spec.model_dump(mode="json")
    # one entry: safetensors writes several in a random order
    header = {HEADER: json.dumps(built, sort_keys=True)}
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    with replacing(path) as partial:
        save_file(weights, partial, metadata=header)


def read_network_header(path: str | Path) -> dict[str, Any]:
    """Read a network file's header: ``config`` (a dict), ``channels``, ``grid``, maybe ``trunk``.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    NetworkFileError
        If the file is not a network's.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: expected the file of a trained network; train it first")
    try:
        check_header(path)
        with safe_open(path, framework="pt") as opened:
            header, tensors = opened.metadata() or {}, len(opened.keys())
    except (HeaderError, SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    if HEADER not in header:
        raise NetworkFileError(
            f"{path} does not say how its network was built (no `{HEADER}` in its header): it was "
            "not saved by this version; train again, or save the network with write_network"
        )
    try:
        built = json.loads(header[HEADER])
        config = dict(**built["config"])
        built["config"] = {k: v for k, v in config.items() if (k, v) not in RETIRED.items()}
        asked = NetworkConfig(**built["config"])
        if "trunk" in built:
            TrunkSpec(**built["trunk"])
        channels, grid = built["channels"], as_size(built["grid"])
    except (ValueError, TypeError, KeyError, RecursionError, ValidationError) as error:
        raise _damaged(path, error) from error
    whole = type(channels) is int and channels > 0
    if not whole or channels * math.prod(grid) > LARGEST:
        raise _damaged(path, f"{channels!r} channels on a grid of {times(grid)}")
    layers = max(len(asked.channels), asked.transformer_layers)
    if layers > tensors:  # even without weights, a layer takes a millisecond
        raise _damaged(path, f"{layers:,} layers, of which there are {tensors} tensors")
    return built


def read_network(path: str | Path) -> SiameseNetwork:
    """Build a network from its file.

    Raises
    ------
    FileNotFoundError, NetworkFileError
        As `read_network_header`; or if the weights don't fit, or are not finite.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from wherewhen.model.siamese import build_network

    header = read_network_header(path)
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    config = NetworkConfig(**header["config"])
    try:
        # on the meta device, without memory: a damaged header may ask for too much
        with torch.device("meta"):
            built = build_network(config, header["channels"], header["grid"])
            built.trunk = _trunk(header)
    except (ValueError, TypeError, RuntimeError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from error
    expected, found = _forms(built.state_dict()), _forms(weights)
    if wrong := sorted({*expected.items()} ^ {*found.items()}):
        name = wrong[0][0]
        raise _damaged(path, f"{name} is {found.get(name)}, not {expected.get(name)}")
    for name, value in weights.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise _damaged(path, f"{name} holds values that are no numbers")
    built.trunk = None
    network = built.to_empty(device="cpu")
    network.trunk = _trunk(header)  # with what it computes with beside its weights
    network.load_state_dict(weights)
    return network


def _trunk(header: Mapping[str, Any]) -> Trunk | None:
    """Build the trunk that a header names, with weights that are then loaded."""
    from wherewhen.features.backbones import trunk_like

    return trunk_like(TrunkSpec(**header["trunk"])) if "trunk" in header else None


def _written(config: NetworkConfig) -> dict[str, Any]:
    """Return the fields that a header holds."""
    defaults = {name: field.default for name, field in type(config).model_fields.items()}
    return {
        name: value
        for name, value in config.model_dump(mode="json").items()
        if name not in LATER or value != defaults[name]
    }


def _forms(weights: Mapping[str, Tensor]) -> dict[str, str]:
    """Describe weights by dtype and shape."""
    return {
        name: f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
        for name, value in weights.items()
    }


def _damaged(path: str | Path, why: object) -> NetworkFileError:
    return NetworkFileError(
        f"{path} can't be read as a network ({why}): it is damaged, or no file of this project; "
        "make it again, or copy it again from where it came"
    )
