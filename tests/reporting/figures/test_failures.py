"""Failures: the probe, the wrong answer and the true match side by side."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from wherewhen.reporting.figures import FIGURES, failed_probes
from wherewhen.reporting.style import INK, RIGHT, WRONG
from wherewhen.reporting.tables import failures


class Frames:
    """Tracklets of frames that can be told by their grey."""

    def clip(self, tracklet):
        grey, count = {"a/1": (10, 4), "b/2": (20, 2), "b/1": (30, 4)}[tracklet]
        return np.stack([np.full((8, 4, 3), grey + i, dtype=np.uint8) for i in range(count)])


def table(count=1, gallery_size=None):
    line = ("a/1", "b/2", "b/1", 7, 0.5, 0.75, gallery_size)
    names = ["probe", "retrieved", "gallery", "rank", "retrieved_distance", "distance"]
    lines = pd.DataFrame([line] * count, columns=[*names, "gallery_size"])
    return lines.astype({"gallery_size": "Int64"})


def drawn(failed, **options):
    return failed_probes(failed, Frames(), title="Failures", **options)


def texts(figure):
    return [text.get_text() for text in figure.texts]


def test_frames_in_time_with_the_border_of_what_they_are():
    figure = drawn(table(), shown=2)
    greys = [int(np.asarray(axes.images[0].get_array()).max()) for axes in figure.axes]
    assert greys == [11, 13, 20, 21, 31, 33]
    borders = [axes.spines["left"].get_edgecolor() for axes in figure.axes]
    colours = [INK] * 2 + [WRONG] * 2 + [RIGHT] * 2
    assert all(map(same_color, borders, colours))


def test_words_say_what_came_instead_and_where_the_match_is():
    said = texts(drawn(table(gallery_size=40), facts="1 of 1"))
    assert "a/1" in said
    assert "b/2, distance 0.500" in said
    assert "✓ true match, rank 7 of 40" in said
    assert "✓ true match, rank 7" in texts(drawn(table()))
    assert "b/1, distance 0.750" in said
    assert "1 of 1" in said


def test_nothing_is_covered():
    figure = drawn(table(2))
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.texts]
    boxes += [axes.get_window_extent() for axes in figure.axes]
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_no_failures_are_said():
    figure = drawn(table(0))
    assert "No probe failed: every true match came first." in texts(figure)


@pytest.fixture
def ranking():
    names = ["probe", "rank", "gallery", "distance", "correct"]
    rows = [("a/1", 1, "b/2", 0.2, False), ("a/1", 2, "b/1", 0.5, True)]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(trial="trial_00", features="network", metric="cosine")


def test_failures_hold_the_wrong_answer_and_the_match(pictures, ranking):
    figure = failed_probes(failures(ranking), pictures, shown=9, title="Failures")
    greys = [int(np.asarray(axes.images[0].get_array()).max()) for axes in figure.axes]
    assert greys == [*range(10, 15), *range(30, 35), *range(20, 25)]  # a/1, b/2, b/1
    assert {"✓ true match, rank 2 of 2", "b/2, distance 0.200"} <= set(texts(figure))
    with pytest.raises(ValueError, match="shown: expected at least 1 frame"):
        failed_probes(failures(ranking), pictures, shown=0, title="Failures")


def test_the_record_says_how_many_failed_by_which_metric(pictures, ranking):
    others = ranking.assign(metric="lfda", correct=True)
    both = pd.concat([ranking, others], ignore_index=True)
    figure = FIGURES["failures"].draw(pictures, failures(ranking), both, "cosine", 3)
    said = [text.get_text() for text in figure.texts]
    assert "Failures, network + cosine, trial_00" in said
    assert "the worst 1 of 1 failures among 1 probes" in said
    mine = FIGURES["failures"].draw(pictures, failures(ranking), both, "cosine", 3, title="Mine")
    assert "Mine, trial_00" in [text.get_text() for text in mine.texts]
