import json

import pandas as pd
import pytest
from flat_footage import write_flat
from scipy.io import loadmat

from wherewhen.pipelines.split.nodes import export_torchreid, split, take_trial
from wherewhen.pipelines.split.parameters import SplitParameters
from wherewhen.tracklets.readers import read
from wherewhen.tracklets.readers.ilids_vid import SPLITS


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


def draw(tracklets, root, protocol="single_match", **parameters):
    return split(tracklets, str(root), SplitParameters(**parameters), protocol)


def test_every_trial_is_drawn_and_named(tracklets, tmp_path):
    splits, names = draw(tracklets, tmp_path, trials=3, seed=1)
    assert splits.trial.unique().tolist() == ["trial_00", "trial_01", "trial_02"]
    assert list(names) == ["source", "splits", "trial_00", "trial_01", "trial_02"]
    assert names["source"] == "drawn, seed 1"
    assert len(set(names.values())) == 5


def test_the_same_parameters_give_the_same_names(tracklets, tmp_path):
    _, once = draw(tracklets, tmp_path, trials=2, seed=1)
    _, again = draw(tracklets.iloc[::-1], tmp_path, trials=2, seed=1)
    _, other = draw(tracklets, tmp_path, trials=2, seed=2)
    assert once == again
    assert once["splits"] != other["splits"]


def test_the_owners_list_is_used_where_it_is(tmp_path):
    root = write_flat("ilids_vid", tmp_path, persons=6, length=1)
    tracklets = read("ilids_vid", root, progress=False).tracklets
    for source in ("official", "auto"):
        splits, names = draw(tracklets, root, source=source, trials=10)
        assert names["source"] == "official, train_test_splits_ilidsvid.mat"
    rows = loadmat(root / SPLITS)["ls_set"]
    persons = sorted(set(tracklets["person"]))
    for row, (_, rows_of_trial) in zip(rows, splits.groupby("trial"), strict=True):
        expected = {persons[place - 1] for place in row[:3]}
        for role, camera in (("probe", "cam1"), ("gallery", "cam2")):
            chosen = rows_of_trial[rows_of_trial.role == role]
            assert set(chosen.person) == expected
            assert set(chosen.camera) == {camera}
    with pytest.raises(ValueError, match="11 trials are asked for, but trial_10 is not among the"):
        draw(tracklets, root, source="official", trials=11)


def test_without_the_owners_list_it_is_said_that_splits_are_drawn(tracklets, tmp_path, caplog):
    splits, names = draw(tracklets, tmp_path, source="auto", trials=2, seed=5)
    assert names["source"] == "drawn, seed 5"
    assert "without a split of its owners: splits are drawn from seed 5" in caplog.text
    pd.testing.assert_frame_equal(splits, draw(tracklets, tmp_path, trials=2, seed=5)[0])
    with pytest.raises(ValueError, match=r"split\.source is official, but .* set drawn or auto"):
        draw(tracklets, tmp_path, source="official")


def test_mars_is_split_for_the_protocol(tmp_path):
    root = write_flat("mars", tmp_path, persons=6, cameras=3, takes=2, junk=1, length=1)
    tracklets = read("mars", root, progress=False).tracklets
    test = tracklets[tracklets.subset == "test"]
    for protocol in ("official", "query_excluded"):
        splits, names = draw(tracklets, root, protocol, source="official", trials=2)
        assert names["source"] == f"fixed, for protocol {protocol}"
        assert splits.groupby(["trial", "role"]).size().unstack().to_dict("list") == {
            "gallery": [len(test)] * 2,
            "probe": [test["query"].sum()] * 2,
            "train": [(tracklets.subset == "train").sum()] * 2,
        }


def test_a_split_can_be_used_again(tracklets, tmp_path):
    splits, names = draw(tracklets, tmp_path, trials=3, seed=9)
    splits.to_parquet(tmp_path / "splits.parquet")
    given = {"source": "file", "path": str(tmp_path / "splits.parquet")}
    again, same = draw(tracklets, tmp_path, trials=3, fingerprint=names["splits"], **given)
    pd.testing.assert_frame_equal(again, splits)
    assert same["splits"] == names["splits"]
    assert len(set(draw(tracklets, tmp_path, trials=2, **given)[0].trial)) == 2
    with pytest.raises(ValueError, match="4 trials are asked for"):
        draw(tracklets, tmp_path, trials=4, **given)


def test_torchreids_form_is_read_back(tracklets, tmp_path):
    splits, _ = draw(tracklets, tmp_path, trials=2)
    path = tmp_path / "splits.json"
    path.write_text(json.dumps(export_torchreid(splits)))
    again, _ = draw(tracklets, tmp_path, trials=2, source="file", path=str(path))
    pd.testing.assert_frame_equal(again, splits)


def test_a_trial_is_its_rows(tracklets):
    splits, _ = draw(tracklets, ".", trials=2)
    taken = take_trial(splits, "trial_01")
    assert set(taken.trial) == {"trial_01"}
    assert sorted(taken.tracklet) == sorted(tracklets.tracklet)
    assert taken.index.tolist() == list(range(len(taken)))
