"""The network that ships with this package, and its card, which says what it learned from.

The folder ``files`` has ``network.safetensors``, ``metrics.safetensors`` (learned on its
embeddings, in float32), ``statistics.safetensors`` (of the cubes that it learned from),
``card.json`` and ``card.md``. `kedro publish` makes it from a finished run; a version without it
says so.

Examples
--------
>>> from wherewhen import pretrained
>>> card = pretrained.load_card()
>>> card.data.environment, card.cubes["backbone"]["name"]
('population', 'timm:tf_efficientnet_lite0')
>>> network = pretrained.load_network()

See Also
--------
wherewhen.pretrained.card.Card : What a card says, and what it is compared with.
wherewhen.recogniser.Recogniser : Such a folder in use, from frames to answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherewhen.model.config import NetworkConfig
from wherewhen.pretrained.card import (
    BACKBONE,
    CARD,
    METRICS,
    NETWORK,
    PAGE,
    STATISTICS,
    Card,
    PretrainedError,
    page,
    read_card,
)
from wherewhen.pretrained.registered import download, is_address
from wherewhen.tracklets.fingerprint import file_sha256
from wherewhen.tracklets.sizes import as_recorded, as_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sklearn.pipeline import Pipeline

    from wherewhen.features.backbones import Backbone
    from wherewhen.features.domain import CubeStatistics
    from wherewhen.features.weights import WeightsSource
    from wherewhen.model.siamese import SiameseNetwork

__all__ = [
    "FOLDER",
    "SHIPPED",
    "Card",
    "PretrainedError",
    "check_folder",
    "folder_of",
    "load_backbone",
    "load_card",
    "load_metrics",
    "load_network",
    "load_statistics",
    "metrics_file",
    "network_file",
]

FOLDER = Path(__file__).resolve().parent / "files"
"""Where the network lies in the package."""

SHIPPED = "wherewhen"
"""Stands for that folder where the folder of a model is named."""


def folder_of(model: str | Path) -> Path:
    """Return the folder of a model.

    Parameters
    ----------
    model : str or Path
        The folder; `SHIPPED`: that of the package; or an address in MLflow
        (`wherewhen.pretrained.registered.download`).

    Raises
    ------
    PretrainedError
        If MLflow has no such model.
    """
    if model == SHIPPED:
        return FOLDER
    return download(model) if is_address(model) else Path(model).expanduser()


def load_card(folder: Path | None = None) -> Card:
    """Read the card.

    Parameters
    ----------
    folder : Path, optional
        A folder that `kedro publish` made; None: the package's.

    Raises
    ------
    PretrainedError
        If this version ships no network, the folder is no model's, or the card is damaged.
    """
    folder = folder or FOLDER
    if (folder / CARD).is_file():
        return read_card(folder / CARD)
    if folder == FOLDER:
        raise PretrainedError(
            f"this version of wherewhen ships no network ({folder / CARD} is not there): install "
            "one that does, train a network, or name a network's file"
        )
    raise PretrainedError(
        f"{folder} is no folder of a model ({CARD} is not there): expected one that a run or kedro "
        f"publish has made, {SHIPPED}, or an address in MLflow (models:/NAME@champion)"
    )


def network_file(folder: Path | None = None) -> Path:
    """Return the path of the network's file, which is the one that the card describes.

    Raises
    ------
    PretrainedError
        As `load_card`; or if the file is not there, or another one.
    """
    return _described(folder or FOLDER, NETWORK)


def metrics_file(folder: Path | None = None) -> Path:
    """Return the path of the metrics' file; see `network_file`."""
    return _described(folder or FOLDER, METRICS)


def load_network(folder: Path | None = None) -> SiameseNetwork:
    """Read the network, for embedding; see `network_file`."""
    from wherewhen.model.files import read_network

    return read_network(network_file(folder)).eval()


