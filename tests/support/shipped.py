"""A small pretrained network of random weights, with files and a card, as the package has them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from wherewhen.features.domain import CubeStatistics, write_statistics
from wherewhen.metric_learning import fit_metrics
from wherewhen.metric_learning.files import write_metrics
from wherewhen.model.config import NetworkConfig
from wherewhen.model.files import read_network_header, write_network
from wherewhen.model.siamese import build_network
from wherewhen.pretrained.card import METRICS, NETWORK, STATISTICS, Card
from wherewhen.pretrained.writing import write_card
from wherewhen.tracklets.fingerprint import file_sha256

FINGERPRINT = "0123456789abcdef"
CONFIG = NetworkConfig(channels=[4], projection=3)
BACKBONE = {
    "name": "timm:tf_efficientnet_lite0",
    "weights": {"source": "package", "sha256": "a" * 64},
    "preprocessing": {"size": 224},
    "precision": "float32",
    "device": "cpu",
    "channels": 5,
    "grid": 2,
}
IDENTITY = {"backbone": BACKBONE, "dataset": "another set's"}
"""What cubes that fit depend on, of people that the network has not met."""


def write_shipped(folder: Path, **changes: Any) -> Card:
    """Write a folder; `changes` are fields of the card."""
    folder.mkdir()
    network = build_network(CONFIG, channels=5, grid=2)
    network.calibrate(torch.rand(20, 2, 2, 5) + 3.0)
    write_network(network, folder / NETWORK)
    persons = np.arange(20) // 4
    vectors = np.random.default_rng(0).normal(size=(20, 6)) + persons[:, None]
    metrics = fit_metrics(vectors, persons, np.arange(20) % 2, {"kissme": {}}, dimension=3)
    write_metrics(metrics, folder / METRICS, precision="float32")
    statistics = CubeStatistics.of(np.random.default_rng(0).normal(size=(20, 5)))
    write_statistics(statistics, folder / STATISTICS)
    fields = {
        "data": {
            "environment": "population",
            "dataset": "population",
            "fingerprint": FINGERPRINT,
            "persons": 12,
            "training_persons": 8,
            "test_persons": 4,
            "renderer": 2,
            "rendered": {"seed": 2, "world": "varied"},
        },
        "making": {
            "trial": "trial_00",
            "command": "uv run kedro run --env population",
            "commit": "c" * 40,
            "dirty": False,
            "versions": {"python": "3.12.3"},
            "parameters": {},
            "artifacts": [],
        },
        "cubes": {"key": "k" * 16, "backbone": BACKBONE},
        "network": read_network_header(folder / NETWORK),
        "metrics": ["kissme"],
        "files": {name: file_sha256(folder / name) for name in (METRICS, NETWORK, STATISTICS)},
        "protocol": "two_camera",
        "scores": [
            {"features": "network", "metric": "cosine", "measure": "rank-1", "value": 0.5}
            | {"mean": 0.456, "deviation": 0.0321, "trials": 5}
        ],
        "frames": 128,
        "metric": "kissme",
        "calibrations": [
            {"metric": metric, "genuine": 40, "impostor": 1000, "slope": 5.0, "intercept": -2.0}
            | {"thresholds": [dict(false_match_rate=0.01, distance=0.3, true_match_rate=0.6)]}
            for metric in ("cosine", "kissme")
        ],
        "sample": {"windows": [], "scores": {}},
        "limits": ["Rendered people alone."],
        "licence": "Apache-2.0.",
    }
    card = Card.model_validate(fields | changes)
    write_card(card, folder)
    return card
