import numpy as np
import pytest
import torch

from wherewhen.model.cubes import gather
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.windows import Window


@pytest.fixture
def arrays():
    generator = np.random.default_rng(0)
    return {name: generator.random((n, 2, 2, 3)) for name, n in (("x", 5), ("y", 3))}


def test_short_clips_are_repeated_and_masked(arrays):
    cubes, mask = gather(ArrayCubes(arrays), [Window("x", 1, 5), Window("y", 0, 3)], 4)
    np.testing.assert_array_equal(cubes[0], arrays["x"][1:5])
    np.testing.assert_array_equal(cubes[1], arrays["y"][[0, 1, 2, 0]])
    assert mask.tolist() == [[True] * 4, [True, True, True, False]]


def test_without_a_length_it_is_the_longest_windows(arrays):
    windows = [Window("x", 1, 3), Window("y", 0, 3)]
    assert gather(ArrayCubes(arrays), windows)[0].shape == (2, 3, 2, 2, 3)


def test_of_a_longer_window_the_first_frames_are_taken(arrays):
    cubes, mask = gather(ArrayCubes(arrays), [Window("x", 1, 5)], 2)
    np.testing.assert_array_equal(cubes[0], arrays["x"][1:3])
    assert mask.tolist() == [[True, True]]


def test_a_buffer_is_filled(arrays):
    out = torch.full((2, 4, 2, 2, 3), torch.nan, dtype=torch.float64)
    windows = [Window("y", 1, 3), Window("x", 0, 5)]
    cubes, _ = gather(ArrayCubes(arrays), windows, 4, out)
    assert cubes.data_ptr() == out.data_ptr()
    np.testing.assert_array_equal(out[0], arrays["y"][[1, 2, 1, 2]])
    np.testing.assert_array_equal(out[1], arrays["x"][:4])


@pytest.mark.parametrize(
    ("window", "error", "message"),
    [
        (Window("y", 0, 4), IndexError, "tracklet y: frames 0 to 4 were asked for, it has 3"),
        (Window("y", -1, 2), IndexError, "tracklet y: frames -1 to 2"),
        (Window("y", 2, 2), ValueError, "is empty"),
    ],
)
def test_a_window_outside_its_tracklet_is_named(arrays, window, error, message):
    with pytest.raises(error, match=message):
        gather(ArrayCubes(arrays), [window], 2)
