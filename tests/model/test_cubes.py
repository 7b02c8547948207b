import numpy as np
import pytest

from wherewhen.model.cubes import gather

RANDOM = np.random.default_rng(0)


class Reader:
    def __init__(self):
        self.lengths = {"x": 5, "y": 3}
        self.cubes = {name: RANDOM.random((n, 2, 2, 3)) for name, n in self.lengths.items()}

    def read(self, tracklet, start=0, stop=None):
        return self.cubes[tracklet][start:stop]


def test_short_clips_are_repeated_and_masked():
    reader = Reader()
    cubes, mask = gather(reader, [("x", 1, 5), ("y", 0, 3)], 4)
    np.testing.assert_array_equal(cubes[0], reader.cubes["x"][1:5])
    np.testing.assert_array_equal(cubes[1], reader.cubes["y"][[0, 1, 2, 0]])
    assert mask.tolist() == [[True] * 4, [True, True, True, False]]


def test_without_a_length_it_is_the_longest_windows():
    assert gather(Reader(), [("x", 1, 3), ("y", 0, 3)])[0].shape == (2, 3, 2, 2, 3)


@pytest.mark.parametrize("window", [("y", 0, 4), ("y", 2, 2), ("y", -1, 2)])
def test_a_window_outside_its_tracklet_is_named(window):
    with pytest.raises(ValueError, match="of tracklet y is empty or not inside its 3 frames"):
        gather(Reader(), [window])


def test_a_reader_that_takes_a_buffer_fills_the_batch():
    class Into(Reader):
        reads_into = True
        buffers = 0

        def read(self, tracklet, start=0, stop=None, out=None):
            window = super().read(tracklet, start, stop)
            if out is None:
                return window
            self.buffers += 1
            out[:] = window
            return out

    reader, windows = Into(), [("y", 0, 3), ("x", 1, 5), ("y", 1, 3), ("x", 0, 5)]
    cubes, mask = gather(reader, windows, 4)
    assert reader.buffers == 2  # not the first, which tells the shape, nor the one that is too long
    np.testing.assert_array_equal(cubes[1], reader.cubes["x"][1:5])
    np.testing.assert_array_equal(cubes[2], reader.cubes["y"][[1, 2, 1, 2]])
    np.testing.assert_array_equal(cubes[3], reader.cubes["x"][:4])
    assert mask[2].tolist() == [True, True, False, False]
