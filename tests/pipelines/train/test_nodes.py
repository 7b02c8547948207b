from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from wherewhen.model.config import network_config
from wherewhen.model.files import write_network
from wherewhen.model.siamese import build_network
from wherewhen.pipelines.train.nodes import _with_validation, borrow


@pytest.fixture
def split():
    """Ten persons train, five are tested."""
    return pd.DataFrame(
        [
            ("trial_00", f"cam_{camera}/p{person}", f"p{person}", f"cam_{camera}", role)
            for person in range(15)
            for camera, test in (("a", "probe"), ("b", "gallery"))
            for role in [("train" if person < 10 else test)]
        ],
        columns=["trial", "tracklet", "person", "camera", "role"],
    )


def test_persons_who_validate_do_not_train(split):
    learners, held_out = _with_validation(split, fraction=0.2, seed=0)
    assert held_out.person.nunique() == 2
    assert learners.person.nunique() == 8
    assert not set(learners.person) & set(held_out.person)


def test_nobody_who_is_tested_trains_or_validates(split):
    learners, held_out = _with_validation(split, fraction=0.2, seed=0)
    assert set(learners.role) | set(held_out.role) == {"train"}


def test_all_tracklets_of_a_person_are_on_one_side(split):
    learners, held_out = _with_validation(split, fraction=0.3, seed=3)
    assert set(learners.groupby("person").size()) == {2}
    assert set(held_out.groupby("person").size()) == {2}


def test_the_seed_decides_who(split):
    once, again, other = (
        set(_with_validation(split, fraction=0.3, seed=seed)[1].person) for seed in (1, 1, 2)
    )
    assert once == again
    assert once != other


def test_at_least_two_persons_validate(split):
    """One alone makes no negative pair."""
    _, held_out = _with_validation(split, fraction=0.01, seed=0)
    assert held_out.person.nunique() == 2


def test_nobody_validates_when_the_fraction_is_zero(split):
    learners, held_out = _with_validation(split, fraction=0.0, seed=0)
    assert len(learners) == 20
    assert held_out.empty


def test_a_trials_network_is_borrowed_if_it_fits(tmp_path):
    network = build_network(network_config(channels=[4], projection=3), channels=5, grid=2)
    path = tmp_path / "trial_00.safetensors"
    write_network(network.train(), path)
    borrowed = borrow(SimpleNamespace(channels=5, grid=2), path)
    assert borrowed.config == network.config
    assert not borrowed.training
    with pytest.raises(ValueError, match="5 channels on a 2 x 2 grid; these have 6 on 2 x 2"):
        borrow(SimpleNamespace(channels=6, grid=2), path)


def test_a_network_is_borrowed_from_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    network = build_network(network_config(channels=[4], projection=3), channels=5, grid=2)
    write_network(network, tmp_path / "lent.safetensors")
    assert borrow(SimpleNamespace(channels=5, grid=2), Path("~/lent.safetensors")).grid == 2
    with pytest.raises(FileNotFoundError, match="expected the file of a trained network"):
        borrow(SimpleNamespace(channels=5, grid=2), Path("~/nobodys.safetensors"))
