"""The method in one picture: the ranking above, the attention and the weights below."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.reporting.figures import FIGURES, AttentionStrip, RankedProbe
from wherewhen.reporting.figures.where_and_when import where_and_when
from wherewhen.reporting.style import RIGHT, WRONG
from wherewhen.tracklets.cubes import ArrayCubes


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
    assert {(heat.norm.vmin, heat.norm.vmax) for heat in heats} == {(0, 6)}
    (bars,) = [axes for axes in figure.axes if len(axes.patches) == 3 and not axes.images]
    assert [bar.get_height() for bar in bars.patches] == pytest.approx([1.5, 0.75, 0.75])


def test_words_say_what_is_shown(figure):
    words = {text.get_text() for text in figure.texts}
    assert {"Where", "When", "of one", "probe", "rank 1", "2"} <= words


@pytest.fixture
def of_a_run():
    """Cubes, a network, windows and rankings where the queries are in the gallery, too, as in MARS.

    As a query a tracklet is its first two frames, in the gallery its last two.
    """
    generator = np.random.default_rng(0)
    names = ["a/1", "b/1", "b/2"]
    cubes = ArrayCubes({name: generator.random((5, 2, 2, 4)).astype(np.float32) for name in names})
    windows = pd.DataFrame(
        [(name, role, *place)
         for role, place in (("gallery", (3, 5)), ("probe", (0, 2)))
         for name in names],
        columns=["tracklet", "role", "start", "stop"],
    )  # fmt: skip
    rows = [
        ("b/1", 1, "a/1", 0.1, True),
        ("b/1", 2, "b/2", 0.4, False),
        ("b/2", 1, "a/1", 0.3, False),
        ("b/2", 2, "b/1", 0.7, True),
    ]
    rankings = pd.DataFrame(rows, columns=["probe", "rank", "gallery", "distance", "correct"])
    rankings = rankings.assign(trial="trial_00", features="network", metric="cosine")
    scores = pd.DataFrame(
        [("network", "official", "cosine", measure, 0.5) for measure in ("rank-1", "mAP")],
        columns=["features", "protocol", "metric", "measure", "value"],
    )
    network = build_network(NetworkConfig(projection=3, channels=[4]), 4, 2)
    return scores, cubes, network, windows, rankings


def test_queries_in_the_gallery_are_shown_as_queries(pictures, of_a_run):
    figure = FIGURES["where_and_when"].draw(pictures, *of_a_run)
    shown = [int(np.asarray(axes.images[0].get_array()).min()) for axes in figure.axes[:3]]
    assert shown == [22, 12, 32]  # the middle frames of b/1, a/1 and b/2
    (bars,) = [axes for axes in figure.axes if len(axes.patches) == 2 and not axes.images]
    assert [label.get_text() for label in bars.get_xticklabels()] == ["0", "1"]


def test_attention_is_shown_of_the_role_that_a_tracklet_is_ranked_in(pictures, of_a_run):
    figure = FIGURES["attention_over_time"].draw(pictures, *of_a_run, 3)
    labels = [text.get_text() for text in figure.texts if text.get_text().endswith(")")]
    assert labels == ["b/1 (probe)", "a/1 (gallery)", "b/2 (probe)"]
