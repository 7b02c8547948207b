import numpy as np
import pandas as pd
import pytest

from wherewhen.experiments.judging import Judge, Tables, UnknownMeasure
from wherewhen.experiments.sweep_config import check_search, read_sweep
from wherewhen.tracklets.splits import draw_splits

PERSONS, FRAMES, GRID, CHANNELS = 16, 4, 2, 6
TREE = {
    "split": {"trials": 5, "seed": 3},
    "train": {
        "network": {
            "modern": {
                "channels": [4],
                "input_kernels": [1],
                "hidden_kernels": [1],
                "projection": None,
            }
        },
        "training": {
            "modern": {
                "steps": 2,
                "frames": 3,
                "persons_per_batch": 3,
                "validation_fraction": 0.0,
            }
        },
    },
    "embed": {"clips": 1, "clip_frames": 3},
    "learn_metric": {"metrics": ["kissme"]},
}


class Cubes:
    """Cubes of everybody, that remember who was looked at."""

    key, grid, channels, variants = "of a test", GRID, CHANNELS, 1

    def __init__(self, tracklets):
        rng = np.random.default_rng(0)
        person = {name: rng.normal(size=CHANNELS) for name in tracklets.person.unique()}
        shape = (FRAMES, GRID, GRID, CHANNELS)
        self.cubes = {
            row.tracklet: (person[row.person] + rng.normal(0, 0.3, shape)).astype(np.float16)
            for row in tracklets.itertuples()
        }
        self.lengths = dict.fromkeys(self.cubes, FRAMES)
        self.read_from = set()

    def read(self, tracklet, start=0, stop=None):
        self.read_from.add(tracklet)
        return self.cubes[tracklet][start:stop]


@pytest.fixture
def tables():
    tracklets = pd.DataFrame(
        [
            (f"{camera}/p{person:02d}", f"p{person:02d}", camera, FRAMES)
            for person in range(PERSONS)
            for camera in "ab"
        ],
        columns=["tracklet", "person", "camera", "length"],
    )
    frames = tracklets.loc[tracklets.index.repeat(FRAMES), ["tracklet"]]
    return Tables(tracklets, frames.assign(path="somewhere"), "nowhere")


def judge_of(tables, tmp_path, cubes=None, **fields):
    said = {"search": {"embed.clips": {"low": 1, "high": 2}}, "validation": 0.5, **fields}
    sweep = read_sweep("mine", said)
    common = check_search(sweep, None, TREE, {}).parameters
    cubes = cubes or Cubes(tables.tracklets)
    judge = Judge(sweep, common, tables, lambda *_: cubes, tmp_path)
    return judge, common, cubes


@pytest.mark.parametrize("features", ["network", "row_pooled"])
def test_no_test_persons_tracklet_is_ever_read(tables, tmp_path, features):
    judge, common, cubes = judge_of(tables, tmp_path, trials=2, features=features)
    splits = draw_splits(tables.tracklets, 2, seed=3)
    for trial, split in splits.groupby("trial"):
        cubes.read_from.clear()
        value = judge.judge(common, trial)
        assert 0 <= value <= 1
        training = split[split.role == "train"]
        # of 8 training persons 4 teach and 4 judge: all of them are looked at, and nobody else
        assert cubes.read_from == set(training.tracklet)
        tested = split[split.role != "train"]
        assert len(tested) == 16 and not cubes.read_from & set(tested.tracklet)
    assert judge.persons == [4, 4]


def test_test_persons_could_be_anybody(tables, tmp_path):
    """Their cubes are no numbers, their rows are gone: not a digit changes."""
    judge, common, cubes = judge_of(tables, tmp_path)
    value = judge.judge(common, "trial_00")
    split = draw_splits(tables.tracklets, 1, seed=3)
    for tracklet in split[split.role != "train"].tracklet:
        cubes.cubes[tracklet] = np.full_like(cubes.cubes[tracklet], np.nan)
    again, common, _ = judge_of(tables, tmp_path, cubes)
    assert again.judge(common, "trial_00") == value


def test_the_stages_are_given_nobody_else(tables, tmp_path):
    judge, common, _ = judge_of(tables, tmp_path)
    split = draw_splits(tables.tracklets, 1, seed=3)
    training = set(split[split.role == "train"].tracklet)
    given = judge._inputs(common, "trial_00")
    assert set(given["tracklets"].tracklet) == set(given["frames"].tracklet) == training
    assert set(given["trial_00.split"].tracklet) == training
    with pytest.raises(PermissionError, match="is not among the 16 that may be read"):
        given["cubes"].read(split[split.role == "probe"].tracklet.iloc[0])


def test_the_same_parameters_get_the_same_value_and_leave_nothing(tables, tmp_path):
    judge, common, _ = judge_of(tables, tmp_path)
    assert judge.judge(common, "trial_00") == judge.judge(common, "trial_00")
    assert not any(tmp_path.iterdir())
    assert judge.fingerprint == judge_of(tables, tmp_path)[0].fingerprint
    assert judge.fingerprint != judge_of(tables, tmp_path, sampler={"seed": 1})[0].fingerprint


def test_an_unknown_measure_is_named_with_the_known(tables, tmp_path):
    judge, common, _ = judge_of(tables, tmp_path, features="row_pooled", measure="rank-one")
    with pytest.raises(UnknownMeasure, match=r"has no measure rank-one; it has .*rank-1, "):
        judge.judge(common, "trial_00")
