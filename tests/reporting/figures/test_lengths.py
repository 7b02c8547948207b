"""The map of lengths: its numbers, readable on their colours, and how many were shorter."""

import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from wherewhen.reporting.figures import length_map


@pytest.fixture
def matrices():
    rows = [
        (trial, probe, gallery, (probe + gallery + add) / 20, 0.0, 0.25 if gallery == 8 else 0.0)
        for trial, add in (("t0", 0), ("t1", 4))
        for probe in (1, 8)
        for gallery in (1, 4, 8)
    ]
    names = [
        "trial",
        "probe_frames",
        "gallery_frames",
        "rank-1",
        "probes_shorter",
        "gallery_shorter",
    ]
    return pd.DataFrame(rows, columns=names)


def numbers(figure):
    return {(round(text.get_position()[0]), round(text.get_position()[1])): text
            for text in figure.axes[0].texts if "±" not in text.get_text()}  # fmt: skip


def test_cells_hold_means_with_the_probes_as_rows(matrices):
    figure = length_map(matrices, title="Lengths")
    image = figure.axes[0].images[0]
    assert image.get_array().tolist() == [
        pytest.approx([20, 35, 55]),
        pytest.approx([55, 70, 90]),
    ]
    texts = numbers(figure)
    assert {place: texts[place].get_text() for place in [(1, 0), (0, 1)]} == {
        (1, 0): "35.0",
        (0, 1): "55.0",
    }
    said = {text.get_text() for text in figure.axes[0].texts}
    deviations = {text for text in said if text.startswith("±")}
    assert deviations == {"± 14.1"}


def test_numbers_stand_out_from_their_cells(matrices):
    figure = length_map(matrices, title="Lengths")
    image = figure.axes[0].images[0]
    for (column, row), text in numbers(figure).items():
        cell = image.cmap(image.norm(image.get_array()[row, column]))[:3]
        light, dark = (sum(to_rgb(colour)) / 3 for colour in (cell, text.get_color()))
        assert abs(light - dark) > 0.35


def test_lengths_say_how_many_tracklets_are_shorter(matrices):
    axes = length_map(matrices, title="Lengths").axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "4", "8\n(25 %)"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["1", "8"]


def test_one_trial_has_no_deviation_and_one_value_still_a_colour(matrices):
    alone = matrices[matrices.trial == "t0"].assign(**{"rank-1": 0.5})
    figure = length_map(alone, title="Lengths")
    assert {text.get_text() for text in figure.axes[0].texts[:6]} == {"50.0"}


def test_a_pair_that_is_missing_or_there_twice_is_named(matrices):
    with pytest.raises(ValueError, match="t1, 8 against 8 frames is missing"):
        length_map(matrices.iloc[:-1], title="Lengths")
    with pytest.raises(ValueError, match="t0, 1 against 1 frames stands there twice"):
        length_map(pd.concat([matrices, matrices.iloc[:1]]), title="Lengths")
