"""A recogniser of random weights by a real backbone, and tracklets that it tells apart."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from shipped import CONFIG, write_shipped

from wherewhen.features.backbones import Backbone, build_backbone
from wherewhen.features.domain import CubeStatistics
from wherewhen.features.weights import WeightsSource
from wherewhen.metric_learning import fit_metrics
from wherewhen.model.siamese import build_network
from wherewhen.recogniser import Recogniser


def random_backbone() -> Backbone:
    """Build the shipped model's backbone with weights of a seed."""
    return build_backbone("timm:tf_efficientnet_lite0", WeightsSource(source="random", seed=0))


def random_parts(backbone: Backbone, folder: Path) -> dict[str, Any]:
    """Make what a `Recogniser` is built of; the folder gets the files of its card."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # another process makes the same
        card = write_shipped(folder)
        network = build_network(CONFIG, channels=1280, grid=7).eval()
    generator = np.random.default_rng(0)
    network.calibrate(generator.random((20, 7, 7, 1280), dtype=np.float32))
    persons = np.arange(40) // 4
    vectors = generator.normal(size=(40, network.embedding_size)) + persons[:, None]
    return {
        "card": card.model_copy(update={"cubes": {**card.cubes, "batch_size": 4}}),
        "build_backbone": lambda: backbone,
        "network": network,
        "metrics": fit_metrics(vectors, persons, np.arange(40) % 2, {"kissme": {}}, dimension=3),
        "statistics": CubeStatistics.of(generator.random((20, 1280))),
    }


def coloured_clips() -> list[np.ndarray]:
    """Make three tracklets of noise around a colour each, of three, two and five frames."""
    generator = np.random.default_rng(1)
    colours = ((200, 30, 30), (30, 200, 30), (30, 30, 200))
    return [
        generator.normal(colour, 30, (frames, 32, 16, 3)).clip(0, 255).astype(np.uint8)
        for frames, colour in zip((3, 2, 5), colours, strict=True)
    ]


def random_recogniser(parts: dict[str, Any], metric: str | None = None) -> Recogniser:
    """Build a recogniser of `random_parts`, by any of the card's distances."""
    return Recogniser(**parts, metric=metric)
