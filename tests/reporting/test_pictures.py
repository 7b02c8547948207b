"""Pictures gathered for the figures: the right frames, in order, of the right tracklets."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wherewhen.reporting.looks import attention_table, frame_weight_table
from wherewhen.reporting.pictures import (
    attention_strips,
    failure_pictures,
    rank_pictures,
    strips_of_table,
    weighted_clips,
)
from wherewhen.reporting.tables import failures, first_matches
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


@pytest.fixture
def windows():
    table = pd.DataFrame({"tracklet": ["b/3", "a/1"], "start": [2, 0], "stop": [5, 2]})
    return table.assign(trial="trial_00", person="p", camera="a", role="probe")


def test_a_table_of_attention_becomes_the_strips_it_was_made_of(pictures, windows):
    generator = np.random.default_rng(0)
    maps = [generator.dirichlet(np.ones(9), count).reshape(count, 3, 3) for count in (3, 2)]
    weights = [generator.dirichlet(np.ones(count)) for count in (3, 2)]
    responses = [(4, generator.random((3, 3, 3))), (6, generator.random((2, 3, 3)))]
    table = attention_table(windows, maps, weights, responses)
    strips = strips_of_table(table, pictures)
    assert [strip.label for strip in strips] == ["b/3 (probe)", "a/1 (probe)"]
    for strip, expected, alpha, (channel, response) in zip(
        strips, maps, weights, responses, strict=True
    ):
        np.testing.assert_array_equal(strip.attention, expected)
        np.testing.assert_array_equal(strip.frame_weights, alpha)
        np.testing.assert_array_equal(strip.response, response)
        assert str(channel) in strip.response_name
    assert [grey(frame) for frame in strips[0].frames] == [42, 43, 44]


def test_weighted_clips_hold_the_windows_frames(pictures, windows):
    table = frame_weight_table(windows, [np.array([0.2, 0.3, 0.5]), np.array([0.4, 0.6])])
    first, second = weighted_clips(table, pictures)
    assert (first.label, second.label) == ("b/3 (probe)", "a/1 (probe)")
    assert [grey(frame) for frame in first.frames] == [42, 43, 44]
    assert first.positions.tolist() == [2, 3, 4]
    assert second.frame_weights.tolist() == [0.4, 0.6]


def test_failures_hold_the_wrong_answer_and_the_match(pictures):
    names = ["probe", "rank", "gallery", "distance", "correct"]
    rows = [("a/1", 1, "b/2", 0.2, False), ("a/1", 2, "b/1", 0.5, True)]
    ranking = pd.DataFrame(rows, columns=names)
    ranking = ranking.assign(trial="trial_00", features="network", metric="cosine")
    (failed,) = failure_pictures(failures(ranking), pictures)
    assert (failed.probe, failed.retrieved, failed.match) == ("a/1", "b/2", "b/1")
    assert [grey(frame) for frame in failed.match_frames] == [20, 21, 22, 23, 24]
    assert [grey(frame) for frame in failed.retrieved_frames] == [30, 31, 32, 33, 34]
    assert (failed.rank, failed.gallery_size) == (2, 2)
    assert (failed.retrieved_distance, failed.match_distance) == (0.2, 0.5)
