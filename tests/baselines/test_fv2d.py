import numpy as np

from wherewhen.baselines.fv2d import FV2D
from wherewhen.baselines.pixels import hsv


def test_a_pixels_descriptor_by_hand():
    frames = np.random.default_rng(0).integers(0, 256, (1, 12, 8, 3), dtype=np.uint8)
    baseline = FV2D(size=(8, 12), grid=(2, 3), stride=2)
    (regions,) = baseline.descriptors(frames)
    assert len(regions) == 2 * 3 * 3
    assert {region.shape for region in regions} == {(4, 7)}
    # cell in the middle row, on the right: rows 4 to 8, columns 4 to 8; its value channel
    found = regions[(1 * 2 + 1) * 3 + 2][3]  # the last pixel taken: row 6, column 6
    value = hsv(frames)[0, :, :, 2]
    expected = [
        6.5 / 8,
        6.5 / 12,
        value[6, 6],
        (value[6, 7] - value[6, 5]) / 2,
        (value[7, 6] - value[5, 6]) / 2,
        value[6, 7] - 2 * value[6, 6] + value[6, 5],
        value[7, 6] - 2 * value[6, 6] + value[5, 6],
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_images_are_spread_evenly():
    frames = np.arange(9, dtype=np.uint8)[:, None, None, None] * np.full((6, 4, 3), 10, np.uint8)
    baseline = FV2D(size=(4, 6), grid=(1, 1), images=3)
    values = [image[2][0, 2] for image in baseline.descriptors(frames)]
    np.testing.assert_allclose(values, np.array([0, 40, 80]) / 255, atol=1e-6)
    assert len(baseline.descriptors(frames[:2])) == 2
