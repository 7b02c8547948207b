"""Where and when, as tables: every number at its frame and cell."""

import numpy as np
import pandas as pd
import pytest

from wherewhen.reporting.looks import (
    attention_table,
    frame_weight_table,
    high_response,
    least_even,
    unevenness,
)


@pytest.fixture
def windows():
    rows = [("a/1", "1", 0, 2), ("a/2", "2", 3, 6)]
    table = pd.DataFrame(rows, columns=["tracklet", "person", "start", "stop"], index=[7, 3])
    return table.assign(trial="trial_00", camera="a", role="probe")


WEIGHTS = [np.array([0.25, 0.75]), np.array([0.5, 0.3, 0.2])]


def test_weights_stand_at_their_frames_and_relative_to_uniform(windows):
    table = frame_weight_table(windows, WEIGHTS)
    assert table.tracklet.tolist() == ["a/1"] * 2 + ["a/2"] * 3
    assert table.position.tolist() == [0, 1, 3, 4, 5]
    assert table.weight.tolist() == [0.25, 0.75, 0.5, 0.3, 0.2]
    assert table.relative.tolist() == pytest.approx([0.5, 1.5, 1.5, 0.9, 0.6])


def test_attention_stands_at_its_cells(windows):
    maps = [np.arange(4 * n).reshape(n, 2, 2) / 100 for n in (2, 3)]
    responses = [(5, 1 - maps[0]), (9, 1 - maps[1])]
    table = attention_table(windows, maps, WEIGHTS, responses)
    assert len(table) == 4 * 5
    cell = table[(table.tracklet == "a/2") & (table.position == 4)].set_index(["row", "column"])
    assert cell.loc[(1, 0), "attention"] == pytest.approx(maps[1][1, 1, 0])
    assert cell.loc[(1, 0), "response"] == pytest.approx(1 - maps[1][1, 1, 0])
    assert set(cell.channel) == {9}
    assert set(cell.weight) == {0.3}


def test_the_channel_that_varies_answers_not_the_one_that_is_high():
    cubes = np.zeros((2, 2, 2, 3), dtype=np.float16)
    cubes[..., 0] = 100.0
    cubes[1, 0, 1, 2] = 4.0
    channel, response = high_response(cubes)
    assert channel == 2
    assert response[1, 0, 1] == 1
    assert response.sum() == 1


def test_a_response_without_any_difference_is_zero():
    assert not high_response(np.ones((2, 2, 2, 3)))[1].any()


def test_unevenness_by_hand():
    assert unevenness(np.array([0.25] * 4)) == 0
    assert unevenness(np.array([0.5, 0.5, 0, 0])) == pytest.approx(1)
    assert unevenness(np.array([[0.5, 0.5], [1, 0]])) == pytest.approx(0.5**0.5)


def test_the_least_even_first_and_of_equals_the_first():
    even, some, most = np.array([0.5, 0.5]), np.array([0.4, 0.6]), np.array([0.1, 0.9])
    assert least_even([even, some, most, some], 3) == [2, 1, 3]
    assert least_even([even], 5) == [0]
