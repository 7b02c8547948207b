import numpy as np
import pytest

from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.windows import SpreadFrames, Window

PLAIN = np.arange(24, dtype=np.float32).reshape(6, 2, 2, 1)


@pytest.fixture
def cubes():
    """Six frames in two variants, the second larger by a hundred."""
    return ArrayCubes({"a": np.stack([PLAIN, PLAIN + 100]), "b": np.stack([-PLAIN, -PLAIN])[:, :2]})


def test_lengths_and_forms(cubes):
    assert cubes.lengths == {"a": 6, "b": 2}
    assert (cubes.shape, cubes.grid, cubes.channels) == ((2, 2, 1), (2, 2), 1)
    assert (cubes.dtype, cubes.variants) == (np.float32, 2)
    assert cubes.is_stored("a")
    assert cubes.whole("b", 1) == Window("b", 0, 2, 1)


def test_a_window_is_the_frames_of_its_variant(cubes):
    np.testing.assert_array_equal(cubes.read(Window("a", 1, 4)), PLAIN[1:4])
    np.testing.assert_array_equal(cubes.read(Window("a", 1, 4, 1)), PLAIN[1:4] + 100)
    assert cubes.read(Window("a", 6, 6)).shape == (0, 2, 2, 1)


@pytest.mark.parametrize(("granule", "read"), [(1, 3), (2, 4), (9, 6)])
def test_spread_frames_are_read_alone_or_with_what_is_between(cubes, granule, read):
    filled = []

    class Counted(ArrayCubes):
        def granule(self, tracklet):
            return granule

        def _fill(self, window, out):
            filled.append(window.length)
            super()._fill(window, out)

    counted = Counted({"a": np.stack([PLAIN, PLAIN + 100])})
    frames = SpreadFrames("a", (0, 2, 5), variant=1)
    np.testing.assert_array_equal(counted.read(frames), PLAIN[[0, 2, 5]] + 100)
    assert sum(filled) == read
    with pytest.raises(IndexError, match="frames 2 to 7 were asked for, it has 6"):
        counted.read(SpreadFrames("a", (2, 6)))


def test_arrays_without_variants_are_plain():
    cubes = ArrayCubes({"a": PLAIN})
    assert cubes.variants == 1
    np.testing.assert_array_equal(cubes.read(cubes.whole("a")), PLAIN)


def test_what_is_read_is_a_copy(cubes):
    cubes.read(Window("a", 0, 1))[:] = 7
    np.testing.assert_array_equal(cubes.read(Window("a", 0, 1)), PLAIN[:1])


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (Window("a", 2, 7), "tracklet a: frames 2 to 7 were asked for, it has 6"),
        (Window("a", -1, 2), "frames -1 to 2"),
        (Window("a", 3, 2), "frames 3 to 2"),
        (Window("a", 0, 1, 2), r"variant 2 was asked for, there are 2; .* extract\.augmentation"),
        (Window("a", 0, 1, -1), "variant -1"),
    ],
)
def test_windows_that_are_not_there_are_refused(cubes, window, message):
    with pytest.raises(IndexError, match=message):
        cubes.read(window)


def test_a_tracklet_that_is_not_there_is_named(cubes):
    with pytest.raises(KeyError, match="no cubes of a tracklet nobody among"):
        cubes.whole("nobody")


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((3, 2, 2, 1), np.float32),
        np.zeros((2, 2, 2, 1), np.float16),
        np.zeros((4, 2, 2, 1), np.float32)[::2],
    ],
    ids=["shape", "type", "order"],
)
def test_buffers_that_do_not_fit_are_refused(cubes, out):
    with pytest.raises(ValueError, match=r"out: expected C-contiguous float32 \[2, 2, 2, 1\]"):
        cubes.read_into(Window("a", 0, 2), out)


def test_arrays_of_several_shapes_are_refused():
    with pytest.raises(ValueError, match="of one type and shape"):
        ArrayCubes({"a": PLAIN, "b": PLAIN[:, :1]})
