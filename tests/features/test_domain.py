import numpy as np
import pytest

from wherewhen.features.domain import (
    CubeStatistics,
    mean_activations,
    read_statistics,
    write_statistics,
)
from wherewhen.tracklets.cubes import ArrayCubes

MEANS = np.array([[0.0, 10.0], [2.0, 10.0], [1.0, 13.0]])


def test_statistics_are_of_the_tracklets():
    known = CubeStatistics.of(MEANS)
    np.testing.assert_allclose(known.mean, [1.0, 11.0])
    np.testing.assert_allclose(known.deviation, [1.0, np.sqrt(3)], rtol=1e-6)
    assert known.tracklets == 3


def test_the_difference_is_in_deviations_without_what_is_chance():
    known = CubeStatistics(np.float32([0, 0]), np.float32([1, 2]), tracklets=100)
    means = np.tile([3.0, 8.0], (50, 1))  # 3 and 4 deviations away
    assert known.difference(means) == pytest.approx(np.sqrt((9 + 16) / 2 - 1 / 50 - 1 / 100))
    assert known.difference(np.zeros((50, 2))) == 0.0


def test_a_silent_channel_does_not_count_for_everything():
    known = CubeStatistics(np.float32([0, 0]), np.float32([1, 0]), tracklets=10**6)
    means = np.tile([0.0, 0.001], (10**6, 1))
    assert known.difference(means) == pytest.approx(np.sqrt(1 / 2), rel=0.01)


@pytest.mark.parametrize("means", [np.zeros((0, 2)), np.zeros((3, 4)), np.zeros(2)])
def test_other_shapes_are_refused(means):
    with pytest.raises(ValueError, match=r"expected \[tracklets, 2\]"):
        CubeStatistics.of(MEANS).difference(means)


def test_one_tracklet_has_no_deviation():
    with pytest.raises(ValueError, match=r"expected .*> 1"):
        CubeStatistics.of(MEANS[:1])


def test_means_are_over_frames_and_grid():
    cubes = ArrayCubes({"a": np.arange(8.0).reshape(2, 2, 2, 1), "b": np.ones((1, 2, 2, 1))})
    assert mean_activations(cubes, ["b", "a"], progress=False).tolist() == [[1.0], [3.5]]


def test_a_file_is_read_as_it_was_written(tmp_path):
    known = CubeStatistics.of(MEANS)
    write_statistics(known, tmp_path / "s.safetensors")
    read = read_statistics(tmp_path / "s.safetensors")
    np.testing.assert_array_equal(read.mean, known.mean)
    np.testing.assert_array_equal(read.deviation, known.deviation)
    assert read.tracklets == 3
    (tmp_path / "s.safetensors").write_bytes(b"none")
    with pytest.raises(ValueError, match="can't be read as statistics of cubes"):
        read_statistics(tmp_path / "s.safetensors")
