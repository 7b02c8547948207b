"""The model of a trial: what its folder says, and that it can be used as it lies there."""

import numpy as np
import pandas as pd
import pytest
from shipped import write_shipped

from wherewhen.features.backbones import build_backbone
from wherewhen.features.domain import CubeStatistics, mean_activations
from wherewhen.features.weights import WeightsSource
from wherewhen.metric_learning import fit_metrics
from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.pipelines.assemble.nodes import assemble, describe_filmed, describe_rendered
from wherewhen.pipelines.extract.parameters import ExtractParameters
from wherewhen.pretrained import check_folder, load_card, network_file
from wherewhen.pretrained.writing import write_model
from wherewhen.recogniser import Recogniser
from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.tracklets.cubes import ArrayCubes

WEIGHTS = {"source": "random", "seed": 3}
EXTRACT = ExtractParameters(backbone="timm:test_resnet", weights=WEIGHTS, size=(96, 64))


def table():
    """Eight persons in two cameras: six of them train."""
    rows = [(f"{c}/p{n}", f"p{n}", c, "train" if n < 6 else role) for n in range(8)
            for c, role in (("a", "probe"), ("b", "gallery"))]  # fmt: skip
    split = pd.DataFrame(rows, columns=["tracklet", "person", "camera", "role"])
    return split.assign(trial="trial_00")


@pytest.fixture(scope="module")
def backbone():
    return build_backbone(EXTRACT.backbone, WeightsSource(**WEIGHTS), size=EXTRACT.size)


@pytest.fixture(scope="module")
def parts(backbone):
    """What earlier stages made of noise."""
    generator, split = np.random.default_rng(0), table()
    shape = (3, *backbone.grid, backbone.channels)
    cubes = ArrayCubes({name: generator.random(shape, np.float32) for name in split.tracklet})
    network = build_network(
        NetworkConfig(channels=[4], projection=3), shape[-1], backbone.grid
    ).eval()
    network.calibrate(np.concatenate([cubes.read(cubes.whole(name)) for name in split.tracklet]))
    vectors = generator.normal(size=(len(split), network.embedding_size))
    embeddings = split.assign(vector=list(vectors))
    persons, cameras = (pd.factorize(split[name])[0] for name in ("person", "camera"))
    metrics = fit_metrics(vectors, persons, cameras, {"kissme": {}}, dimension=3)
    identity = {"key": "k", "dataset": "d", "batch_size": 4, "backbone": backbone.record}
    row = {"trial": "trial_00", "features": "network", "metric": "cosine"}
    scores = [
        pd.DataFrame([{**row, "measure": name, "value": value}])
        for name, value in (("rank-1", 0.25), ("rank-2", 0.5))
    ]
    return network, metrics, embeddings, cubes, identity, split, scores


@pytest.fixture
def folder(parts, tmp_path):
    *known, scores = parts
    learned_from = describe_filmed(*about())
    model = assemble(learned_from, *known, EXTRACT, 16, "two_camera", "kissme", *scores)
    write_model(model, tmp_path / "model")
    return tmp_path / "model"


def about(**report):
    split = table()
    return split, {"fingerprint": "f" * 16, **report}, split, "site"


def test_card_and_files_agree(folder):
    card = check_folder(folder)
    assert (card.data.persons, card.data.training_persons, card.data.test_persons) == (8, 6, 2)
    assert card.data.rendered is card.making is card.sample is None
    assert (card.metric, card.frames, card.metrics) == ("kissme", 16, ("kissme",))
    assert [each.metric for each in card.calibrations] == ["cosine", "kissme"]
    [score] = card.scores  # rank-2 is none of the card's
    assert (score.measure, score.value, score.trials) == ("rank-1", 0.25, 1)
    assert "8 filmed persons of the data set `site`" in (folder / "card.md").read_text()


def test_no_person_is_named(folder):
    for path in folder.iterdir():
        assert b"a/p" not in path.read_bytes()


def test_its_backbone_is_in_it_and_makes_the_same_cubes(folder, backbone):
    """Without a package or a download, and by the same numbers."""
    recogniser = Recogniser.from_pretrained(folder, device="cpu")
    frames = np.random.default_rng(1).integers(0, 256, (2, 40, 20, 3), dtype=np.uint8)
    assert np.array_equal(recogniser.backbone(frames), backbone(frames))
    assert recogniser.backbone.grid == (3, 2)
    assert recogniser.metric == "kissme"
    assert recogniser.compare(frames, frames).distance == pytest.approx(0, abs=1e-4)


def test_a_damaged_backbone_is_named(folder):
    (folder / "backbone.safetensors").write_bytes(b"x")
    recogniser = Recogniser.from_pretrained(folder, device="cpu")
    with pytest.raises(ValueError, match=r"backbone\.safetensors is not the file"):
        recogniser.ready_for_frames()


def test_distances_are_those_of_the_evaluation(folder, parts):
    """Two test persons of probes and gallery: of four distances two are of one person."""
    _, metrics, embeddings, *_ = parts
    tested = embeddings[embeddings.role != "train"]
    probes, gallery = (
        np.stack(tested[tested.role == role].vector.to_list()) for role in ("probe", "gallery")
    )
    recogniser = Recogniser.from_pretrained(folder, device="cpu")
    learned = metrics["kissme"]
    expected = np.linalg.norm(
        learned.transform(probes)[:, None] - learned.transform(gallery)[None], axis=-1
    )
    assert recogniser.distances(probes, gallery) == pytest.approx(expected)
    assert (recogniser.calibration.genuine, recogniser.calibration.impostor) == (2, 2)


def test_statistics_are_of_those_who_trained(folder, parts):
    _, _, _, cubes, _, split, _ = parts
    training = split[split.role == "train"].tracklet.to_list()
    expected = CubeStatistics.of(mean_activations(cubes, training, progress=False))
    found = Recogniser.from_pretrained(folder, device="cpu").statistics
    assert np.array_equal(found.mean, expected.mean)
    assert found.tracklets == 12


class TestWhatItLearnedFrom:
    def test_rendered_people_follow_from_the_seed(self):
        told = describe_rendered(*about(), SyntheticConfig(seed=7))
        assert told["rendered"]["seed"] == 7
        assert "workers" not in told["rendered"]

    def test_whom_the_network_that_it_started_from_had_met(self, tmp_path):
        card = write_shipped(tmp_path / "earlier")
        told = describe_filmed(*about(), network_file(tmp_path / "earlier"))
        assert told["started_from"] == card.files["network.safetensors"]
        assert told["met_before"] == (load_card(tmp_path / "earlier").data.fingerprint,)
