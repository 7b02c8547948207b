"""Pictures gathered for the figures: the right frames, in order, of the right tracklets."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wherewhen.reporting.pictures import attention_strips, rank_pictures
from wherewhen.reporting.tables import first_matches
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


def grey(picture):
    assert picture.dtype == np.uint8
    assert picture.min() == picture.max()
    return int(picture.max())


def test_ranked_rows_hold_the_nearest_and_the_match(pictures):
    rankings = pd.DataFrame(
        {
            "trial": "trial_00",
            "features": "network",
            "metric": "cosine",
            "probe": "a/1",
            "rank": [3, 1, 2],
            "gallery": ["b/1", "b/2", "b/3"],
            "distance": [0.9, 0.2, 0.5],
            "correct": [True, False, False],
        }
    )
    (row,) = rank_pictures(first_matches(rankings), rankings, pictures, shown=2)
    assert grey(row.picture) == 12
    assert [grey(picture) for picture in row.gallery] == [32, 42]
    assert list(row.correct) == [False, False]
    assert list(row.distances) == [0.2, 0.5]
    assert (row.match_rank, row.match_distance, row.gallery_size) == (3, 0.9, 3)
    assert grey(row.match_picture) == 22


def test_strips_hold_the_windows_frames_and_positions(pictures):
    windows = pd.DataFrame({"tracklet": ["b/3"], "role": ["gallery"], "start": [2], "stop": [5]})
    maps, weights = np.full((3, 2, 2), 0.25), np.full(3, 1 / 3)
    (strip,) = attention_strips(windows, [maps], [weights], pictures)
    assert "b/3" in strip.label
    assert "gallery" in strip.label
    assert [grey(frame) for frame in strip.frames] == [42, 43, 44]
    assert strip.positions.tolist() == [2, 3, 4]
    assert strip.attention is maps
    assert strip.frame_weights is weights
