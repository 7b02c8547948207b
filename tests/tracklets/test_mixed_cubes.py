import numpy as np
import pytest

from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.mixed_cubes import MixedCubes
from wherewhen.tracklets.windows import SpreadFrames, Window


def numbered(first, count):
    return np.arange(first, first + count, dtype=np.float16).reshape(count, 1, 1, 1)


@pytest.fixture
def mixed():
    """Frames 2, 3 and 4 of `a` are frames 1, 2 and 3 of `b`."""
    plain = ArrayCubes({"a": numbered(0, 7), "b": numbered(10, 5)})
    return MixedCubes(plain, {"a": (Window("b", 1, 4), 2)})


@pytest.mark.parametrize("start", range(8))
@pytest.mark.parametrize("stop", range(8))
def test_every_window_is_a_part_of_the_mixed_tracklet(mixed, start, stop):
    whole = [0, 1, 11, 12, 13, 5, 6]
    if start <= stop:
        assert mixed.read(Window("a", start, stop)).ravel().tolist() == whole[start:stop]


def test_spread_frames_are_a_part_of_the_mixed_tracklet(mixed):
    assert mixed.read(SpreadFrames("a", (1, 2, 4, 6))).ravel().tolist() == [1, 11, 13, 6]


def test_other_tracklets_are_as_they_were(mixed):
    assert mixed.read(Window("b", 0, 5)).ravel().tolist() == [10, 11, 12, 13, 14]
    assert mixed.lengths == {"a": 7, "b": 5}
    with pytest.raises(IndexError, match="tracklet a"):
        mixed.read(Window("a", 0, 8))
