"""Tracklets whose frames can be told by their grey."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wherewhen.tracklets.pictures import TrackletPictures


@pytest.fixture
def pictures(tmp_path):
    """Four tracklets of five frames; a frame is as grey as 10 x its tracklet + its position."""
    rows = []
    for number, tracklet in enumerate(("a/1", "b/1", "b/2", "b/3"), start=1):
        (tmp_path / tracklet).mkdir(parents=True)
        for position in range(5):
            path = f"{tracklet}/{position}.png"
            grey = np.full((8, 4, 3), 10 * number + position, dtype=np.uint8)
            Image.fromarray(grey).save(tmp_path / path)
            rows.append((tracklet, position, path))
    frames = pd.DataFrame(rows, columns=["tracklet", "position", "path"])
    return TrackletPictures(tmp_path, frames.sample(frac=1, random_state=0))


@pytest.fixture
def windows():
    table = pd.DataFrame({"tracklet": ["b/3", "a/1"], "start": [2, 0], "stop": [5, 2]})
    return table.assign(trial="trial_00", person="p", camera="a", role="probe")
