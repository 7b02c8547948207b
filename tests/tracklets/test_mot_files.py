import pytest

from wherewhen.tracklets.ingest import IngestError
from wherewhen.tracklets.mot_files import pedestrians, read_boxes, summary, write_boxes

TRUTH = """\
1,7,10,20,5.5,12,1,1,0.8
2,7,11,20,5.5,12,1,1,0.2
1,8,0,0,5,12,0,1,1
1,9,0,0,5,12,1,3,1
1,10,0,0,5,12,1,1,-1
"""


def written(folder, text):
    path = folder / "yard.txt"
    path.write_text(text)
    return path


def test_columns_of_mot16_choose_visible_pedestrians(tmp_path):
    boxes = read_boxes(written(tmp_path, TRUTH))
    assert boxes.loc[1].tolist() == [1, 7, 10, 20, 5.5, 12, 1, 1, 0.8]
    kept, left_out = pedestrians(boxes, min_visibility=0.5)
    assert kept.index.tolist() == [1, 5]  # line 5 does not say how visible it is
    assert kept.id.tolist() == [7, 10]
    assert summary(left_out) == (
        "boxes are left out: 1 with confidence 0, which means ignored, 1 of other classes than "
        "pedestrian (1), 1 with visibility below 0.5"
    )
    assert pedestrians(boxes, 0)[0].index.tolist() == [1, 2, 5]


def test_places_in_the_world_are_no_classes(tmp_path):
    boxes = read_boxes(written(tmp_path, "1,7,10,20,5,12,0.3,3,8,0\n2,7,10,20,5,12,0,3,8,0\n"))
    assert boxes["class"].tolist() == boxes["visibility"].tolist() == [-1, -1]
    assert pedestrians(boxes, 0.9)[0].index.tolist() == [1]


@pytest.mark.parametrize(
    "text",
    [
        "3,4,1,2,5,6",
        "3,4,1,2,5,6,-1",
        "\ufeff3.0,4.0,1,2,5,6,0.9,-1,-1,-1\r\n\n",
        "3 4 1 2 5 6",
        " 3, 4, 1, 2, 5, 6, 1,",
    ],
)
def test_as_programs_write_it(tmp_path, text):
    boxes, left_out = pedestrians(read_boxes(written(tmp_path, text)), 0)
    assert boxes.iloc[0, :6].tolist() == [3, 4, 1, 2, 5, 6]
    assert not left_out


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "yard.txt"
    write_boxes(path, [(1, 7, 10.125, -3, 5.5, 12, 0.75), (2, 7, 11, 20, 5, 12, 1)])
    assert path.read_text().splitlines()[0] == "1,7,10.12,-3.00,5.50,12.00,0.7500,-1,-1,-1"
    assert read_boxes(path)["left"].tolist() == [10.12, 11]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("1,2,3,4,5", "has 5 numbers, expected 10"),
        ("1,2,3,4,5,6,1", "has 7 numbers, expected 10"),
        ("1,2,,4,5,6,1,-1,-1,-1", "'' is no number"),
        ("1,2,x,4,5,6,1,-1,-1,-1", "'x' is no number"),
        ("1,2,nan,4,5,6,1,-1,-1,-1", "has a number that can't be used"),
        ("1,2,1e300,4,5,6,1,-1,-1,-1", "has a number that can't be used"),
        ("0,2,3,4,5,6,1,-1,-1,-1", "frame 0, expected a whole number from 1"),
        ("1.5,2,3,4,5,6,1,-1,-1,-1", "frame 1.5, expected a whole number from 1"),
        ("1,-1,3,4,5,6,1,-1,-1,-1", "id -1: a detection that belongs to no track"),
        ("1,2.5,3,4,5,6,1,-1,-1,-1", "id 2.5, expected a whole number from 0"),
        ("1,2,3,4,0,6,1,-1,-1,-1", "a box of 0x6, expected a width"),
        ("1,1,3,4,5,6,1,-1,-1,-1", "track 1 has a box in frame 1 already"),
    ],
)
def test_lines_that_can_not_be_used_are_named(tmp_path, line, fault):
    sound = "1,1,0,0,5,6,1,-1,-1,-1"
    path = written(tmp_path, f"{sound}\n\n{line}\n")
    with pytest.raises(IngestError, match=rf"yard.txt: 1 lines .* line 3 \({fault}.*Expected fra"):
        read_boxes(path)


def test_many_lines_are_counted(tmp_path):
    path = written(tmp_path, "1,1,0,0,5,6\n" + "x\n" * 7)
    with pytest.raises(IngestError, match=r"7 lines .*line 2 \(.*line 6 \([^()]*\) and 2 more\."):
        read_boxes(path)


def test_detections_are_not_tracks(tmp_path):
    path = written(tmp_path, "1,-1,0,0,5,6,0.9\n2,-1,0,0,5,6,0.9\n")
    with pytest.raises(IngestError, match="all 2 lines have id -1: they are detections"):
        read_boxes(path)
    with pytest.raises(IngestError, match="has no boxes"):
        read_boxes(written(tmp_path, "\n"))
