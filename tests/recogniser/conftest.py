import numpy as np
import pytest
from shipped import CONFIG, write_shipped

from wherewhen.features.backbones import build_backbone
from wherewhen.features.domain import CubeStatistics
from wherewhen.features.weights import WeightsSource
from wherewhen.metric_learning import fit_metrics
from wherewhen.model.siamese import build_network
from wherewhen.recogniser import Recogniser


@pytest.fixture(scope="session")
def backbone():
    return build_backbone("timm:tf_efficientnet_lite0", WeightsSource(source="random", seed=0))


@pytest.fixture(scope="session")
def build(backbone, tmp_path_factory):
    """Build a recogniser of random weights, by any of the card's distances."""
    card = write_shipped(tmp_path_factory.mktemp("model") / "files")
    cubes = {**card.cubes, "batch_size": 4}
    network = build_network(CONFIG, channels=1280, grid=7).eval()
    generator = np.random.default_rng(0)
    network.calibrate(generator.random((20, 7, 7, 1280), dtype=np.float32))
    persons = np.arange(40) // 4
    vectors = generator.normal(size=(40, network.embedding_size)) + persons[:, None]
    metrics = fit_metrics(vectors, persons, np.arange(40) % 2, {"kissme": {}}, dimension=3)
    statistics = CubeStatistics.of(generator.random((20, 1280)))

    def build(metric=None):
        return Recogniser(
            card.model_copy(update={"cubes": cubes}),
            backbone,
            network,
            metrics,
            statistics,
            metric,
        )

    return build


@pytest.fixture(scope="session")
def clips():
    """Three tracklets of noise around a colour each, of three, two and five frames."""
    generator = np.random.default_rng(1)
    colours = ((200, 30, 30), (30, 200, 30), (30, 30, 200))
    return [
        generator.normal(colour, 30, (frames, 32, 16, 3)).clip(0, 255).astype(np.uint8)
        for frames, colour in zip((3, 2, 5), colours, strict=True)
    ]
