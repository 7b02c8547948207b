import shutil

import numpy as np
import pytest
from scipy.io import loadmat

from wherewhen.synthetic.mars import derive_info, frame_names, write_info

TRAIN = [[1, 2, 1, 1], [3, 3, 1, 4], [4, 6, 3, 2]]
TEST = [[1, 1, -1, 2], [2, 3, 0, 6], [4, 5, 2, 1], [6, 6, 2, 5]]


def test_names_follow_from_the_table():
    assert frame_names(np.array(TRAIN)) == [
        "0001C1T0001F001.jpg",
        "0001C1T0001F002.jpg",
        "0001C4T0002F001.jpg",
        "0003C2T0001F001.jpg",
        "0003C2T0001F002.jpg",
        "0003C2T0001F003.jpg",
    ]
    assert frame_names(np.array(TEST))[:3] == [
        "00-1C2T0001F001.jpg",
        "0000C6T0001F001.jpg",
        "0000C6T0001F002.jpg",
    ]


def test_the_files_have_the_real_variables_types_and_orientation(tmp_path):
    write_info(tmp_path, np.array(TRAIN), np.array(TEST), np.array([3, 4]))
    train = loadmat(tmp_path / "tracks_train_info.mat")["track_train_info"]
    assert train.dtype == np.int32
    assert train.tolist() == TRAIN
    assert loadmat(tmp_path / "tracks_test_info.mat")["track_test_info"].tolist() == TEST
    query = loadmat(tmp_path / "query_IDX.mat")["query_IDX"]
    assert (query.dtype, query.tolist()) == (np.uint16, [[3, 4]])
    assert (tmp_path / "test_name.txt").read_text().splitlines() == frame_names(np.array(TEST))


def test_lists_are_completed_from_the_tables_alone(tmp_path):
    write_info(tmp_path / "whole", np.array(TRAIN), np.array(TEST), np.array([3, 4]))
    for table in (tmp_path / "whole").glob("*.mat"):
        (tmp_path / "tables").mkdir(exist_ok=True)
        shutil.copy(table, tmp_path / "tables")
    derive_info(tmp_path / "tables", tmp_path / "again")
    for path in (tmp_path / "whole").iterdir():
        if path.suffix == ".txt":
            assert (tmp_path / "again" / path.name).read_text() == path.read_text()
    query = loadmat(tmp_path / "again/query_IDX.mat")["query_IDX"]
    assert (query.dtype, query.tolist()) == (np.uint16, [[3, 4]])


def test_more_rows_than_a_query_can_name_are_refused(tmp_path):
    with pytest.raises(OverflowError):
        write_info(tmp_path, np.array(TRAIN), np.array(TEST), [70_000])
