"""Curves of held-out persons: a point a lambda, a line a row."""

import numpy as np
import pandas as pd
import pytest

from wherewhen.reporting.figures import convergence, loss_over_lambda


@pytest.fixture
def penalties():
    rows = [(0.0, "t0", 0.9, 0.4), (0.0, "t1", 0.7, 0.6),
            (0.1, "t0", 0.5, 0.5), (0.1, "t1", 0.7, 0.7),
            (10.0, "t0", 0.8, 0.9), (10.0, "t1", 1.0, 0.9)]  # fmt: skip
    columns = ["penalty_weight", "trial", "validation_loss", "validation_map"]
    return pd.DataFrame(rows, columns=columns).assign(validation_rank_1=0.5)


def line(axes, label):
    return next(each for each in axes.lines if each.get_label() == label)


def test_means_are_drawn_and_the_best_marked(penalties):
    loss, mean_ap = loss_over_lambda(penalties).axes
    assert [tick.get_text() for tick in loss.get_xticklabels()] == ["0", "0.1", "10"]
    (bars,) = loss.containers
    assert bars[0].get_ydata() == pytest.approx([0.8, 0.6, 0.9])
    assert bars.has_yerr
    assert line(loss, "best").get_xydata() == pytest.approx(np.array([[1, 0.6]]))
    assert line(mean_ap, "best").get_xydata() == pytest.approx(np.array([[2, 0.9]]))


def test_equal_means_are_all_best(penalties):
    _, mean_ap = loss_over_lambda(penalties.assign(validation_map=1.0)).axes
    assert line(mean_ap, "best").get_xdata().tolist() == [0, 1, 2]
    assert mean_ap.get_ylim()[1] < 1.05


def test_one_trial_has_no_bars(penalties):
    (bars,) = loss_over_lambda(penalties[penalties.trial == "t0"]).axes[0].containers
    assert not bars.has_yerr


def courses(**rows):
    tables = [
        pd.DataFrame(
            {
                "row": row,
                "trial": trial,
                "epoch": [1, 2, 3],
                "loss": np.array([3.0, 2.0, 1.0]) * scale,
                "validation_loss": [np.nan, scale, scale],
            }
        )
        for row, scales in rows.items()
        for trial, scale in enumerate(scales)
    ]
    return pd.concat(tables)


def test_a_thick_line_a_row_and_a_thin_one_a_trial():
    training, validation = convergence(courses(ours=[1, 3], muted=[2])).axes
    assert line(training, "ours").get_ydata() == pytest.approx([6, 4, 2])
    assert line(validation, "ours").get_xdata().tolist() == [2, 3]
    assert line(validation, "muted").get_ydata() == pytest.approx([2, 2])
    assert len(training.lines) == 2 + 2
    names = [text.get_text() for text in training.get_legend().get_texts()]
    assert names == ["ours", "muted"]


def test_nobody_held_out_is_said():
    table = courses(ours=[1]).assign(validation_loss=np.nan)
    _, validation = convergence(table).axes
    assert [text.get_text() for text in validation.texts] == ["nobody was held out"]


def test_tables_that_cannot_be_drawn_are_named(penalties):
    with pytest.raises(ValueError, match="penalties: the table is empty"):
        loss_over_lambda(penalties.iloc[:0])
    with pytest.raises(ValueError, match="convergence: column epoch is missing"):
        convergence(courses(ours=[1]).drop(columns="epoch"))
