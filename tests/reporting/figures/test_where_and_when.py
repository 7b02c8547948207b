"""The method in one picture: the ranking above, the attention and the weights below."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from wherewhen.reporting.figures import AttentionStrip, RankedProbe
from wherewhen.reporting.figures.where_and_when import where_and_when
from wherewhen.reporting.style import RIGHT, WRONG


def grey(value):
    return np.full((8, 4, 3), value, dtype=np.uint8)


@pytest.fixture
def figure():
    probe = RankedProbe("a/1", grey(9), [grey(10), grey(20)], [False, True], [0.2, 0.3], 2, 0.3)
    attention = np.full((3, 2, 2), 0.25)
    attention[1] = [[0.75, 0.25], [0, 0]]
    strip = AttentionStrip(
        "a/1",
        frames=np.stack([grey(1), grey(2), grey(3)]),
        frame_weights=np.array([0.5, 0.25, 0.25]),
        attention=attention,
    )
    return where_and_when(probe, strip, title="Where", facts="of one")


def test_the_probe_stands_before_its_ranking(figure):
    ranking = [axes for axes in figure.axes if len(axes.images) == 1]
    assert [int(np.asarray(axes.images[0].get_array()).max()) for axes in ranking] == [9, 10, 20]
    edges = [axes.spines["left"].get_edgecolor() for axes in ranking[1:]]
    assert same_color(edges[0], WRONG)
    assert same_color(edges[1], RIGHT)


def test_attention_and_weights_are_relative_to_uniform_ones(figure):
    heats = [axes.images[1] for axes in figure.axes if len(axes.images) == 2]
    assert [float(np.asarray(heat.get_array())[0, 0]) for heat in heats] == [1, 3, 1]
    assert {(heat.norm.vmin, heat.norm.vmax) for heat in heats} == {(0, 3)}
    (bars,) = [axes for axes in figure.axes if len(axes.patches) == 3 and not axes.images]
    assert [bar.get_height() for bar in bars.patches] == pytest.approx([1.5, 0.75, 0.75])


def test_words_say_what_is_shown(figure):
    words = {text.get_text() for text in figure.texts}
    assert {"Where", "When", "of one", "probe", "rank 1", "2"} <= words
