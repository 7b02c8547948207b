import re
import sys

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from wherewhen.export import LAYOUT, ExportError, export_backbone, export_both, export_network
from wherewhen.features.backbones import Backbone, Preprocessing
from wherewhen.features.fitting import state_sha256
from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network

CHANNELS, GRID = 6, (5, 3)
CONFIGS = {
    "modern": NetworkConfig(projection=4, channels=[5]),
    "paper": NetworkConfig.from_preset("paper", channels=[4, 5, 5]),
    "temporal attention": NetworkConfig(head="temporal_attention", projection=4),
    "transformer": NetworkConfig(head="transformer", projection=4, location="mean"),
    "without recurrence": NetworkConfig(
        projection=3,
        channels=[4, 5],
        between_layers="max_2x2",
        normalisation="layer",
        residual=True,
        recurrence="none",
        initial_state="zeros",
        temporal_pooling="max",
    ),
}


def network_of(config):
    network = build_network(config, CHANNELS, GRID).eval()
    torch.manual_seed(0)
    network.calibrate(torch.rand(20, *GRID, CHANNELS))
    with torch.no_grad():  # what starts at zero would hide the way of all before it
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return network


def backbone_of(**changes):
    """A small backbone that halves twice, so that a cell sees pixels of several colours."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6(), nn.Conv2d(8, CHANNELS, 3, 2, 1), nn.ReLU()
        )
    preprocess = Preprocessing(
        size=(20, 12), mean=(0.1, 0.4, 0.6), std=(0.2, 0.3, 0.4), channels="BGR"
    )
    record = {"weights": {"source": "random", "sha256": state_sha256(module)}}
    return Backbone("toy", module, preprocess, record, **changes)


def axes(values):
    return {value.name: value.shape for value in values}


SLOW = ("transformer",)
"""Of those, what is exported in a minute."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in CONFIGS
    ],
)
def written(request, tmp_path_factory):
    """A network, and its file."""
    network = network_of(CONFIGS[request.param])
    path = tmp_path_factory.mktemp("network") / "folder" / "network.onnx"
    export_network(network.train(), path, {"made for": "a test"})
    assert network.training  # it is left as it was
    return network.eval(), path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("backbone") / "backbone.onnx"
    export_backbone(backbone_of(), path)
    return path


class TestNetwork:
    def test_it_encodes_clips_of_any_length(self, written, opened, masks):
        network, path = written
        session = opened(path)
        for mask in masks:
            cubes = torch.rand(*mask.shape, *GRID, CHANNELS)
            cubes[~mask] = torch.nan  # nothing of what is in padding counts
            with torch.no_grad():
                expected = network.encode(cubes, mask)
            found = session.run(None, {"cubes": cubes.numpy(), "mask": mask.numpy()})
            for name, values, those in zip(expected._fields, found, expected, strict=True):
                assert values == pytest.approx(those.numpy(), abs=1e-4), (name, mask.shape)

    def test_its_file_says_what_it_is(self, written, opened, repository):
        network, path = written
        session = opened(path)
        assert axes(session.get_inputs()) == {
            "cubes": ["clips", "frames", *GRID, CHANNELS],
            "mask": ["clips", "frames"],
        }
        assert axes(session.get_outputs()) == {
            "embedding": ["clips", network.embedding_size],
            "attention": ["clips", "frames", *GRID],
            "frame_weights": ["clips", "frames"],
        }
        facts = session.get_modelmeta().custom_metadata_map
        assert "true for valid frames" in facts.pop("input")
        assert facts == {
            "layout": str(LAYOUT),
            "part": "network",
            "network_sha256": state_sha256(network),
            "grid": "[5, 3]",
            "channels": str(CHANNELS),
            "embedding_size": str(network.embedding_size),
            "made for": "a test",
        }
        onnx.checker.check_model(path, full_check=True)
        assert str(repository).encode() not in path.read_bytes()
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_a_clip_without_a_valid_frame_has_no_embedding(self, written, opened):
        _, path = written
        cubes = np.ones((2, 3, *GRID, CHANNELS), np.float32)
        mask = np.array([[True, True, True], [False, False, False]])
        embedding = opened(path).run(["embedding"], {"cubes": cubes, "mask": mask})[0]
        assert np.isfinite(embedding[0]).all()
        assert np.isnan(embedding[1]).all()


class TestBackbone:
    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_it_makes_the_cubes_of_any_number_of_images(self, path, opened, count):
        images = np.random.default_rng(0).integers(0, 256, (count, 20, 12, 3), dtype=np.uint8)
        expected = backbone_of()(images).numpy()
        assert expected.std() > 0.01
        (cubes,) = opened(path).run(None, {"images": images.transpose(0, 3, 1, 2)})
        assert np.linalg.norm(cubes - expected) < 1e-4 * np.linalg.norm(expected)

    def test_its_file_says_what_it_takes(self, path, opened):
        session = opened(path)
        assert axes(session.get_inputs()) == {"images": ["images", 3, 20, 12]}
        assert session.get_inputs()[0].type == "tensor(uint8)"
        assert axes(session.get_outputs()) == {"cubes": ["images", *GRID, CHANNELS]}
        facts = session.get_modelmeta().custom_metadata_map
        assert "red first, 0..255, resized to 20 x 12" in facts.pop("input")
        assert facts == {
            "layout": str(LAYOUT),
            "part": "backbone",
            "backbone": "toy",
            "backbone_sha256": state_sha256(backbone_of().module),
            "size": "[20, 12]",
            "interpolation": "bilinear",
            "channel_order": "RGB",  # also where the network itself takes BGR
            "range": "0..255",
            "grid": "[5, 3]",
            "channels": str(CHANNELS),
        }

    def test_one_in_bfloat16_is_refused(self, tmp_path):
        said = r"toy computes in bfloat16: only a backbone in float32 .*extract\.precision"
        with pytest.raises(ExportError, match=said):
            export_backbone(backbone_of(precision="bfloat16"), tmp_path / "backbone.onnx")
        assert list(tmp_path.iterdir()) == []


def test_a_network_for_other_cubes_is_refused(tmp_path):
    network = build_network(NetworkConfig(projection=3, channels=[4]), channels=8, grid=2)
    said = "the network takes cubes of 2 x 2 x 8, and toy makes 5 x 3 x 6"
    with pytest.raises(ExportError, match=said):
        export_both(backbone_of(), network, tmp_path / "both.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_missing_package_is_named(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    said = re.escape(f"package {package}, which is not installed") + r".*wherewhen\[onnx\]"
    with pytest.raises(ExportError, match=said):
        export_backbone(backbone_of(), tmp_path / "backbone.onnx")
    assert list(tmp_path.iterdir()) == []
