import colorsys

import numpy as np
import pytest

from wherewhen.baselines.pixels import (
    first_derivative,
    grey,
    hsv,
    intervals,
    place,
    second_derivative,
    to_size,
)


def test_hue_saturation_and_value():
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3), dtype=np.uint8)
    expected = [colorsys.rgb_to_hsv(*pixel) for pixel in frames.reshape(-1, 3) / 255]
    found = hsv(frames).reshape(-1, 3)
    away = np.abs(found - expected)
    away[:, 0] = np.minimum(away[:, 0], 1 - away[:, 0])  # hue is a circle
    assert away.max() < 0.01


def test_lightness_weighs_green_most():
    red, green, blue = grey(np.eye(3, dtype=np.uint8)[None, None] * 255)[0, 0]
    assert (red, green, blue) == (76, 150, 29)  # ITU-R BT.601


def test_derivatives_by_hand():
    values = np.array([[0.0, 1.0, 4.0, 9.0]])
    np.testing.assert_allclose(first_derivative(values, 1), [[1, 2, 4, 5]])
    np.testing.assert_allclose(second_derivative(values, 1), [[0, 2, 2, 0]])
    np.testing.assert_allclose(first_derivative(values, 0), 0)
    np.testing.assert_allclose(second_derivative(values, 0), 0)


def test_frames_come_to_one_size():
    large = np.repeat(np.repeat(np.arange(32, dtype=np.uint8).reshape(1, 8, 4, 1), 2, 1), 2, 2)
    frames = np.repeat(large, 3, axis=3)
    np.testing.assert_array_equal(to_size(frames, (4, 8)), frames[:, ::2, ::2])
    assert to_size(frames, (64, 128)).shape == (1, 128, 64, 3)
    assert to_size(frames, (8, 16)) is frames


@pytest.mark.parametrize(
    "frames",
    [np.zeros((2, 4, 4, 3)), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4, 4, 3), np.uint8)],
)
def test_what_is_no_clip_is_refused(frames):
    with pytest.raises(ValueError, match="expected uint8"):
        to_size(frames)


def test_intervals_cover_an_axis():
    assert intervals(10, 3) == [(0, 3), (3, 7), (7, 10)]
    assert sum(stop - start for start, stop in intervals(2, 4)) == 2
    np.testing.assert_allclose(place(4), [0.125, 0.375, 0.625, 0.875])
    with pytest.raises(ValueError, match="0 parts"):
        intervals(10, 0)
