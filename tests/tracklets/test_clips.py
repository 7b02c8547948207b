import numpy as np
import pytest

from wherewhen.tracklets.clips import (
    cyclic_positions,
    spread_positions,
    spread_windows,
    test_window,
    training_window,
)


def test_training_windows_fit_and_are_uniform():
    generator = np.random.default_rng(0)
    starts = np.array([training_window(25, 20, generator) for _ in range(6000)])
    counts = np.bincount(starts)
    assert len(counts) == 6
    assert counts.min() > 900
    assert training_window(20, 20, generator) == 0
    assert training_window(3, 20, generator) == 0


def test_one_tracklets_length_does_not_shift_the_next_draw():
    first, second = np.random.default_rng(1), np.random.default_rng(1)
    training_window(5, 20, first)
    training_window(500, 20, second)
    assert training_window(100, 20, first) == training_window(100, 20, second)


def test_spread_frames_are_one_of_each_part():
    generator = np.random.default_rng(0)
    drawn = np.array([spread_positions(11, 4, generator) for _ in range(4000)])
    parts = [(0, 1), (2, 3, 4), (5, 6, 7), (8, 9, 10)]  # cut at 2.75, 5.5 and 8.25
    for column, part in zip(drawn.T, parts, strict=True):
        values, counts = np.unique(column, return_counts=True)
        assert tuple(values) == part
        assert counts.min() > 4000 / len(part) * 0.9  # uniform
    assert spread_positions(4, 4, generator).tolist() == [0, 1, 2, 3]
    assert spread_positions(2, 4, generator).tolist() == [0, 1]
    by_hand = np.array([0, 10, 20, 30]) + (np.random.default_rng(3).random(4) * 10).astype(int)
    assert spread_positions(40, 4, np.random.default_rng(3)).tolist() == by_hand.tolist()


def test_the_length_does_not_shift_the_draws_of_spread_frames():
    first, second = np.random.default_rng(1), np.random.default_rng(1)
    spread_positions(3, 20, first)
    spread_positions(500, 20, second)
    assert first.random() == second.random()


def test_short_videos_repeat_and_the_repeats_are_masked():
    positions, mask = cyclic_positions(2, 5, 7)
    assert positions.tolist() == [2, 3, 4, 2, 3, 4, 2]
    assert mask.tolist() == [True] * 3 + [False] * 4
    positions, mask = cyclic_positions(10, 30, 4)
    assert positions.tolist() == [10, 11, 12, 13]
    assert mask.all()


def test_probes_start_and_galleries_end():
    assert test_window(200, 128, "probe") == (0, 128)
    assert test_window(200, 128, "gallery") == (72, 200)
    assert test_window(200, 128, "train") == (0, 128)
    assert test_window(50, 128, "gallery") == (0, 50)
    assert test_window(200, None, "gallery") == (0, 200)


def test_windows_spread_from_the_first_to_the_last():
    assert spread_windows(100, 20, 5).tolist() == [0, 20, 40, 60, 80]
    assert spread_windows(100, 20, 1).tolist() == [40]
    assert spread_windows(22, 20, 5).tolist() == [0, 1, 2]
    assert spread_windows(7, 20, 4).tolist() == [0]


def test_errors():
    with pytest.raises(ValueError, match="role 'query' is unknown: expected one of train"):
        test_window(5, 5, "query")
    with pytest.raises(ValueError, match="length is 0"):
        spread_windows(0, 5, 2)
    with pytest.raises(ValueError, match=r"window \[4, 4\) is empty"):
        cyclic_positions(4, 4, 2)
    with pytest.raises(ValueError, match="limit is 0"):
        test_window(5, 0, "probe")
