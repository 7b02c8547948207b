import numpy as np
import pytest

from wherewhen.reporting.figures.groups import Group, group_sheet

PICTURE = np.full((128, 64, 3), 90, np.uint8)


def group(number, size, picture=PICTURE):
    labels = [f"cam_a/person_{each:04}" for each in range(size)]
    return Group(f"{number}: {size} tracklets", labels, [picture] * size)


def test_every_tracklet_is_drawn_under_its_groups_title():
    figure = group_sheet([group(1, 5), group(2, 2)], columns=3, title="Persons", facts="by cosine")
    assert len(figure.axes) == 7
    assert [text.get_text() for text in figure.texts][-2:] == ["1: 5 tracklets", "2: 2 tracklets"]
    rows = sorted({round(axes.get_position().y0, 6) for axes in figure.axes}, reverse=True)
    assert len(rows) == 3
    assert figure.axes[4].get_xlabel() == "…b/person_0004".replace("b", "a", 1)
    boxes = [axes.get_position() for axes in figure.axes]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_frames_that_are_gone_are_said_to_be():
    figure = group_sheet([group(1, 2, None)])
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["frame is gone"] * 2


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="expected at least 1 group"):
        group_sheet([])
    with pytest.raises(ValueError, match="expected at least 1 column"):
        group_sheet([group(1, 2)], columns=0)