def load_backbone(
    folder: Path | None = None, device: str = "cpu", weights: WeightsSource | None = None
) -> Backbone:
    """Build the backbone whose cubes the network takes, without what is a part of the network.

    Parameters
    ----------
    folder : Path, optional
        As for `load_card`.
    device : str
        Where it computes.
    weights : WeightsSource, optional
        Where its weights are; None: in the folder, or in an installed package.

    Raises
    ------
    PretrainedError
        As `load_card`; or if neither has them, or the backbone makes other cubes here.
    wherewhen.features.checkpoint_files.WeightsError
        If the package is not installed.
    """
    from wherewhen.features.backbones import build_backbone
    from wherewhen.features.backbones.parts import ALL, FROZEN
    from wherewhen.features.weights import PACKAGES, WeightsSource

    card = load_card(folder)
    record = card.cubes["backbone"]
    trained = record.get("trained", FROZEN)
    if trained == ALL:  # cubes are pixels
        weights = WeightsSource(source="random", seed=0)
    packages = [module for module, each in PACKAGES.items() if each.backbone == record["name"]]
    if weights is None and BACKBONE in card.files:
        weights = _own_weights(folder or FOLDER, record["preprocessing"])
    elif weights is None and not packages:
        raise PretrainedError(
            f"no package carries weights of {record['name']}, whose cubes the pretrained network "
            "takes: give the argument weights, which says where they are"
        )
    weights = weights or WeightsSource(source="package", package=packages[0])
    size = as_size(record["preprocessing"]["size"])
    backbone = build_backbone(
        record["name"], weights, device, record["precision"], size=size, trained=trained
    )
    card.require_preparation(backbone.record)
    return backbone


def _own_weights(folder: Path, preprocessing: Mapping[str, Any]) -> WeightsSource:
    """Return the source of weights that lie in the folder, with their preparation of pixels."""
    from wherewhen.features.weights import WeightsInput, WeightsSource

    pixels = WeightsInput(
        mean=preprocessing["mean"],
        deviation=preprocessing["std"],
        channels=preprocessing.get("channels", "RGB"),
    )
    return WeightsSource(source="file", path=str(_described(folder, BACKBONE)), input=pixels)


def load_metrics(folder: Path | None = None) -> dict[str, Pipeline]:
    """Read the metrics that were learned on the network's embeddings; see `network_file`."""
    from wherewhen.metric_learning.files import read_metrics

    return read_metrics(metrics_file(folder))


def load_statistics(folder: Path | None = None) -> CubeStatistics:
    """Read the statistics of the cubes that the network learned from; see `network_file`."""
    from wherewhen.features.domain import read_statistics

    return read_statistics(_described(folder or FOLDER, STATISTICS))


def check_folder(folder: Path | None = None) -> Card:
    """Check that card and files agree: their hashes, the network's form, the card's text.

    Returns
    -------
    Card
        The card.

    Raises
    ------
    PretrainedError
        Naming what differs.
    """
    folder = folder or FOLDER
    card, network, metrics = load_card(folder), load_network(folder), load_metrics(folder)
    statistics = load_statistics(folder)
    backbone, names = card.cubes["backbone"], sorted(path.name for path in folder.iterdir())
    found = {
        "files": (names, sorted([*card.files, CARD, PAGE])),
        "configuration": (network.config, NetworkConfig(**card.network["config"])),
        "metrics": (sorted(metrics), sorted(card.metrics)),
    }
    found["channels of the statistics"] = len(statistics.mean), backbone["channels"]
    built = {"channels": network.channels, "grid": as_recorded(network.grid)}
    for side, here in built.items():
        found[side] = [here, here], [card.network[side], backbone[side]]
    for name, (here, said) in found.items():
        if here != said:
            raise PretrainedError(f"{folder}: {name}: {here!r}, but the card has {said!r}")
    if (folder / PAGE).read_text(encoding="utf-8") != page(card):
        raise PretrainedError(f"{folder / PAGE} is not the text of {CARD}")
    return card


def _described(folder: Path, name: str) -> Path:
    """Return a file of the folder after a comparison with its hash in the card."""
    card, path = load_card(folder), folder / name
    if not path.is_file() or file_sha256(path) != card.files[name]:
        raise PretrainedError(
            f"{path} is not the file that {CARD} beside it describes: install the package again, "
            "or make the folder again with kedro publish"
        )
    return path
