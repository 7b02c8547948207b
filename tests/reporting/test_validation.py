"""What histories say of held-out persons: by epoch, and at the end by lambda."""

import numpy as np
import pandas as pd
import pytest

from wherewhen.reporting.validation import convergence_table, penalty_table

NAN = np.nan


def history(last=0.5):
    """Two epochs of two steps; measured after the first step of the second and at its end."""
    return pd.DataFrame(
        {
            "step": [1, 2, 3, 4],
            "epoch": [1, 1, 2, 2],
            "loss": [4.0, 2.0, 1.0, 0.0],
            "validation_loss": [NAN, NAN, 0.9, last],
            "validation_rank_1": [NAN, NAN, 0.1, 0.6],
            "validation_map": [NAN, NAN, 0.2, 0.7],
        }
    )


def test_losses_are_means_of_the_epoch_and_measures_its_last():
    table = convergence_table({"ours": {"trial_00": history()[::-1]}})
    assert table.epoch.tolist() == [1, 2]
    assert table.step.tolist() == [2, 4]
    assert table.loss.tolist() == [3.0, 0.5]
    assert np.isnan(table.validation_loss[0])
    assert table.loc[1, ["validation_loss", "validation_map"]].tolist() == [0.5, 0.7]


def test_lambdas_rise_with_what_was_measured_last():
    rows = {
        "ten": {"trial_00": history(0.8)},
        "none": {"trial_00": history(), "trial_01": history(0.4)},
    }
    table = penalty_table(convergence_table(rows), {"ten": 10, "none": 0})
    assert table.penalty_weight.tolist() == [0, 0, 10]
    assert table.trial.tolist() == ["trial_00", "trial_01", "trial_00"]
    assert table.validation_loss.tolist() == [0.5, 0.4, 0.8]


def test_what_cannot_be_compared_is_named():
    nobody = history().assign(validation_loss=NAN)
    with pytest.raises(ValueError, match="history of ours, trial_01: no validation_loss"):
        table = convergence_table({"ours": {"trial_00": history(), "trial_01": nobody}})
        penalty_table(table, {"ours": 1})
    two = convergence_table({"a": {"t": history()}, "b": {"t": history()}})
    with pytest.raises(ValueError, match="a, b have the same lambda 1"):
        penalty_table(two, {"a": 1, "b": 1})
    with pytest.raises(ValueError, match="b is missing"):
        penalty_table(two, {"a": 1})
    with pytest.raises(ValueError, match="at least one trial's history"):
        convergence_table({"ours": {}})
    with pytest.raises(ValueError, match="history of ours, t: column epoch is missing"):
        convergence_table({"ours": {"t": history().drop(columns="epoch")}})
