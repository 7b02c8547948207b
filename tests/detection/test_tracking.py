import numpy as np
import pytest
from walkers import film_walkers, number_of, see_walkers

from wherewhen.tracklets.ingest import IngestError
from wherewhen.tracklets.mot_files import read_boxes

pytest.importorskip("trackers")
pytest.importorskip("av")

from wherewhen.detection.tracking import track_people


def track(tmp_path, to, pictures, detect=see_walkers, rate=10):
    return track_people(film_walkers(tmp_path / "yard.avi", pictures, rate), detect, to, False)


def test_people_who_walk_are_followed(tmp_path):
    to = tmp_path / "boxes/yard.txt"
    assert track(tmp_path, to, 12) == 2
    boxes = read_boxes(to)
    first, second = (each for _, each in boxes.groupby("id"))
    assert first["left"].tolist() == [2 + 2 * (frame - 1) for frame in first["frame"]]
    assert second["left"].tolist() == [50 - 2 * (frame - 1) for frame in second["frame"]]
    assert (boxes[["width", "height"]] == [10, 20]).all(axis=None)
    assert first["frame"].tolist()[-8:] == list(range(5, 13))
    assert set(boxes["confidence"]) == {0.9, 0.8}


def test_ten_pictures_a_second_are_looked_at(tmp_path):
    to, looked_at = tmp_path / "yard.txt", []

    def detect(picture):
        looked_at.append(number_of(picture))
        return see_walkers(picture)

    track(tmp_path, to, 20, detect, rate=20)
    assert looked_at == list(range(0, 20, 2))
    assert set(read_boxes(to)["frame"] % 2) == {1}  # the first frame is 1


def test_nobody_is_found(tmp_path):
    to = tmp_path / "yard.txt"
    with pytest.raises(IngestError, match=r"yard.avi: nobody was found in 6 pictures"):
        track(tmp_path, to, 6, lambda picture: np.empty((0, 5)))
    with pytest.raises(IngestError, match="nobody was found"):  # who is seen four times only
        track(tmp_path, to, 4)
    assert not to.exists()
