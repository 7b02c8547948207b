"""Where and when, as tables: every number at its frame and cell."""

import numpy as np
import pandas as pd
import pytest

from wherewhen.reporting.looks import (
    attention_table,
    best_in_words,
    best_metric,
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
    maps = [np.arange(6 * n).reshape(n, 3, 2) / 100 for n in (2, 3)]
    responses = [(5, 1 - maps[0]), (9, 1 - maps[1])]
    table = attention_table(windows, maps, WEIGHTS, responses)
    assert len(table) == 6 * 5
    cell = table[(table.tracklet == "a/2") & (table.position == 4)].set_index(["row", "column"])
    assert cell.loc[(2, 1), "attention"] == pytest.approx(maps[1][1, 2, 1])
    assert cell.loc[(2, 1), "response"] == pytest.approx(1 - maps[1][1, 2, 1])
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


def scores_of(values):
    rows = [
        ("single_match", f"trial_{trial:02d}", features, metric, measure, value)
        for (features, metric), (rank_1, mean_ap) in values.items()
        for measure, of_trials in (("rank-1", rank_1), ("mAP", mean_ap))
        for trial, value in enumerate(of_trials)
    ]
    columns = ["protocol", "trial", "features", "metric", "measure", "value"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ({"lfda": ((0.5, 0.7), (0.1, 0.1)), "kissme": ((0.6, 0.5), (0.9, 0.9))}, "lfda"),
        ({"lfda": ((0.5, 0.7), (0.8, 0.6)), "kissme": ((0.6, 0.6), (0.6, 0.6))}, "lfda"),
        ({"cosine": ((0.6,), (0.7,)), "euclidean": ((0.6,), (0.7,))}, "euclidean"),
    ],
    ids=["rank-1 over the trials", "then mAP", "then the order of tables"],
)
def test_the_best_metric_is_chosen(values, best):
    scores = scores_of({("network", metric): each for metric, each in values.items()})
    better = scores_of({("row_pooled", "xqda"): ((1.0,), (1.0,))})
    rankings = pd.DataFrame({"metric": [*values, *values]})
    assert best_metric(pd.concat([scores, better]), rankings) == best


def test_the_best_of_the_rankings_that_there_are():
    values = {("network", "xqda"): ((0.9,), (0.9,)), ("network", "lfda"): ((0.5,), (0.25,))}
    scores = scores_of(values)
    assert best_metric(scores, pd.DataFrame({"metric": ["lfda"]})) == "lfda"
    words = best_in_words(scores, "lfda")
    assert words == (
        "the best of 2 metrics, rank-1 50.0 %, mAP 25.0 % over all trials, single_match"
    )
