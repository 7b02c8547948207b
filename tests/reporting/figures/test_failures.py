"""Failures: the probe, the wrong answer and the true match side by side."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from wherewhen.reporting.figures import FIGURES, FailedProbe, failed_probes, failure_pictures
from wherewhen.reporting.style import INK, RIGHT, WRONG
from wherewhen.reporting.tables import failures


def frames(grey, count=4):
    return np.stack([np.full((8, 4, 3), grey + i, dtype=np.uint8) for i in range(count)])


def failure(**changes):
    fields = {
        "probe": "a/1",
        "retrieved": "b/2",
        "match": "b/1",
        "probe_frames": frames(10),
        "retrieved_frames": frames(20, count=2),
        "match_frames": frames(30),
        "rank": 7,
        "retrieved_distance": 0.5,
        "match_distance": 0.75,
    }
    return FailedProbe(**(fields | changes))


def texts(figure):
    return [text.get_text() for text in figure.texts]


def test_frames_in_time_with_the_border_of_what_they_are():
    figure = failed_probes([failure()], shown=2, title="Failures")
    greys = [int(np.asarray(axes.images[0].get_array()).max()) for axes in figure.axes]
    assert greys == [11, 13, 20, 21, 31, 33]
    borders = [axes.spines["left"].get_edgecolor() for axes in figure.axes]
    colours = [INK] * 2 + [WRONG] * 2 + [RIGHT] * 2
    assert all(map(same_color, borders, colours))


def test_words_say_what_came_instead_and_where_the_match_is():
    said = texts(failed_probes([failure(gallery_size=40)], title="Failures", facts="1 of 1"))
    assert "a/1" in said
    assert "b/2, distance 0.500" in said
    assert "✓ true match, rank 7 of 40" in said
    assert "b/1, distance 0.750" in said
    assert "1 of 1" in said


def test_nothing_is_covered():
    figure = failed_probes([failure(), failure()], title="Failures")
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.texts]
    boxes += [axes.get_window_extent() for axes in figure.axes]
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_no_failures_are_said():
    figure = failed_probes([], title="Failures")
    assert "No probe failed: every true match came first." in texts(figure)


def test_what_has_not_failed_is_refused():
    with pytest.raises(ValueError, match=r"'a/1': rank is 1; a probe whose match comes first"):
        failure(rank=1)
    with pytest.raises(ValueError, match="match_frames is empty"):
        failure(match_frames=frames(1)[:0])


def grey(picture):
    assert picture.dtype == np.uint8
    assert picture.min() == picture.max()
    return int(picture.max())


@pytest.fixture
def ranking():
    names = ["probe", "rank", "gallery", "distance", "correct"]
    rows = [("a/1", 1, "b/2", 0.2, False), ("a/1", 2, "b/1", 0.5, True)]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(trial="trial_00", features="network", metric="cosine")


def test_failures_hold_the_wrong_answer_and_the_match(pictures, ranking):
    (failed,) = failure_pictures(failures(ranking), pictures)
    assert (failed.probe, failed.retrieved, failed.match) == ("a/1", "b/2", "b/1")
    assert [grey(frame) for frame in failed.match_frames] == [20, 21, 22, 23, 24]
    assert [grey(frame) for frame in failed.retrieved_frames] == [30, 31, 32, 33, 34]
    assert (failed.rank, failed.gallery_size) == (2, 2)
    assert (failed.retrieved_distance, failed.match_distance) == (0.2, 0.5)


def test_the_record_says_how_many_failed_by_which_metric(pictures, ranking):
    others = ranking.assign(metric="lfda", correct=True)
    both = pd.concat([ranking, others], ignore_index=True)
    figure = FIGURES["failures"].draw(pictures, failures(ranking), both, "cosine", 3)
    said = [text.get_text() for text in figure.texts]
    assert "Failures, network + cosine, trial_00" in said
    assert "the worst 1 of 1 failures among 1 probes" in said
    mine = FIGURES["failures"].draw(pictures, failures(ranking), both, "cosine", 3, title="Mine")
    assert "Mine, trial_00" in [text.get_text() for text in mine.texts]
