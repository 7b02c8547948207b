import logging

import numpy as np
import pandas as pd
import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.convolution import Execution
from wherewhen.model.siamese import build_network
from wherewhen.training.checkpoints import CheckpointError, Checkpoints
from wherewhen.training.config import TrainingConfig
from wherewhen.training.history import HISTORY, TIMING
from wherewhen.training.loop import train
from wherewhen.training.run import Run, TrainingDiverged
from wherewhen.training.validation import Validation

QUICK = {
    "frames": 4,
    "persons_per_batch": 3,
    "checkpoint_every": 4,
    "checkpoint_seconds": 0,
    "validate_every": 1,
    "threads": 1,
}


def network(preset="modern", **overrides):
    config = NetworkConfig(**({"projection": 4, "channels": [3], "dropout": 0.3} | overrides))
    return build_network(config, 8, 3)


class Killed(Exception):
    pass


@pytest.fixture
def run(toy, tmp_path):
    cubes, tracklets = toy(8)
    training = tracklets[tracklets["person"] < "p0006"]
    validation = tracklets.drop(training.index)

    def go(
        preset="modern",
        folder="run",
        kill_at=None,
        held_out=validation,
        device="auto",
        parts=(),
        **settings,
    ):
        def log(row):
            if row["step"] == kill_at:
                raise Killed

        model, config = (
            network(**dict(parts)),
            TrainingConfig.from_preset(preset, **(QUICK | settings)),
        )
        arguments = (training, held_out, config, tmp_path / folder, log)
        return model, train(model, cubes, *arguments, progress=False, device=device)

    return go


def assert_same(one, other):
    for name, value in one[0].state_dict().items():
        assert torch.equal(value, other[0].state_dict()[name]), name
    histories = [history.drop(columns=list(TIMING)) for _, history in (one, other)]
    pd.testing.assert_frame_equal(*histories, rtol=0, atol=0)


def assert_close(one, other):
    """Equal as far as a GPU repeats its sums."""
    for name, value in one[0].state_dict().items():
        torch.testing.assert_close(value, other[0].state_dict()[name], rtol=1e-3, atol=1e-5)


EVERYTHING = {
    "entropy_weight": 0.5,
    "entropy_target_end": 0.5,
    "penalty_weight_end": 0.0,
    "identity_weight": 0.1,
    "triplet_weight": 0.1,
    "hardest_negatives": 0.5,
    "pasted_frames": 0.5,
    "pasted_cells": 0.5,
    "optimiser": "adamw",
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup_steps": 2,
    "micro_batch": 4,
    "preload_gigabytes": 0.0,
    "patience": 30,
    "keep": "best",
    "roofline": True,
}


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "modern", "epochs": 4, **EVERYTHING},
        {"preset": "paper", "epochs": 4, "pairs_per_batch": 4},
        {
            "epochs": 4,
            "clips": "spread",
            "parts": {"head": "transformer", "location": "mean", "neck": "batch_norm"},
        },
    ],
    ids=["everything", "drawn pairs", "transformer with a neck"],
)
def test_a_killed_run_with_more_state_goes_on_to_the_same_weights(run, settings):
    undisturbed = run(folder="undisturbed", **settings)
    for step in (3, 6):
        with pytest.raises(Killed):
            run(folder="killed", kill_at=step, **settings)
    assert_same(undisturbed, run(folder="killed", **settings))


def test_terms_in_use_have_columns(run):
    _, history = run(steps=2, **EVERYTHING)
    added = ["penalty_weight", "entropy_target", "entropy_gap", "triplet", "identity"]
    assert list(history.columns) == [*HISTORY, *added]
    terms = history[["cross_entropy", "penalty", "entropy_gap", "triplet", "identity"]]
    expected = terms @ np.array([1, 0, 0.5, 0.1, 0.1]) + history.penalty_weight * history.penalty
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(history["rate"], [1e-3 / 3, 2e-3 / 3])


@pytest.fixture
def scripted(monkeypatch):
    """Let the validation curve be as a test wants it."""

    def script(values, name="validation_loss"):
        points = iter(values)
        measures = dict.fromkeys(("validation_loss", "validation_rank_1", "validation_map"), 0.5)
        monkeypatch.setattr(
            Validation, "measure", lambda self: measures | {name: next(points)}, raising=True
        )

    return script


def test_training_stops_when_nothing_gets_better(run, scripted):
    scripted([0.9, 0.5, 0.7, float("nan"), 0.6, 0.1])
    _, history = run(epochs=9, patience=3)  # two steps an epoch, a point an epoch
    assert len(history) == 10
    _, again = run(epochs=9, patience=3)
    pd.testing.assert_frame_equal(history, again)


@pytest.mark.parametrize(
    ("monitor", "best"), [("validation_loss", 4), ("validation_rank_1", 2), ("validation_map", 2)]
)
def test_the_best_weights_are_kept(run, scripted, monitor, best):
    points = [0.7, 0.5, 0.6, 0.6]
    scripted(points, monitor)
    model, _ = run(epochs=4, keep="best", monitor=monitor, seed=1)
    again, _ = run(epochs=4, keep="best", monitor=monitor, seed=1)
    scripted(points)
    then, _ = run(folder="shorter", steps=best, seed=1)
    for name, value in model.state_dict().items():
        assert torch.equal(value, then.state_dict()[name]), name
        assert torch.equal(value, again.state_dict()[name]), name


def test_best_weights_that_are_gone_are_named(run, tmp_path):
    run(epochs=1, keep="best")
    (path,) = tmp_path.rglob("best.safetensors")
    path.unlink()
    with pytest.raises(
        CheckpointError, match=r"best\.safetensors should hold the weights of step 2"
    ):
        run(epochs=1, keep="best")
    run(epochs=1, keep="best")  # from the start


