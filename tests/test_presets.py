import pytest

from wherewhen import presets
from wherewhen.model.config import NetworkConfig
from wherewhen.presets import load_preset, overlay, preset_names
from wherewhen.training.config import TrainingConfig


def test_modern_is_the_defaults_and_every_preset_can_be_used():
    assert preset_names() == ["finetuned", "frozen", "modern", "paper"]
    assert NetworkConfig.from_preset("modern") == NetworkConfig()
    assert TrainingConfig.from_preset("modern") == TrainingConfig()
    for name in preset_names():
        train = load_preset(name).get("train", {})
        assert NetworkConfig(**train.get("network", {})) == NetworkConfig.from_preset(name)
        assert TrainingConfig(**train.get("training", {})) == TrainingConfig.from_preset(name)


def test_another_file_is_another_preset(tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "FOLDER", tmp_path)
    (tmp_path / "mine.yml").write_text("train: {network: {channels: [8]}, training: {epochs: 3}}\n")
    assert preset_names() == ["mine"]
    assert NetworkConfig.from_preset("mine", seed=2) == NetworkConfig(channels=[8], seed=2)
    assert TrainingConfig.from_preset("mine").epochs == 3


def test_an_unknown_preset_is_refused_with_those_that_there_are():
    with pytest.raises(
        ValueError, match="unknown preset 'papr': choose from finetuned, frozen, modern, paper"
    ):
        load_preset("papr")


def test_mappings_merge_and_all_else_is_replaced():
    below = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert overlay(below, {"a": {"c": [3]}, "e": {"f": None}}) == {
        "a": {"b": 1, "c": [3]},
        "d": 1,
        "e": {"f": None},
    }
    assert below == {"a": {"b": 1, "c": [1, 2]}, "d": 1}
