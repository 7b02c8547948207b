import numpy as np
import pytest

from wherewhen.model.occlusion import occlusion_sensitivity


@pytest.fixture
def clip():
    """Two black frames, 4 x 6, with a white spot in row 1, column 4 of each."""
    frames = np.zeros((2, 4, 6, 3), np.uint8)
    frames[:, 1, 4] = 240
    return frames


def spot(frames):
    return float(frames[:, 1, 4].mean())


def test_the_region_that_carries_the_similarity_is_found(clip):
    lost = occlusion_sensitivity(clip, spot, (2, 3), colour=(0, 0, 0))
    expected = np.zeros((4, 6))
    expected[:2, 3:] = 240  # of 2 x 2 patches, the upper right one
    np.testing.assert_array_equal(lost, expected)


def test_pixels_under_several_patches_get_their_mean(clip):
    lost = occlusion_sensitivity(clip, spot, (4, 2), stride=(4, 1), colour=(0, 0, 0))
    # patches begin at columns 0 to 4; those at 3 and 4 hide the spot. Column 3 lies under those at
    # 2 and 3, column 4 under 3 and 4, column 5 under 4 alone
    np.testing.assert_allclose(lost[0], [0, 0, 0, 120, 240, 240])
    assert (lost == lost[:1]).all()


def test_what_makes_the_clip_more_alike_is_negative(clip):
    lost = occlusion_sensitivity(clip, lambda frames: -spot(frames), (2, 3), colour=(0, 0, 0))
    assert lost.min() == -240 and lost.max() == 0


def test_the_mean_colour_hides_and_the_clip_stays(clip):
    seen = []
    before = clip.copy()
    occlusion_sensitivity(clip, lambda frames: seen.append(frames) or 0.0, (4, 6))
    np.testing.assert_array_equal(seen[1], np.full_like(clip, 10))  # 240 / 24
    np.testing.assert_array_equal(clip, before)


def test_the_last_patch_ends_with_the_frame(clip):
    seen = []
    occlusion_sensitivity(clip, lambda frames: seen.append(frames) or 0.0, (3, 4))
    assert len(seen) == 1 + 2 * 2


@pytest.mark.parametrize("patch, stride", [((5, 1), None), ((0, 1), None), ((1, 1), (1, 0))])
def test_impossible_patches_are_refused(clip, patch, stride):
    with pytest.raises(ValueError, match=r"height and width from 1 to the frames' \(4, 6\)"):
        occlusion_sensitivity(clip, spot, patch, stride)
