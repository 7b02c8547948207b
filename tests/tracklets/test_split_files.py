import json
import logging

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from wherewhen.tracklets.split_files import from_torchreid, read_ls_set, read_splits, to_torchreid
from wherewhen.tracklets.splits import draw_splits, fixed_splits, split_fingerprint, splits_of

PERSONS = ["person001", "person002", "person004", "person015", "person017", "person100"]


def tracklets(persons=PERSONS, cameras=("cam1", "cam2")):
    rows = [
        (f"{camera}/{person}", person, camera, 5, "person")
        for camera in cameras
        for person in persons
    ]
    return pd.DataFrame(rows, columns=["tracklet", "person", "camera", "length", "kind"])


def ls_set(path, rows, name="ls_set", dtype=np.uint16):
    savemat(path, {name: np.array(rows, dtype=dtype)})
    return path


class TestLsSet:
    def test_the_first_half_of_a_row_is_tested_by_place_among_the_sorted_folders(self, tmp_path):
        path = ls_set(tmp_path / "s.mat", [[6, 1, 4, 2, 3, 5], [2, 3, 5, 1, 4, 6]])
        # as the file system may list them
        assert read_ls_set(path, PERSONS[::-1]) == [
            ["person001", "person015", "person100"],
            ["person002", "person004", "person017"],
        ]

    def test_doubles_are_read_like_integers(self, tmp_path):
        path = ls_set(tmp_path / "s.mat", [[6, 1, 4, 2, 3, 5]], dtype=np.float64)
        assert read_ls_set(path, PERSONS) == [["person001", "person015", "person100"]]

    @pytest.mark.parametrize(
        ("rows", "name", "message"),
        [
            ([[1, 2, 3, 4, 5]], "ls_set", r"1 x 5, expected trials x 6 persons"),
            ([[1]] * 6, "ls_set", r"6 x 1, expected trials x 6"),
            ([[1, 2, 3, 4, 5, 7]], "ls_set", r"row 1 of ls_set does not name everybody once"),
            ([[1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5]], "ls_set", "row 2 of ls_set"),
            ([[1, 2, 3, 4, 5, 6]], "lsset", "no variable ls_set; found: lsset"),
        ],
    )
    def test_what_is_no_split_of_these_persons_is_named(self, tmp_path, rows, name, message):
        with pytest.raises(ValueError, match=message):
            read_ls_set(ls_set(tmp_path / "s.mat", rows, name), PERSONS)

    def test_a_file_that_is_none(self, tmp_path):
        (tmp_path / "s.mat").write_text("<html>not found</html>")
        with pytest.raises(ValueError, match=r"s\.mat: no MATLAB file"):
            read_ls_set(tmp_path / "s.mat", PERSONS)


class TestTorchreid:
    def test_written_by_hand(self):
        splits = splits_of(tracklets(), [["person002", "person100"], ["person004"]])
        assert to_torchreid(splits) == [
            {
                "train": ["person001", "person004", "person015", "person017"],
                "test": ["person002", "person100"],
            },
            {
                "train": ["person001", "person002", "person015", "person017", "person100"],
                "test": ["person004"],
            },
        ]

    def test_there_and_back(self):
        splits = draw_splits(tracklets(), 3, seed=4)
        listing = json.loads(json.dumps(to_torchreid(splits)))
        pd.testing.assert_frame_equal(from_torchreid(listing, tracklets()), splits)

    def test_who_is_on_no_side_has_no_role(self):
        listing = [
            {"train": ["person001"], "test": ["person002"]},
            {"train": ["person100"], "test": ["person004"]},
        ]
        splits = from_torchreid(listing, tracklets())
        persons = splits.groupby("trial")["person"].agg(lambda names: sorted(set(names)))
        assert persons.tolist() == [["person001", "person002"], ["person004", "person100"]]

    def test_who_has_no_place_in_it_is_named(self, caplog):
        table = tracklets()
        table.loc[len(table)] = ["cam2/person200", "person200", "cam2", 5, "distractor"]
        splits = splits_of(table, [["person002"]])
        assert (splits["person"] == "person200").sum() == 1
        with caplog.at_level(logging.WARNING):
            (sides,) = to_torchreid(splits)
        assert "person200" not in sides["train"] + sides["test"]
        assert "1 persons" in caplog.text
        assert "person200" in caplog.text

    def test_mars_does_not_fit(self):
        table = tracklets(cameras=["C1", "C2", "C3"]).assign(subset="test")
        table["query"] = table["camera"] == "C1"
        with pytest.raises(ValueError, match=r"3 cameras \(C1, C2, C3\).*reads the owners' \.mat"):
            to_torchreid(fixed_splits(table, 1))

    @pytest.mark.parametrize(
        ("listing", "message"),
        [
            ({"train": [], "test": []}, "no splits in torchreid's form"),
            ([], "no splits in torchreid's form"),
            ([{"train": [], "query": [], "gallery": []}], "no splits in torchreid's form"),
            ([{"train": ["person001"], "test": ["person003"]}], "not in the data set: person003"),
            ([{"train": ["person001"], "test": ["person001"]}], "are tested: person001"),
        ],
    )
    def test_faults(self, listing, message):
        with pytest.raises(ValueError, match=message):
            from_torchreid(listing, tracklets())


class TestReadSplits:
    @pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
    def test_used_as_they_were_written(self, tmp_path, suffix):
        splits = draw_splits(tracklets(), 2, seed=1)
        path = tmp_path / f"splits.{suffix}"
        if suffix == "parquet":
            splits.to_parquet(path)
        elif suffix == "csv":
            splits.to_csv(path, index=False)
        else:
            path.write_text(json.dumps(to_torchreid(splits)))
        again = read_splits(path, tracklets(), split_fingerprint(splits))
        pd.testing.assert_frame_equal(again, splits, check_dtype=False)

    def test_another_split_is_refused(self, tmp_path):
        draw_splits(tracklets(), 2, seed=1).to_csv(tmp_path / "s.csv", index=False)
        with pytest.raises(ValueError, match=r"these splits are [0-9a-f]{16}, expected 0123"):
            read_splits(tmp_path / "s.csv", tracklets(), "0123")

    def test_another_data_sets_split_is_refused(self, tmp_path):
        draw_splits(tracklets(), 2, seed=1).to_csv(tmp_path / "s.csv", index=False)
        with pytest.raises(ValueError, match=r"2 tracklets are not in the data set.*person100"):
            read_splits(tmp_path / "s.csv", tracklets(PERSONS[:-1]))

    def test_nobody_on_both_sides(self, tmp_path):
        splits = draw_splits(tracklets(), 1, seed=1)
        splits.loc[splits["role"] == "probe", "role"] = "train"
        splits.to_csv(tmp_path / "s.csv", index=False)
        with pytest.raises(ValueError, match="persons train and are tested"):
            read_splits(tmp_path / "s.csv", tracklets())

    def test_what_is_no_file_of_splits(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no splits at .*split\.path"):
            read_splits(tmp_path / "nothing.csv", tracklets())
        (tmp_path / "s.json").write_text("{")
        with pytest.raises(ValueError, match=r"s\.json: "):
            read_splits(tmp_path / "s.json", tracklets())
        (tmp_path / "s.txt").write_text("")
        with pytest.raises(ValueError, match=r"ends in \.parquet, \.csv or \.json"):
            read_splits(tmp_path / "s.txt", tracklets())
