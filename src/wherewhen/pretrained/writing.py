"""A model's folder, written: what `wherewhen.recogniser.Recogniser.from_pretrained` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wherewhen.features.domain import CubeStatistics, write_statistics
from wherewhen.metric_learning.files import write_metrics
from wherewhen.model.files import read_network_header, write_network
from wherewhen.pretrained.card import (
    BACKBONE,
    CARD,
    METRICS,
    NETWORK,
    PAGE,
    STATISTICS,
    Card,
    page,
)
from wherewhen.tracklets.fingerprint import file_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sklearn.pipeline import Pipeline
    from torch import Tensor

    from wherewhen.model.siamese import SiameseNetwork


class Model(NamedTuple):
    """All that a model's folder has.

    Attributes
    ----------
    network : wherewhen.model.siamese.SiameseNetwork
        Trained.
    metrics : mapping of str to sklearn.pipeline.Pipeline
        Learned on its embeddings.
    statistics : wherewhen.features.domain.CubeStatistics
        Of the cubes that it learned from.
    about : mapping
        Fields of `Card` but those that follow from the files: ``network``, ``metrics``, ``files``.
    backbone : mapping of str to torch.Tensor, optional
        Its weights; None: an installed package carries them.
    """

    network: SiameseNetwork
    metrics: Mapping[str, Pipeline]
    statistics: CubeStatistics
    about: Mapping[str, Any]
    backbone: Mapping[str, Tensor] | None = None


def write_model(model: Model, folder: Path, precision: str = "float64") -> None:
    """Write a model into a folder, the card last.

    Parameters
    ----------
    model : Model
        The model.
    folder : Path
        Made if it is not there; its files are replaced.
    precision : {"float64", "float32"}
        Of the metrics; ``float32`` takes half the room, and distances differ in the seventh digit.

    See Also
    --------
    wherewhen.pretrained.check_folder : Checks that card and files agree.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_network(model.network, folder / NETWORK)
    write_metrics(model.metrics, folder / METRICS, precision=precision)
    write_statistics(model.statistics, folder / STATISTICS)
    names = [METRICS, NETWORK, STATISTICS]
    if model.backbone is not None:
        from safetensors.torch import save_file

        save_file(dict(model.backbone), folder / BACKBONE)
        names.append(BACKBONE)
    card = Card(
        network=read_network_header(folder / NETWORK),
        metrics=tuple(model.metrics),
        files={name: file_sha256(folder / name) for name in sorted(names)},
        **model.about,
    )
    write_card(card, folder)


def write_card(card: Card, folder: Path) -> None:
    """Write a card as JSON and as a page for people."""
    text = json.dumps(card.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
    (folder / PAGE).write_text(page(card), encoding="utf-8")
    (folder / CARD).write_text(text + "\n", encoding="utf-8")
