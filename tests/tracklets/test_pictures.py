"""Frames of tracklets as arrays: in order, and of one size."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wherewhen.tracklets.pictures import TrackletPictures


@pytest.fixture
def pictures(tmp_path):
    """A tracklet of five frames, each as grey as its position; the table is in no order."""
    for position in range(5):
        grey = np.full((8, 4, 3), position, dtype=np.uint8)
        Image.fromarray(grey).save(tmp_path / f"{position}.png")
    rows = [("t", position, f"{position}.png") for position in (3, 0, 4, 2, 1)]
    return TrackletPictures(tmp_path, pd.DataFrame(rows, columns=["tracklet", "position", "path"]))


def test_clip_is_in_the_order_of_positions(pictures):
    clip = pictures.clip("t", 1, 4)
    assert clip.shape == (3, 8, 4, 3)
    assert clip.dtype == np.uint8
    assert [frame.max() for frame in clip] == [1, 2, 3]


def test_middle_frame_stands_for_a_tracklet(pictures):
    assert pictures.middle("t").max() == 2


def test_frames_of_other_modes_and_sizes_fit_the_first(tmp_path):
    Image.new("RGB", (4, 8)).save(tmp_path / "0.png")
    Image.new("L", (6, 6)).save(tmp_path / "1.png")
    frames = pd.DataFrame({"tracklet": "t", "position": [0, 1], "path": ["0.png", "1.png"]})
    assert TrackletPictures(tmp_path, frames).clip("t", 0, 2).shape == (2, 8, 4, 3)
