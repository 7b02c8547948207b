import onnx
import pytest

from wherewhen import pretrained
from wherewhen.export import ExportError
from wherewhen.model.config import NetworkConfig
from wherewhen.model.files import write_network
from wherewhen.model.siamese import build_network
from wherewhen.onnx_files import export_part
from wherewhen.tracklets.fingerprint import file_sha256

RESNET = {
    "backbone": "timm:test_resnet",
    "weights": {"source": "random", "seed": 0, "package": None},
}


@pytest.fixture
def file(tmp_path):
    network = build_network(NetworkConfig(projection=3, channels=[4]), channels=5, grid=2)
    write_network(network, tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def facts_of(path):
    return {each.key: each.value for each in onnx.load(path).metadata_props}


def test_a_network_of_a_file_is_written_with_the_file_s_hash(file, tmp_path):
    path = export_part(str(file), "network", tmp_path / "out", None, {})
    assert path == tmp_path / "out" / "network.onnx"
    facts = facts_of(path)
    assert facts["network_file_sha256"] == file_sha256(file)
    assert "backbone" not in facts  # the file does not say which it has


def test_the_backbone_of_a_file_s_network_is_that_of_the_parameters(file, tmp_path):
    path = export_part(str(file), "backbone", tmp_path, None, {"extract": RESNET})
    facts = facts_of(path)
    assert (facts["part"], facts["backbone"]) == ("backbone", "timm:test_resnet")


def test_a_network_of_another_backbone_is_refused(file, tmp_path):
    with pytest.raises(ExportError, match="takes cubes of 2 x 2 x 5, and timm:test_resnet makes"):
        export_part(str(file), "both", tmp_path / "out", None, {"extract": RESNET})
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors"):
        export_part("nowhere.safetensors", "network", tmp_path, None, {})


def test_the_pretrained_network_s_file_names_its_backbone(tmp_path):
    facts = facts_of(export_part("pretrained", "network", tmp_path, None, {}))
    card = pretrained.load_card()
    assert facts["network_file_sha256"] == card.files["network.safetensors"]
    assert facts["backbone"] == card.cubes["backbone"]["name"]
    assert facts["backbone_sha256"] == card.cubes["backbone"]["weights"]["sha256"]
