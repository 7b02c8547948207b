import numpy as np
import pytest

from wherewhen.reporting.figures.answer import Found, answer_sheet
from wherewhen.reporting.style import BLUE

PICTURE = np.full((128, 64, 3), 90, np.uint8)


def found(number, picture=PICTURE):
    return [
        Found(f"cam_b/person_{each:04}", 0.1 * each, 0.5, each == 0, picture)
        for each in range(number)
    ]


def test_the_probe_then_every_tracklet_with_its_words():
    figure = answer_sheet(PICTURE, found(3), title="Nearest", facts="by cosine")
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels[0] == "probe"
    assert labels[2].splitlines() == ["2  …b/person_0001", "distance 0.100", "50 % probable"]
    assert (
        figure.axes[1].spines["left"].get_edgecolor()
        != figure.axes[2].spines["left"].get_edgecolor()
    )
    assert figure.axes[1].xaxis.label.get_color() == BLUE


def test_rows_are_filled_and_nothing_overlaps():
    figure = answer_sheet(PICTURE, found(7), columns=3)
    boxes = [axes.get_position() for axes in figure.axes]
    assert len({round(box.y0, 6) for box in boxes}) == 3
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_frames_that_are_gone_are_said_to_be():
    figure = answer_sheet(None, found(1, None))
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["frame is gone"] * 2


def test_no_column_is_refused():
    with pytest.raises(ValueError, match="expected at least 1 column"):
        answer_sheet(PICTURE, found(1), columns=0)
