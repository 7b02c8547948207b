import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.tracklets.splits import (
    assert_persons_disjoint,
    draw_splits,
    hold_out,
    split_fingerprint,
)


def tracklets(persons=10, cameras="ab", single=()):
    rows = [
        (f"{camera}/p{person:02d}", f"p{person:02d}", camera, 5)
        for person in range(persons)
        for camera in cameras
        if person not in single or camera == cameras[0]
    ]
    return pd.DataFrame(rows, columns=["tracklet", "person", "camera", "length"])


@settings(deadline=None, max_examples=12)
@given(st.integers(2, 25), st.integers(1, 4), st.integers(0, 2**32 - 1), st.floats(0.2, 0.8))
def test_every_trial_is_a_partition_of_the_persons(persons, trials, seed, fraction):
    table = tracklets(persons)
    if not 0 < round(fraction * persons) < persons:
        return
    splits = draw_splits(table, trials, seed, fraction)
    assert splits["trial"].unique().tolist() == [f"trial_{i:02d}" for i in range(trials)]
    for _, split in splits.groupby("trial"):
        by_role = {role: rows for role, rows in split.groupby("role")}
        assert by_role["train"]["person"].nunique() == round(fraction * persons)
        assert set(by_role["probe"]["person"]) == set(by_role["gallery"]["person"])
        assert set(by_role["probe"]["camera"]) == {"a"}
        assert set(by_role["gallery"]["camera"]) == {"b"}
        assert sorted(split["tracklet"]) == sorted(table["tracklet"])


def test_deterministic_whatever_the_order_of_rows_and_the_number_of_trials():
    table = tracklets()
    splits = draw_splits(table, 3, seed=7)
    shuffled = draw_splits(table.sample(frac=1, random_state=0), 3, seed=7)
    pd.testing.assert_frame_equal(splits, shuffled)
    longer = draw_splits(table, 5, seed=7)
    pd.testing.assert_frame_equal(splits, longer[longer["trial"] < "trial_03"])
    assert split_fingerprint(splits) == split_fingerprint(splits.sample(frac=1, random_state=1))
    assert split_fingerprint(splits) != split_fingerprint(draw_splits(table, 3, seed=8))
    assert len({split_fingerprint(split) for _, split in splits.groupby("trial")}) == 3


def test_who_is_in_one_camera_only_trains():
    splits = draw_splits(tracklets(10, single={0, 3}), 4, seed=0)
    roles = splits[splits["person"].isin(["p00", "p03"])].groupby("trial")["role"].agg(set)
    assert roles.tolist() == [{"train"}] * 4
    assert (splits[splits["role"] == "probe"].groupby("trial").size() == 4).all()


def test_further_cameras_train_but_do_not_test():
    splits = draw_splits(tracklets(6, "abc"), 1, 0, probe_camera="c", gallery_camera="a")
    cameras = splits.groupby("role")["camera"].agg(set).to_dict()
    assert cameras == {"train": {"a", "b", "c"}, "probe": {"c"}, "gallery": {"a"}}


def test_a_given_gallery_camera_leaves_the_first_other_to_the_probes():
    splits = draw_splits(tracklets(6), 1, 0, gallery_camera="a")
    assert set(splits.loc[splits["role"] == "probe", "camera"]) == {"b"}


def test_disjointness_is_asserted_by_name():
    splits = draw_splits(tracklets(), 2, 0)
    assert_persons_disjoint(splits)
    tested = splits.index[(splits["role"] == "probe") & (splits["trial"] == "trial_01")][0]
    splits.loc[tested, "role"] = "train"
    with pytest.raises(ValueError, match=f"trial_01: 1 persons .*{splits.person[tested]}"):
        assert_persons_disjoint(splits)


def test_errors_name_the_parameter():
    with pytest.raises(ValueError, match="trials is 0"):
        draw_splits(tracklets(), 0, 0)
    with pytest.raises(ValueError, match="train_fraction is 1"):
        draw_splits(tracklets(), 1, 0, train_fraction=1)
    with pytest.raises(ValueError, match="probe_camera is 'z': expected one of a, b"):
        draw_splits(tracklets(), 1, 0, probe_camera="z")
    with pytest.raises(ValueError, match="two different cameras"):
        draw_splits(tracklets(cameras="a"), 1, 0)
    with pytest.raises(ValueError, match="1 persons are seen by both a and b"):
        draw_splits(tracklets(3, single={0, 1}), 1, 0)


def test_hold_out():
    persons = [f"p{i}" for i in range(10)]
    training, validation = hold_out(persons, 0.3, seed=1)
    assert len(validation) == 3
    assert sorted(training + validation) == persons
    assert (training, validation) == hold_out([*reversed(persons), "p1"], 0.3, seed=1)
    assert hold_out(persons, 0.0, seed=1) == (persons, [])
    assert len(hold_out(persons, 0.01, seed=1)[1]) == 1
    with pytest.raises(ValueError, match="leaves none to train"):
        hold_out(["p1"], 0.5, seed=1)
    with pytest.raises(ValueError, match="held out is 1"):
        hold_out(persons, 1, seed=1)
