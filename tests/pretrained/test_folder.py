"""The folder of the pretrained network: that of the package, and small ones with faults."""

import re

import pytest
from remade import remade_scores
from shipped import BACKBONE, CONFIG, write_shipped

from wherewhen import pretrained
from wherewhen.pretrained import PretrainedError
from wherewhen.publish import LARGEST


@pytest.fixture
def folder(tmp_path):
    write_shipped(tmp_path / "files")
    return tmp_path / "files"


class TestThatOfThePackage:
    def test_card_and_files_agree(self):
        card = pretrained.check_folder()
        assert sum(path.stat().st_size for path in pretrained.FOLDER.iterdir()) <= LARGEST
        assert not card.making.dirty

    def test_its_backbone_is_that_of_the_card(self):
        card, backbone = pretrained.load_card(), pretrained.load_backbone()
        assert backbone.name == card.cubes["backbone"]["name"]
        for side in ("grid", "channels"):
            assert backbone.record[side] == card.network[side]

    def test_a_part_of_its_scores_is_made_again(self, tmp_path, one_thread):
        card, scores = remade_scores(pretrained.FOLDER, tmp_path)
        assert set(scores) == set(card.sample.scores)
        for metric, expected in card.sample.scores.items():
            assert scores[metric] == pytest.approx(expected, abs=0.02)


def test_a_version_without_a_network_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    said = "this version of wherewhen ships no network .*card.json is not there.*train a network"
    for read in (pretrained.load_card, pretrained.network_file, pretrained.load_metrics):
        with pytest.raises(PretrainedError, match=said):
            read()


def test_a_folder_without_a_card_is_no_models(tmp_path):
    with pytest.raises(PretrainedError, match=r"is no folder of a model .*models:/NAME@champion"):
        pretrained.load_card(tmp_path)


def test_what_it_holds_is_read(folder):
    assert pretrained.check_folder(folder) == pretrained.load_card(folder)
    network = pretrained.load_network(folder)
    assert network.config == CONFIG
    assert not network.training
    assert list(pretrained.load_metrics(folder)) == ["kissme"]
    assert pretrained.network_file(folder) == folder / "network.safetensors"


@pytest.mark.parametrize("name", ["network.safetensors", "metrics.safetensors"])
def test_another_file_than_the_cards_is_refused(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    said = rf"{re.escape(name)} is not the file that card\.json beside it describes"
    with pytest.raises(PretrainedError, match=said):
        pretrained.check_folder(folder)
    (folder / name).unlink()
    with pytest.raises(PretrainedError, match=said):
        pretrained.check_folder(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metrics": ["lfda"]}, "metrics: ['kissme'], but the card has ['lfda']"),
        ({"network": {"config": {"channels": [8]}, "channels": 5, "grid": 2}}, "configuration: "),
        (
            {"network": {"config": CONFIG.model_dump(), "channels": 5, "grid": 7}},
            "grid: [2, 2], but",
        ),
    ],
)
def test_a_card_that_says_something_else_is_refused(tmp_path, change, said):
    write_shipped(tmp_path / "files", **change)
    with pytest.raises(PretrainedError, match=re.escape(said)):
        pretrained.check_folder(tmp_path / "files")


def test_a_text_of_another_card_or_a_further_file_is_refused(folder):
    page = (folder / "card.md").read_text()
    (folder / "card.md").write_text(page.replace("45.6", "95.6"))
    with pytest.raises(PretrainedError, match=r"card\.md is not the text of card\.json"):
        pretrained.check_folder(folder)
    (folder / "card.md").write_text(page)
    (folder / "other.txt").touch()
    with pytest.raises(PretrainedError, match=r"files: .*'other\.txt'"):
        pretrained.check_folder(folder)


def test_a_damaged_card_is_named(folder):
    (folder / "card.json").write_text("{}")
    with pytest.raises(PretrainedError, match=r"card\.json can't be read as the card"):
        pretrained.load_card(folder)


def test_a_backbone_of_other_weights_or_preprocessing_is_refused(folder):
    said = rf"weights {'a' * 64}, not [0-9a-f]{{64}}; preprocessing {{'size': 224}}, not {{"
    with pytest.raises(PretrainedError, match=said):
        pretrained.load_backbone(folder)


def test_a_backbone_whose_weights_no_package_has_is_refused(tmp_path):
    write_shipped(tmp_path / "files", cubes={"key": "k", "backbone": BACKBONE | {"name": "vgg16"}})
    with pytest.raises(PretrainedError, match=r"weights of vgg16.*the argument weights"):
        pretrained.load_backbone(tmp_path / "files")
