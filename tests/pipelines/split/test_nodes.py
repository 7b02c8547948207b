import pandas as pd
import pytest

from wherewhen.pipelines.parameters import SplitParameters
from wherewhen.pipelines.split.nodes import draw, take_trial


@pytest.fixture
def tracklets():
    return pd.DataFrame(
        [
            (f"cam_{camera}/p{person}", f"p{person}", f"cam_{camera}", 5)
            for camera in "ab"
            for person in range(6)
        ],
        columns=["tracklet", "person", "camera", "length"],
    )


def test_every_trial_is_drawn_and_named(tracklets):
    splits, names = draw(tracklets, SplitParameters(trials=3, seed=1))
    assert splits.trial.unique().tolist() == ["trial_00", "trial_01", "trial_02"]
    assert list(names) == ["splits", "trial_00", "trial_01", "trial_02"]
    assert len(set(names.values())) == 4


def test_the_same_parameters_give_the_same_names(tracklets):
    _, once = draw(tracklets, SplitParameters(trials=2, seed=1))
    _, again = draw(tracklets.iloc[::-1], SplitParameters(trials=2, seed=1))
    _, other = draw(tracklets, SplitParameters(trials=2, seed=2))
    assert once == again
    assert once["splits"] != other["splits"]


def test_a_trial_is_its_rows(tracklets):
    splits, _ = draw(tracklets, SplitParameters(trials=2))
    taken = take_trial(splits, "trial_01")
    assert set(taken.trial) == {"trial_01"}
    assert sorted(taken.tracklet) == sorted(tracklets.tracklet)
    assert taken.index.tolist() == list(range(len(taken)))
