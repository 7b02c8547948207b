import numpy as np

from wherewhen.baselines.pixels import hsv
from wherewhen.baselines.stfv3d import BODY_PARTS, STFV3D


def test_a_pixels_descriptor_by_hand():
    frames = np.random.default_rng(0).integers(0, 256, (6, 40, 20, 3), dtype=np.uint8)
    (units,) = STFV3D(size=(20, 40), phases=2, stride=1).descriptors(frames)
    assert len(units) == 2 * 6
    left_leg = units[6 + list(BODY_PARTS).index("left_leg")]  # in the second phase
    assert left_leg.shape == (3 * 18 * 8, 24)
    found = left_leg[18 * 8 + 8 + 1]  # frame 4, row 23, column 3
    colours = hsv(frames)
    here = colours[4, 23, 3]
    around = [
        (colours[4, 23, 4], colours[4, 23, 2]),
        (colours[4, 24, 3], colours[4, 22, 3]),
        (colours[5, 23, 3], colours[3, 23, 3]),
    ]
    expected = [[3.5 / 20, 23.5 / 40, 1.5 / 3], here]
    expected += [(after - before) / 2 for after, before in around]
    expected += [after - 2 * here + before for after, before in around]
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-6)


def test_body_parts_are_mirrored_and_inside():
    for left, top, right, bottom in BODY_PARTS.values():
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
    for limb in ("arm", "leg"):
        left, right = (np.array(BODY_PARTS[f"{side}_{limb}"]) for side in ("left", "right"))
        np.testing.assert_allclose(left[[0, 2]], 1 - right[[2, 0]])
        np.testing.assert_allclose(left[[1, 3]], right[[1, 3]])


def test_a_frame_is_in_one_phase():
    frames = np.zeros((1, 40, 20, 3), np.uint8)
    (units,) = STFV3D(size=(20, 40), phases=4).descriptors(frames)
    filled = [any(len(unit) for unit in units[phase * 6 :][:6]) for phase in range(4)]
    assert sum(filled) == 1
