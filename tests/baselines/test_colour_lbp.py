"""Colours and textures of stripes, against plain code."""

import colorsys

import numpy as np
import pytest

from wherewhen.baselines.colour_lbp import ColourLBP, _patterns


def noise(count=2, height=128, width=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def test_colours_of_stripes_by_hand():
    """Red above, blue below: two stripes, one bin a channel is full."""
    frame = np.zeros((1, 128, 64, 3), dtype=np.uint8)
    frame[:, :64, :, 0] = 255
    frame[:, 64:, :, 2] = 128
    above, below = ColourLBP(stripes=2, bins=4, colour_spaces=["rgb"]).histograms(frame)[0]
    assert above[:12].tolist() == [0, 0, 0, 1] + [1, 0, 0, 0] * 2
    assert below[:12].tolist() == [1, 0, 0, 0] * 2 + [0, 0, 1, 0]


def test_colour_histograms_against_a_loop_over_pixels():
    frames = noise()
    found = ColourLBP(stripes=3, bins=8, colour_spaces=["rgb", "hsv"]).histograms(frames)
    for stripe, (top, bottom) in enumerate([(0, 43), (43, 85), (85, 128)]):
        pixels = frames[1, top:bottom].reshape(-1, 3)
        red = np.zeros(8)
        for pixel in pixels:
            red[pixel[0] // 32] += 1 / len(pixels)
        np.testing.assert_allclose(found[1, stripe, :8], red, atol=1e-12)

        hue = np.zeros(8)
        for pixel in pixels / 255:
            hue[int(colorsys.rgb_to_hsv(*pixel)[0] * 255.5) * 8 // 256] += 1 / len(pixels)
        # OpenCV's hue is rounded otherwise: some pixels are one bin further
        np.testing.assert_allclose(found[1, stripe, 24:32], hue, atol=0.01)


def plain_pattern(picture, row, column):
    """Number the bits of the eight neighbours at distance 1, interpolated, zero outside."""
    bits = []
    for point in range(8):
        angle = 2 * np.pi * point / 8
        y, x = round(row - np.sin(angle), 5), round(column + np.cos(angle), 5)
        top, left = int(np.floor(y)), int(np.floor(x))
        value = 0.0
        for r, c in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
            if 0 <= r < picture.shape[0] and 0 <= c < picture.shape[1]:
                value += picture[r, c] * (1 - abs(y - r)) * (1 - abs(x - c))
        bits.append(value >= picture[row, column])
    return tuple(bits)


def changes(bits):
    return sum(bits[i] != bits[i - 1] for i in range(len(bits)))


def test_patterns_against_a_loop_over_pixels():
    """Equal patterns have equal numbers, all that are not uniform the same."""
    picture = np.random.default_rng(0).integers(0, 256, (1, 24, 16), dtype=np.uint8)
    (numbers,), kinds = _patterns(picture, 8, 1.0)
    named = {}
    for (row, column), number in np.ndenumerate(numbers):
        bits = plain_pattern(picture[0].astype(float), row, column)
        named.setdefault(bits if changes(bits) <= 2 else "other", set()).add(int(number))
    assert kinds == 59
    assert all(len(numbers) == 1 for numbers in named.values())
    assert len(set.union(*named.values())) == len(named) > 20
    assert max(set.union(*named.values())) < kinds


def test_every_histogram_sums_to_one():
    described = ColourLBP().histograms(noise())
    assert described.shape == (2, 6, 9 * 16 + 59)
    colours = described[..., : 9 * 16].reshape(2, 6, 9, 16)
    np.testing.assert_allclose(colours.sum(axis=3), 1)
    np.testing.assert_allclose(described[..., 9 * 16 :].sum(axis=2), 1)


def test_a_vector_is_the_mean_of_its_frames_whatever_their_size_and_number():
    baseline = ColourLBP()
    frames = noise(3)
    singles = [baseline.describe(frames[[index]]) for index in range(3)]
    vector = baseline.describe(frames)
    assert vector.shape == (1218,)
    assert vector.dtype == np.float64
    np.testing.assert_allclose(vector, np.mean(singles, axis=0), atol=1e-12)
    assert baseline.describe(noise(1, 60, 40)).shape == (1218,)
    assert baseline.fit([]) is baseline


def test_a_half_turned_person_differs_in_place_not_in_colour():
    frames = noise(1)
    frames[:, :64] //= 4
    upright, turned = (
        ColourLBP(stripes=2, colour_spaces=["rgb"]).describe(picture).reshape(2, -1)[:, :48]
        for picture in (frames, frames[:, ::-1])
    )
    np.testing.assert_allclose(upright, turned[::-1])
    assert np.abs(upright - turned).max() > 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stripes": 0}, "stripes is 0"),
        ({"bins": 1}, "bins is 1"),
        ({"colour_spaces": ["rgb", "cmyk"]}, "colour_spaces holds cmyk: expected some of rgb"),
        ({"colour_spaces": []}, "colour_spaces holds nothing"),
    ],
)
def test_options_without_histograms_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ColourLBP(**options)


def test_frames_of_another_type_are_refused():
    with pytest.raises(ValueError, match=r"float64 \[1, 4, 4, 3\]"):
        ColourLBP().describe(np.zeros((1, 4, 4, 3)))
