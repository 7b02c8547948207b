"""A small model of random weights, whole: with its backbone, as a run of footage leaves it."""

from pathlib import Path

import numpy as np

from wherewhen.features.backbones import backbone_weights, build_backbone
from wherewhen.features.domain import CubeStatistics
from wherewhen.features.weights import WeightsSource
from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.pretrained.writing import Model, write_model

BACKBONE = "timm:test_resnet"
WEIGHTS = WeightsSource(source="random", seed=0)
RATES = (0.1, 0.01)


def write_small(folder: Path, rates: tuple[float, ...] = RATES, value: float = 0.5) -> None:
    """Write a folder whose card has thresholds at these rates, and this mAP."""
    backbone = build_backbone(BACKBONE, WEIGHTS)
    network = build_network(
        NetworkConfig(channels=[4], projection=3), backbone.channels, backbone.grid
    ).eval()
    generator = np.random.default_rng(0)
    shape = (20, *backbone.grid, backbone.channels)
    network.calibrate(generator.random(shape, dtype=np.float32))
    thresholds = [
        {"false_match_rate": rate, "distance": rate, "true_match_rate": 0.5} for rate in rates
    ]
    calibration = {
        "metric": "cosine", "genuine": 40, "impostor": 1000, "slope": 5.0, "intercept": -2.0,
        "thresholds": thresholds,
    }  # fmt: skip
    score = {
        "features": "network", "metric": "cosine", "measure": "mAP", "value": value, "mean": value,
        "deviation": None, "trials": 1,
    }  # fmt: skip
    about = {
        "data": {
            "dataset": "small", "fingerprint": "f" * 16, "persons": 4, "training_persons": 2,
            "test_persons": 2,
        },
        "cubes": {"key": "k", "dataset": "d", "batch_size": 4, "backbone": backbone.record},
        "protocol": "two_camera",
        "frames": 16,
        "metric": "cosine",
        "calibrations": [calibration],
        "scores": [score],
        "limits": ["none"],
        "licence": "none",
    }  # fmt: skip
    statistics = CubeStatistics.of(generator.random((20, backbone.channels)))
    weights = backbone_weights(BACKBONE, WEIGHTS)
    write_model(Model(network, {}, statistics, about, weights), folder)
