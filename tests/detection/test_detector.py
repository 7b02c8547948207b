import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import get_model

from wherewhen.detection import Detector
from wherewhen.features.backbones import torchvision_networks
from wherewhen.features.checkpoint_files import WeightsError
from wherewhen.tracklets.fingerprint import file_sha256

NAME = "ssdlite320_mobilenet_v3_large"
"""The smallest one."""


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return get_model(NAME, weights=None, weights_backbone=None).eval()


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "ssdlite.pth"
    torch.save({"model": network.state_dict()}, path)
    return path


def test_people_are_those_that_the_network_finds(network, weights):
    detect = Detector(NAME, weights, "cpu")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    with torch.inference_mode():
        [found] = network([torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255])
    people = found["labels"] == 1  # COCO's person
    boxes = detect(picture)
    assert boxes.shape == (int(people.sum()), 5)
    assert boxes[:, :4] == pytest.approx(found["boxes"][people].numpy())
    assert boxes[:, 4] == pytest.approx(found["scores"][people].numpy())
    assert detect.identity["weights"] == file_sha256(weights)


def test_without_weights_the_ways_out_are_named(weights, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # nothing is asked for
    with pytest.raises(WeightsError) as caught:
        Detector(NAME)
    cause, *ways = str(caught.value).splitlines()
    assert cause.startswith(f"weights of {NAME} can't be downloaded from https://")
    assert [way.split(":")[0].strip() for way in ways] == [
        "Ways out",
        "1. --weights FILE",
        "2. --boxes FILE",
    ]
    with pytest.raises(WeightsError, match=r"(?s)does not fit fasterrcnn.*--boxes FILE"):
        Detector(weights=weights)
    with pytest.raises(ValueError, match="no detector 'yolo': expected one of fasterrcnn_mobile"):
        Detector("yolo")


def test_all_detectors_know_persons():
    from wherewhen.detection.detector import DETECTORS, PERSON

    for name in DETECTORS:
        about, _ = torchvision_networks.published(name)
        assert about.meta["categories"].index(PERSON) == 1
