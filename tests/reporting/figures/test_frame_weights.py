"""Weights over pictures: bars above the frames they belong to, and the extremes beside them."""

import numpy as np
import pytest

from wherewhen.reporting.figures import (
    FIGURES,
    WeightedClip,
    frame_weights_over_time,
    weighted_clips,
)
from wherewhen.reporting.looks import frame_weight_table


def clip(weights=(0.1, 0.4, 0.3, 0.2), **changes):
    count = len(weights)
    frames = np.stack([np.full((8, 4, 3), 10 * i, dtype=np.uint8) for i in range(count)])
    fields = {
        "frames": frames,
        "frame_weights": np.array(weights),
        "positions": np.arange(5, 5 + count),
    }
    return WeightedClip("cam_a/person_0001", **(fields | changes))


def pictures(figure):
    return [axes for axes in figure.axes if axes.images]


def greys(figure):
    return [int(np.asarray(axes.images[0].get_array()).max()) for axes in pictures(figure)]


def bars(figure):
    return [axes for axes in figure.axes if axes.patches and not axes.images]


def test_bars_are_relative_to_uniform_and_named_by_position():
    (axes,) = bars(frame_weights_over_time([clip()]))
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([0.4, 1.6, 1.2, 0.8])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["5", "6", "7", "8"]


def test_pictures_in_time_then_the_heaviest_and_the_lightest():
    figure = frame_weights_over_time([clip()], shown=2, extremes=1)
    assert greys(figure) == [10, 30, 10, 0]
    assert [axes.get_xlabel() for axes in pictures(figure)[2:]] == ["6: 1.60×", "5: 0.40×"]


def test_a_picture_stands_under_its_bar():
    figure = frame_weights_over_time([clip()], extremes=0)
    (axes,) = bars(figure)
    for index, picture in enumerate(pictures(figure)):
        middle = axes.transData.transform((index, 0))[0] / figure.bbox.width
        place = picture.get_position()
        assert place.x0 < middle < place.x1
        assert place.y1 < axes.get_position().y0


def test_clips_share_a_scale():
    even = clip(weights=(0.5, 0.5))
    limits = {axes.get_ylim() for axes in bars(frame_weights_over_time([clip(), even]))}
    assert len(limits) == 1


def test_a_clip_of_one_frame_has_no_extremes():
    assert greys(frame_weights_over_time([clip(weights=(1.0,))])) == [0]


def test_clips_that_do_not_fit_together_are_named():
    with pytest.raises(ValueError, match=r"'cam_a/person_0001': frame weights must sum to 1"):
        clip(weights=(0.5, 0.4))
    with pytest.raises(ValueError, match="positions has 3 entries for 4 frames"):
        clip(positions=np.arange(3))
    with pytest.raises(ValueError, match="frames must be uint8"):
        clip(frames=np.zeros((4, 8, 4, 3)))
    with pytest.raises(ValueError, match="expected at least one WeightedClip"):
        frame_weights_over_time([])


def grey(picture):
    assert picture.dtype == np.uint8
    assert picture.min() == picture.max()
    return int(picture.max())


def test_weighted_clips_hold_the_windows_frames(pictures, windows):
    table = frame_weight_table(windows, [np.array([0.2, 0.3, 0.5]), np.array([0.4, 0.6])])
    first, second = weighted_clips(table, pictures)
    assert (first.label, second.label) == ("b/3 (probe)", "a/1 (probe)")
    assert [grey(frame) for frame in first.frames] == [42, 43, 44]
    assert first.positions.tolist() == [2, 3, 4]
    assert second.frame_weights.tolist() == [0.4, 0.6]


def test_the_record_draws_the_least_even_probes(pictures, windows):
    table = frame_weight_table(windows, [np.array([0.1, 0.1, 0.8]), np.array([0.5, 0.5])])
    figure = FIGURES["frame_weights"].draw(pictures, table, 1)
    said = [text.get_text() for text in figure.texts]
    assert "b/3 (probe)" in said
    assert "a/1 (probe)" not in said
    assert "the 1 of 2 probes whose frames are weighted least evenly" in said
