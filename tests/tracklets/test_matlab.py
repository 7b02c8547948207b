import re

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix

from wherewhen.tracklets.files import FileError
from wherewhen.tracklets.matlab import whole_numbers

ROW = np.array([[1, 2, 3]])


def cells(values):
    content = np.empty((1, len(values)), dtype=object)
    content[0, :] = values
    return content


def read(path):
    return whole_numbers(path, "x", "get it again")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, np.int64])
def test_integers_keep_their_type(tmp_path, dtype):
    savemat(tmp_path / "a.mat", {"x": ROW.astype(dtype), "y": [1.5]})
    found = read(tmp_path / "a.mat")
    assert found.tolist() == [[1, 2, 3]]
    assert found.dtype == dtype


@pytest.mark.parametrize("form", ["4", "5"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_doubles_become_integers(tmp_path, form, dtype):
    savemat(tmp_path / "a.mat", {"x": -ROW.astype(dtype)}, format=form)
    found = read(tmp_path / "a.mat")
    assert found.tolist() == [[-1, -2, -3]]
    assert found.dtype == np.int64


def test_an_empty_matrix_is_read(tmp_path):
    savemat(tmp_path / "a.mat", {"x": np.zeros((0, 3))})
    assert read(tmp_path / "a.mat").shape == (0, 3)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.5, "1.5 in row 1, column 1, expected whole numbers up to 2^53; get it again"),
        (np.array([[1, 2], [3, 4.25]]), "4.25 in row 2, column 2"),
        (np.array([[1, np.nan]]), "nan in row 1, column 2"),
        (np.array([[1, -np.inf]]), "-inf in row 1, column 2"),
        (1e30, "1e+30 in row 1"),
        (np.array([[2**64 - 1]], np.uint64), "18446744073709551615 in row 1"),
        (np.array([[-(2**63)]], np.int64), "-9223372036854775808 in row 1"),
        (np.full((1, 2, 2), 0.5), "0.5 in entry 1, 1, 1"),
        (cells([1, 2]), "x is a cell array, expected a full matrix of whole numbers"),
        (csc_matrix(np.eye(3)), "x is a sparse matrix"),
        ({"a": 1}, "x is a struct"),
        ("words", "x is text"),
        (np.array([[True]]), "x is a logical matrix"),
        (ROW + 0j, "x is a matrix of complex numbers"),
    ],
)
def test_what_is_no_matrix_of_whole_numbers(tmp_path, value, message):
    savemat(tmp_path / "a.mat", {"x": value})
    with pytest.raises(FileError, match=rf"a\.mat: .*{re.escape(message)}"):
        read(tmp_path / "a.mat")


HEADER_73 = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"


@pytest.mark.parametrize("start", [b"", HEADER_73.ljust(512, b"\0"), bytes(512)])
def test_version_73_says_how_to_save_it(tmp_path, start):
    (tmp_path / "a.mat").write_bytes(start + b"\x89HDF\r\n\x1a\n" + bytes(100))
    message = r"a MATLAB 7\.3 file \(HDF5\).*save\('a\.mat', 'x', '-v7'\)"
    with pytest.raises(FileError, match=message):
        read(tmp_path / "a.mat")


@pytest.mark.parametrize("content", [b"", b"<html>", bytes(500), b"# Created by Octave 8.4\n"])
def test_what_is_no_matlab_file(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(FileError, match=r"a\.mat can't be read as a \.mat file .*get it again"):
        read(tmp_path / "a.mat")


def test_a_truncated_file(tmp_path):
    savemat(tmp_path / "a.mat", {"x": np.arange(4000).reshape(10, 400)})
    content = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(content[:-300])
    with pytest.raises(FileError, match=r"can't be read as a \.mat file"):
        read(tmp_path / "a.mat")


def test_another_variable(tmp_path):
    savemat(tmp_path / "a.mat", {"z": ROW})
    with pytest.raises(FileError, match="has no variable x but z; get it again"):
        read(tmp_path / "a.mat")


def test_missing_or_not_readable(tmp_path, no_privileges):
    with pytest.raises(FileNotFoundError, match=r"no MATLAB file at .*get it again"):
        read(tmp_path / "a.mat")
    (tmp_path / "a.mat").touch(0)
    with pytest.raises(FileError, match="Permission denied"):
        read(tmp_path / "a.mat")
