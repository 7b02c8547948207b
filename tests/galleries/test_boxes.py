import importlib.util
import json

import pytest
from walkers import film_walkers, see_walkers

from wherewhen import detection
from wherewhen.galleries import boxes as galleries_boxes
from wherewhen.galleries.boxes import NoBoxesError, People, boxes_of
from wherewhen.tracklets.readers import read


@pytest.fixture
def site(tmp_path):
    """Two videos, which nobody opens."""
    for name in ("hall.mp4", "yard.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def test_boxes_that_are_there_are_used(site):
    (site / "hall.txt").touch()
    assert boxes_of(site / "hall.mp4", People(), "site") is None  # the reader finds them
    given = site / "tracks.txt"
    given.touch()
    assert boxes_of(site / "yard.mp4", People(boxes=str(given)), "site") == given
    assert boxes_of(site / "yard.mp4", People(), "site", known=given) == given
    with pytest.raises(NoBoxesError, match=r"yard.mp4: some of the footage has boxes, and some"):
        boxes_of(site, People(), "site")


def test_without_a_tracker_both_ways_out_are_named(site, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "trackers" else find(name)
    )
    with pytest.raises(NoBoxesError, match=r"(?s)hall.mp4 has no boxes.*1\. .*hall.txt.*2\. .*det"):
        boxes_of(site, People(), "site")


def test_who_is_found_is_kept_with_what_found_them(tmp_path, monkeypatch):
    pytest.importorskip("trackers")

    class Detector:
        """Stands for torchvision's, whose weights are no part of this project."""

        calls = 0

        def __init__(self, name, weights):
            self.identity = {"detector": name, "weights": weights and weights.name}

        def __call__(self, picture):
            Detector.calls += 1
            return see_walkers(picture)

    monkeypatch.setattr(detection, "Detector", Detector)
    monkeypatch.setattr(galleries_boxes, "project_root", lambda: tmp_path)
    video = film_walkers(tmp_path / "yard.avi", 8)
    found = boxes_of(video, People(), "site")
    assert found.parent == tmp_path / "data/02_intermediate/site"
    about = json.loads((found / "about.json").read_text())
    assert about["detector"] == detection.DETECTOR
    assert list(about["videos"]) == ["yard.avi"]
    ingested = read("mot", video, boxes=found, progress=False)
    assert ingested.tracklets["camera"].tolist() == ["yard", "yard"]

    assert boxes_of(video, People(), "site") == found
    assert Detector.calls == 8  # nobody has looked again
    other = boxes_of(video, People(weights="/else/weights.pth"), "site")
    assert (other != found, Detector.calls) == (True, 16)
    film_walkers(video, 9)
    assert boxes_of(video, People(), "site") not in (found, other)