@pytest.mark.parametrize("settings", [{"keep": "best"}, {"patience": 2}])
def test_looking_at_nobody_is_refused(run, settings):
    with pytest.raises(ValueError, match="look at validation persons, and there are none"):
        run(held_out=None, **settings)


def test_a_gpus_steps_are_looked_at_together(run, monkeypatch):
    plain = run(folder="plain", steps=7)
    looks = []

    def is_fetched(self, step):
        looks.append(step)
        return step in (3, 4, 6, 7)

    monkeypatch.setattr("wherewhen.training.run.Run._is_fetched", is_fetched)
    monkeypatch.setattr(
        "wherewhen.training.run.Run._is_validated", lambda self, step: step in (4, 6)
    )
    together = run(folder="together", steps=7)
    assert looks == list(range(1, 8))
    curve = ["validation_loss", "validation_rank_1", "validation_map"]
    assert_same(
        (plain[0], plain[1].drop(columns=curve)), (together[0], together[1].drop(columns=curve))
    )
    assert list(together[1].dropna(subset="validation_loss")["step"]) == [4, 6]


@pytest.mark.parametrize("bad", [2, 3, 4])
def test_the_step_that_is_no_number_is_named_among_those_looked_at_together(
    run, monkeypatch, tmp_path, bad
):
    monkeypatch.setattr(Run, "_is_fetched", lambda self, step: step in (1, 4))
    monkeypatch.setattr(Run, "_is_validated", lambda self, step: False)
    differentiate, drawn = Run._differentiate, {}

    def spoilt(self, portion, clips):
        drawn[self.step + 1] = portion.windows[0][0]
        if self.step + 1 == bad:
            clips = clips._replace(cubes=torch.full_like(clips.cubes, float("nan")))
        return differentiate(self, portion, clips)

    monkeypatch.setattr(Run, "_differentiate", spoilt)
    with pytest.raises(TrainingDiverged, match=f"^step {bad}: the loss is nan") as raised:
        run(steps=8, checkpoint_every=1)
    assert drawn[bad] in str(raised.value)
    kept = {}
    monkeypatch.setattr(Run, "load_state_dict", lambda self, state: kept.update(state))
    monkeypatch.setattr(Run, "advance", lambda *_: None)
    run(steps=8, checkpoint_every=1)
    assert kept["step"] == 1


def test_a_checkpoint_waits_for_its_time(run, monkeypatch):
    saved = []
    monkeypatch.setattr(Checkpoints, "save", lambda self, state: saved.append(state["step"]))
    run(steps=7, checkpoint_every=2, checkpoint_seconds=1000)
    assert saved == [7]
    run(steps=7, checkpoint_every=2, checkpoint_seconds=0)
    assert saved[1:] == [2, 4, 6, 7]


def test_a_run_goes_on_with_the_weights_of_its_checkpoint(toy, tmp_path):
    """Whatever weights it is called with: the folder, not they, tells runs apart."""
    cubes, tracklets = toy(4)
    config = TrainingConfig(**QUICK, steps=3)
    ended = []
    for shift in (0.0, 0.1):
        model = network()
        with torch.no_grad():
            model.gru.layers[0].candidate_weight += shift
        history = train(model, cubes, tracklets, None, config, tmp_path, progress=False)
        ended.append((model, history))
    assert_same(*ended)


def test_precision_and_convolution_are_those_of_the_training_alone(toy, tmp_path):
    cubes, tracklets = toy(4)
    seen = []
    results = {}
    for name, settings in {
        "direct": {"convolution": "direct"},
        "dft": {"convolution": "dft"},
        "bfloat16": {"convolution": "direct", "precision": "auto"},
    }.items():
        model = network(dropout=0.0)
        before = model.execution
        config = TrainingConfig(frames=4, steps=3, persons_per_batch=4, threads=1, **settings)
        arguments = (model, cubes, tracklets, None, config, tmp_path / name)
        history = train(*arguments, lambda row, m=model: seen.append(m.execution), progress=False)
        results[name] = history["loss"].to_numpy()
        assert seen[-1] == Execution(settings["convolution"], settings.get("precision", "float32"))
        assert model.execution == before
        assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    np.testing.assert_allclose(results["direct"], results["dft"], rtol=1e-4)
    np.testing.assert_allclose(results["direct"], results["bfloat16"], rtol=0.05)


def test_waiting_and_the_roofline_are_told(run, caplog):
    with caplog.at_level(logging.INFO, logger="wherewhen.training"):
        _, history = run(steps=2, roofline=True)
    assert (history["roofline"] > 0).all()
    assert history["waiting"].between(0, 1).all()
    assert "TFLOP/s" in caplog.text
    assert "the step waited for its clips" in caplog.text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("settings", [{}, {"cuda_graph": False}, {"preload_device_share": 0.0}])
def test_a_killed_run_goes_on_to_the_same_weights_on_a_gpu(run, settings):
    settings = {"steps": 10, "device": "cuda", "identity_weight": 0.1} | settings
    undisturbed = run(folder="undisturbed", **settings)
    with pytest.raises(Killed):
        run(folder="killed", kill_at=6, **settings)
    assert_close(undisturbed, run(folder="killed", **settings))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_run_that_began_on_a_cpu_goes_on_on_a_gpu(run):
    settings = {"steps": 10}
    with pytest.raises(Killed):
        run(kill_at=6, device="cpu", **settings)
    model, history = run(device="cuda", **settings)
    assert next(model.parameters()).is_cuda
    assert list(history["step"]) == list(range(1, 11))
    assert np.isfinite(history["loss"]).all()
