import json
import logging

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix

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
            (np.zeros((0, 6)), "ls_set", "0 x 6, expected trials x 6"),
            (np.zeros((0, 0)), "ls_set", "0 x 0, expected trials x 6"),
            ([[1, 2, 3, 4, 5, 6]], "lsset", "no variable ls_set but lsset"),
        ],
    )
    def test_what_is_no_split_of_these_persons_is_named(self, tmp_path, rows, name, message):
        with pytest.raises(ValueError, match=message):
            read_ls_set(ls_set(tmp_path / "s.mat", rows, name), PERSONS)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (np.array([[1.5, 2, 3, 4, 5, 6]]), "1.5 in row 1, column 1, expected whole numbers"),
            (np.array([[1, 2, 3, 4, 5, np.nan]]), "nan in row 1, column 6"),
            (csc_matrix(np.array([[1.0, 2, 3, 4, 5, 6]])), "is a sparse matrix"),
            (np.array([[1, 2, 3, 4, 5, 6 + 0j]]), "is a matrix of complex numbers"),
            ("123456", "is text"),
        ],
    )
    def test_what_is_not_made_of_whole_numbers_is_refused(self, tmp_path, value, message):
        savemat(tmp_path / "s.mat", {"ls_set": value})
        with pytest.raises(ValueError, match=rf"s\.mat: ls_set .*{message}"):
            read_ls_set(tmp_path / "s.mat", PERSONS)

    def test_a_file_that_is_none(self, tmp_path):
        (tmp_path / "s.mat").write_text("<html>not found</html>")
        with pytest.raises(
            ValueError, match=r"s\.mat can't be read as a \.mat file.*copy it again"
        ):
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
            ([{"train": ["person001"] * 2, "test": ["person002"]}], "twice in train: person001"),
            ([{"train": ["\ud800"], "test": ["person002"]}], r"not in the data set: \\ud800"),
        ],
    )
    def test_faults(self, listing, message):
        with pytest.raises(ValueError, match=message):
            from_torchreid(listing, tracklets())


