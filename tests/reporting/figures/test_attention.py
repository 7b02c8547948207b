"""Attention strips: the maps on the frames, the bars under them, the scale beside them."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from wherewhen.reporting.figures import (
    FIGURES,
    AttentionStrip,
    attention_over_time,
    attention_strips,
)
from wherewhen.reporting.figures.attention import strips_of_table, upsample
from wherewhen.reporting.looks import attention_table
from wherewhen.reporting.style import BLUE, SKY


def strip(count=6, side=2, label="cam_a/person_0001", **changes):
    """Attention 0.5, the rest even, on the first cell; weights that grow with time."""
    attention = np.full((count, side, side), 0.5 / (side * side - 1), dtype=np.float16)
    attention[:, 0, 0] = 0.5
    weights = np.arange(1, count + 1) / (count * (count + 1) / 2)
    frames = np.full((count, 8, 4, 3), 100, dtype=np.uint8)
    fields = {"frames": frames, "attention": attention, "frame_weights": weights} | changes
    return AttentionStrip(label, **fields)


def heats(figure):
    """Overlaid attention maps, left to right: the second image of the axes that have two."""
    return [axes.images[1] for axes in figure.axes if len(axes.images) == 2]


def bars(figure):
    return next(axes for axes in figure.axes if axes.patches and not axes.images)


def test_maps_are_relative_to_uniform_attention():
    heat = heats(attention_over_time([strip()]))[0]
    data = np.asarray(heat.get_array())
    assert data.shape == (8, 4)
    assert data[0, 0] == pytest.approx(0.5 * 4, rel=1e-3)
    assert data[-1, -1] == pytest.approx(0.5 / 3 * 4, rel=1e-3)


def test_maps_of_a_grid_that_is_no_square_are_relative_to_its_cells():
    attention = np.full((6, 4, 2), 0.5 / 7)
    attention[:, 3, 0] = 0.5
    figure = attention_over_time([strip(attention=attention)])
    data = np.asarray(heats(figure)[0].get_array())
    assert data.shape == (8, 4)
    assert data[-1, 0] == pytest.approx(0.5 * 8)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert any(label.endswith("relative to uniform (1/8)") for label in labels)


def test_scale_is_linear_from_zero_and_the_same_whatever_is_shown():
    figure = attention_over_time([strip(), strip(label="even", attention=np.full((6, 2, 2), 0.25))])
    norms = [heat.norm for heat in heats(figure)]
    assert len(norms) == 12
    for norm in norms:
        assert np.asarray(norm([0, 1.5, 3, 6, 9])) == pytest.approx([0, 0.25, 0.5, 1, 1])
    (bar,) = [axes for axes in figure.axes if "attention relative" in axes.get_ylabel()]
    assert bar.get_ylabel().endswith("relative to uniform (1/4)")
    assert bar.get_ylim() == (0, 6)


def test_bars_show_all_frames_and_mark_the_shown():
    figure = attention_over_time([strip(count=6)], shown=3)
    heights = [bar.get_height() for bar in bars(figure).patches]
    assert heights == pytest.approx([6 * i / 21 for i in range(1, 7)])
    dark = [same_color(bar.get_facecolor(), BLUE) for bar in bars(figure).patches]
    light = [same_color(bar.get_facecolor(), SKY) for bar in bars(figure).patches]
    assert dark == [False, True, False, True, False, True]
    assert light == [not one for one in dark]
    assert len(heats(figure)) == 3


def test_shown_frames_are_named_by_their_position():
    figure = attention_over_time([strip(count=6, positions=np.arange(40, 46))], shown=3)
    assert [tick.get_text() for tick in bars(figure).get_xticklabels()] == ["41", "43", "45"]


def test_a_line_marks_the_uniform_weight():
    (line,) = bars(attention_over_time([strip(count=6)])).lines
    assert set(line.get_ydata()) == {1}


def test_the_shown_frame_is_drawn():
    frames = np.zeros((3, 8, 4, 3), dtype=np.uint8)
    frames[:] = np.array([10, 20, 30], dtype=np.uint8)[:, None, None, None]
    figure = attention_over_time([strip(count=3, frames=frames)], shown=1)
    plain = next(axes for axes in figure.axes if len(axes.images) == 1)
    assert np.asarray(plain.images[0].get_array()).max() == 20


def test_each_strip_has_its_label_and_strongest_cell():
    figure = attention_over_time([strip(), strip(label="second", count=2)], title="Where")
    words = [text.get_text() for text in figure.texts]
    assert {"cam_a/person_0001", "second", "Where"} <= set(words)
    assert words.count("strongest cell 2 × uniform") == 2


def test_title_fits_a_narrow_figure():
    figure = attention_over_time([strip(count=1)], title="a long title " * 4)
    figure.draw_without_rendering()
    title = next(text for text in figure.texts if text.get_text().startswith("a long"))
    assert title.get_window_extent().x1 <= figure.bbox.x1


def test_upsampling_is_bilinear_with_cells_centred():
    rows = upsample(np.array([[0.0, 0.0], [4.0, 4.0]]), 4, 2)
    assert rows[:, 0] == pytest.approx([0, 1, 3, 4])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": np.zeros((6, 8, 4, 3))}, r"frames must be uint8 \[n, H, W, 3\], got float64"),
        ({"frames": np.zeros((0, 8, 4, 3), np.uint8)}, "at least one frame"),
        ({"attention": np.full((6, 4), 0.25)}, r"attention must be \[n, H, W\], got \[6, 4\]"),
        ({"attention": np.full((5, 2, 2), 0.25)}, "attention has 5 entries for 6 frames"),
        ({"frame_weights": np.ones(3) / 3}, "frame_weights has 3 entries for 6 frames"),
        ({"positions": np.arange(7)}, "positions has 7 entries for 6 frames"),
        ({"attention": np.ones((6, 2, 2))}, "must sum to 1, found a sum of 4"),
        ({"frame_weights": np.ones(6)}, "must sum to 1, found a sum of 6"),
    ],
)
def test_a_strip_that_does_not_fit_together_is_named(changes, message):
    with pytest.raises(ValueError, match=f"clip 'cam_a/person_0001': .*{message}"):
        strip(**changes)


def test_figures_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match="at least one AttentionStrip"):
        attention_over_time([])
    with pytest.raises(ValueError, match="shown: expected at least 1"):
        attention_over_time([strip()], shown=0)
    with pytest.raises(ValueError, match="grids of 2 x 2, 3 x 3 cells"):
        attention_over_time([strip(), strip(side=3)])


def test_a_response_is_drawn_between_frame_and_attention():
    response = np.zeros((6, 2, 2))
    response[:, 1, 1] = 1
    figure = attention_over_time([strip(response=response, response_name="channel\n7")], shown=1)
    drawn = heats(figure)
    assert len(drawn) == 2
    assert np.asarray(drawn[0].get_array())[-1, -1] == 1
    assert drawn[0].get_cmap().name != drawn[1].get_cmap().name
    assert "channel\n7" in [text.get_text() for text in figure.texts]
    tops = [image.axes.get_position().y0 for image in drawn]
    assert tops == sorted(tops, reverse=True)


def test_responses_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"response must have the shape of attention, \[6, 2, 2\]"):
        strip(response=np.zeros((6, 3, 3)))
    with pytest.raises(ValueError, match="1 of 2 have a response"):
        attention_over_time([strip(response=np.zeros((6, 2, 2))), strip()])


def grey(picture):
    assert picture.dtype == np.uint8
    assert picture.min() == picture.max()
    return int(picture.max())


def test_strips_hold_the_windows_frames_and_positions(pictures):
    windows = pd.DataFrame({"tracklet": ["b/3"], "role": ["gallery"], "start": [2], "stop": [5]})
    maps, weights = np.full((3, 2, 2), 0.25), np.full(3, 1 / 3)
    (strip,) = attention_strips(windows, [maps], [weights], pictures)
    assert "b/3" in strip.label
    assert "gallery" in strip.label
    assert [grey(frame) for frame in strip.frames] == [42, 43, 44]
    assert strip.positions.tolist() == [2, 3, 4]
    assert strip.attention is maps
    assert strip.frame_weights is weights


def test_a_table_of_attention_becomes_the_strips_it_was_made_of(pictures, windows):
    generator = np.random.default_rng(0)
    maps = [generator.dirichlet(np.ones(8), count).reshape(count, 4, 2) for count in (3, 2)]
    weights = [generator.dirichlet(np.ones(count)) for count in (3, 2)]
    responses = [(4, generator.random((3, 4, 2))), (6, generator.random((2, 4, 2)))]
    table = attention_table(windows, maps, weights, responses)
    strips = strips_of_table(table, pictures)
    assert [strip.label for strip in strips] == ["b/3 (probe)", "a/1 (probe)"]
    for strip, expected, alpha, (channel, response) in zip(
        strips, maps, weights, responses, strict=True
    ):
        np.testing.assert_array_equal(strip.attention, expected)
        np.testing.assert_array_equal(strip.frame_weights, alpha)
        np.testing.assert_array_equal(strip.response, response)
        assert str(channel) in strip.response_name
    assert [grey(frame) for frame in strips[0].frames] == [42, 43, 44]


def test_a_table_is_drawn_under_its_trial_or_a_title(pictures, windows):
    even = [np.full((count, 2, 2), 0.25) for count in (3, 2)]
    weights = [np.full(count, 1 / count) for count in (3, 2)]
    responses = [(4, np.zeros((3, 2, 2))), (6, np.zeros((2, 2, 2)))]
    table = attention_table(windows, even, weights, responses)
    words = [text.get_text() for text in FIGURES["attention"].draw(pictures, table).texts]
    assert {"b/3 (probe)", "a/1 (probe)"} <= set(words)
    assert any(word.endswith("trial_00") for word in words)
    mine = FIGURES["attention"].draw(pictures, table, title="Mine")
    title = "Mine, probes of the least even attention, trial_00"
    assert title in [text.get_text() for text in mine.texts]
