"""Training curves, checked by what their lines hold."""

import numpy as np
import pandas as pd
import pytest

from wherewhen.reporting.figures import FIGURES, training_curves


def texts_of(figure):
    return [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]


def history(steps, scale=1.0):
    step = np.arange(steps)
    validation = np.full(steps, np.nan)
    validation[::2] = 0.9 * scale
    return pd.DataFrame(
        {
            "step": step,
            "loss": scale * (steps - step),
            "cross_entropy": scale * (steps - step) - 0.1,
            "penalty": 0.1,
            "gradient_norm": 1.0 + step,
            "pair_accuracy": 0.5,
            "pairs_per_second": 100.0,
            "validation_loss": validation,
        }
    )


def panel(figure, name):
    return next(axes for axes in figure.axes if name in [text.get_text() for text in axes.texts])


def lines_by_label(axes):
    return {line.get_label(): line for line in axes.lines}


def test_a_panel_for_each_measure():
    figure = training_curves({"trial_00": history(4)})
    assert len(figure.axes) == 6
    for name in ("loss", "cross entropy", "attention penalty", "pair accuracy", "gradient norm"):
        assert panel(figure, name)


def test_thin_lines_are_trials_and_the_thick_one_their_mean():
    histories = {"trial_00": history(4), "trial_01": history(4, scale=3)}
    lines = lines_by_label(panel(training_curves(histories, smoothing=1), "loss"))
    assert lines["_trial_00"].get_ydata().tolist() == [4, 3, 2, 1]
    assert lines["_trial_01"].get_ydata().tolist() == [12, 9, 6, 3]
    assert lines["training"].get_ydata() == pytest.approx([8, 6, 4, 2])
    assert lines["training"].get_linewidth() > lines["_trial_00"].get_linewidth()


def test_mean_covers_the_steps_that_all_trials_have():
    histories = {"trial_00": history(4), "trial_01": history(3)}
    lines = lines_by_label(panel(training_curves(histories), "attention penalty"))
    assert lines["training"].get_xdata().tolist() == [0, 1, 2]


def test_smoothing_is_a_centred_running_mean_and_is_said():
    figure = training_curves({"trial_00": history(5)}, smoothing=3)
    assert lines_by_label(panel(figure, "loss"))["training"].get_ydata() == pytest.approx(
        [4.5, 4, 3, 2, 1.5]
    )
    assert any("running mean over 3 steps" in text for text in texts_of(figure))


def test_validation_loss_stands_where_it_was_evaluated():
    figure = training_curves({"trial_00": history(5), "trial_01": history(5, scale=3)})
    line = lines_by_label(panel(figure, "loss"))["validation"]
    assert line.get_xdata().tolist() == [0, 2, 4]
    assert line.get_ydata() == pytest.approx([1.8] * 3)


def test_no_validation_no_line():
    figure = training_curves({"trial_00": history(4).assign(validation_loss=np.nan)})
    assert "validation" not in lines_by_label(panel(figure, "loss"))


def test_gradient_norm_is_logarithmic_unless_it_was_zero():
    scale = panel(training_curves({"trial_00": history(4)}), "gradient norm").get_yscale()
    assert scale == "log"
    still = history(4).assign(gradient_norm=0.0)
    assert panel(training_curves({"t": still}), "gradient norm").get_yscale() == "linear"


def test_histories_that_cannot_be_drawn_are_named():
    with pytest.raises(ValueError, match="expected at least one trial's history"):
        training_curves({})
    with pytest.raises(ValueError, match="history of trial_03: column penalty is missing"):
        training_curves({"trial_03": history(3).drop(columns="penalty")})
    with pytest.raises(ValueError, match="history of trial_03: the table is empty"):
        training_curves({"trial_03": history(0)})
    with pytest.raises(ValueError, match="smoothing: expected at least 1"):
        training_curves({"trial_03": history(3)}, smoothing=0)


def test_the_record_names_histories_by_trial():
    figure = FIGURES["training_curves"].draw(history(4), history(3))
    assert {"_trial_00", "_trial_01"} <= set(lines_by_label(panel(figure, "loss")))