HEADER = b"trial,tracklet,person,camera,role\n"
NO_SPLITS = {
    "empty csv": ("csv", b"", "it is empty"),
    "binary csv": ("csv", bytes(range(256)), "not UTF-8|NUL"),
    "other columns": ("csv", b"a,b\n1,2\n", "no column trial, tracklet, .* it has 'a, b'"),
    "no rows": ("csv", HEADER, "has no rows"),
    "short row": ("csv", HEADER + b"a,b\n", "line 2 has 2 fields"),
    "empty parquet": ("parquet", b"", "no Parquet table"),
    "garbage parquet": ("parquet", b"PAR1" + bytes(200) + b"PAR1", "no Parquet table"),
    "empty json": ("json", b"", "not JSON"),
    "half json": ("json", b"[{", "not JSON"),
    "binary json": ("json", b"\xff\xfe\x00", "not UTF-8"),
    "deep list": ("json", b"[" * 200_000, "nested too deeply"),
    "deep object": ("json", b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
    "long number": ("json", b"9" * 5000, "not JSON"),
    "lists in a list": ("json", b"[[1]]", "no splits in torchreid's form"),
    "key twice": (
        "json",
        b'[{"train": ["person001"], "train": [], "test": ["person002"]}]',
        "an object has 'train' twice",
    ),
    "other suffix": ("txt", b"", r"ends in \.parquet, \.csv or \.json"),
}


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

    @pytest.mark.parametrize("fault", NO_SPLITS)
    def test_what_is_no_file_of_splits(self, tmp_path, fault):
        suffix, content, message = NO_SPLITS[fault]
        path = tmp_path / f"s.{suffix}"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"s\.{suffix}: .*({message})"):
            read_splits(path, tracklets())

    @pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
    def test_missing_a_folder_or_not_readable(self, tmp_path, suffix, no_privileges):
        with pytest.raises(FileNotFoundError, match=r"no splits at .*split\.path"):
            read_splits(tmp_path / f"nothing.{suffix}", tracklets())
        (tmp_path / f"folder.{suffix}").mkdir()
        with pytest.raises(ValueError, match=r"it is a folder, not a file.*split\.path"):
            read_splits(tmp_path / f"folder.{suffix}", tracklets())
        (tmp_path / f"s.{suffix}").touch(0)
        with pytest.raises(ValueError, match=r"Permission denied.*split\.path"):
            read_splits(tmp_path / f"s.{suffix}", tracklets())

    def test_the_home_folder_is_expanded(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        draw_splits(tracklets(), 1, seed=1).to_csv(tmp_path / "s.csv", index=False)
        assert set(read_splits("~/s.csv", tracklets())["trial"]) == {"trial_00"}

    def test_a_byte_order_mark_and_letters_in_any_case(self, tmp_path):
        splits = draw_splits(tracklets(), 1, seed=1)
        mark = "\ufeff"
        (tmp_path / "S.JSON").write_text(mark + json.dumps(to_torchreid(splits)))
        (tmp_path / "S.CSV").write_text(mark + splits.to_csv(index=False))
        for name in ("S.JSON", "S.CSV"):
            assert split_fingerprint(read_splits(tmp_path / name, tracklets())) == (
                split_fingerprint(splits)
            )

    @pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
    def test_accents_match_whatever_system_wrote_them(self, tmp_path, suffix):
        composed, decomposed = "Ren\u00e9", "Rene\u0301"
        table = tracklets(["anna", composed])
        splits = splits_of(table, [[composed]])
        path = tmp_path / f"s.{suffix}"
        if suffix == "json":
            listing = json.dumps(to_torchreid(splits), ensure_ascii=False)
            path.write_text(listing.replace(composed, decomposed))
        else:
            written = splits.apply(lambda column: column.str.replace(composed, decomposed))
            written.to_csv(path, index=False) if suffix == "csv" else written.to_parquet(path)
        assert read_splits(path, table).equals(splits)

    def test_columns_of_another_kind_are_named(self, tmp_path):
        splits = draw_splits(tracklets(), 1, seed=1)
        numbers = splits.assign(person=[7, *[8] * (len(splits) - 1)])
        nulls = splits.assign(role=["train", None, *["train"] * (len(splits) - 2)])
        for changed, message in (
            (numbers, r"person is not text: row 0 \(7\); row 1 \(8\); .* and 7 more"),
            (nulls, r"role is not text: row 1 \(nan\)"),
            (splits.drop(columns="camera"), "no column camera, or several"),
            (splits[:0], "has no rows"),
        ):
            changed.to_parquet(tmp_path / "s.parquet")
            with pytest.raises(ValueError, match=rf"s\.parquet: {message}"):
                read_splits(tmp_path / "s.parquet", tracklets())

    def test_categories_are_text(self, tmp_path):
        splits = draw_splits(tracklets(), 1, seed=1)
        splits.astype({"role": "category"}).to_parquet(tmp_path / "s.parquet")
        again = read_splits(tmp_path / "s.parquet", tracklets())
        pd.testing.assert_frame_equal(again, splits, check_dtype=False)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                lambda splits: pd.concat([splits, splits[:1]]),
                r"have occurred before: line 26 \('trial_00', 'cam1/person001', '(train|probe)'\)",
            ),
            (
                lambda splits: splits.replace({"trial_01": "fold1"}),
                r"trial is not named as trial_00, trial_01, \.\.\.: line 14 \('fold1'\)",
            ),
            (
                lambda splits: splits.replace({"trial_01": "trial_02"}),
                "has 2 trials, but no trial_01: expected trial_00 to trial_01",
            ),
            (lambda splits: splits.replace({"probe": "query"}), "role is none of train, probe"),
            (lambda splits: splits.replace({"person001": ""}), "person is empty: line 2"),
            (
                lambda splits: splits[(splits.role != "probe") | (splits.trial == "trial_00")],
                "no row has the role probe in trial_01",
            ),
            (lambda splits: splits[splits.role != "gallery"], "role gallery in trial_00, trial_01"),
        ],
    )
    def test_rows_that_can_not_be_are_named(self, tmp_path, change, message):
        change(draw_splits(tracklets(), 2, seed=1)).to_csv(tmp_path / "s.csv", index=False)
        with pytest.raises(ValueError, match=rf"s\.csv: .*{message}"):
            read_splits(tmp_path / "s.csv", tracklets())
