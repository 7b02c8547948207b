"""Nodes that workers run ahead of their turn; here a worker is this process."""

import logging

import pytest
from kedro.pipeline import Pipeline, node

from wherewhen.datasets import WorkspaceDataset
from wherewhen.execution.engine import Local
from wherewhen.lineage import ahead

ran = []
before = []
"""What is called first in every node."""


def fit(drawn, workspace):
    """Count, or go on from the folder's state; like a training."""
    folder = workspace.folder
    for call in before:
        call(folder)
    state = folder / "state"
    ran.append((folder.parts[-3], state.exists()))
    state.write_text(str(sum(drawn["numbers"])))
    return {"sum": int(state.read_text())}


class Recording(Local):
    def __init__(self):
        self.maps = []

    def map(self, work, items, long=False):
        self.maps.append(([str(item) for item in items], long))
        return super().map(work, items)


@pytest.fixture
def engine(monkeypatch):
    engine = Recording()
    monkeypatch.setattr(ahead, "engine_of", lambda config, device: engine)
    return engine


@pytest.fixture
def trials(small):
    """The small project with a node a trial, each with a folder of its own."""

    class Trials(type(small)):
        names = ("trial_00", "trial_01", "trial_02")

        def stages(self):
            nodes = [
                node(fit, ["drawn", f"{name}.checkpoints"], f"{name}.fitted", name=f"{name}.fit")
                for name in self.names
            ]
            stages = super().stages() | {"fit": Pipeline(nodes)}
            return {**stages, "__default__": stages["__default__"] + Pipeline(nodes)}

        def catalog(self, **parameters):
            found = super().catalog(**parameters)
            for name in self.names:
                home = self.root / "data" / name
                found[f"{name}.checkpoints"] = WorkspaceDataset(str(home / "checkpoints"))
                fitted = {"type": "json.JSONDataset", "filepath": str(home / "fitted.json")}
                found[f"{name}.fitted"] = type(found).from_config({"x": fitted})["x"]
            return found

    ran.clear()
    before.clear()
    return Trials(small.root)


RAY = {"execution": {"engine": "ray"}}


def test_trials_are_run_ahead_together_and_taken_up_in_their_turns(trials, engine, caplog):
    with caplog.at_level(logging.INFO):
        trials.run(**RAY)
    assert engine.maps == [([f"{name}.fit" for name in trials.names], True)]
    first, again = ran[:3], ran[3:]
    assert first == [(name, False) for name in trials.names]
    assert again == [(name, True) for name in trials.names]  # nothing is left to do
    assert trials.catalog(**RAY).load("trial_02.fitted") == {"sum": 6}
    assert "a worker has run trial_01.fit (2 of 3)" in caplog.text


def test_what_is_there_is_not_run_ahead(trials, engine):
    trials.run(**RAY)
    (trials.root / "data/trial_01/fitted.json").unlink()
    engine.maps.clear()
    trials.run(**RAY)
    assert engine.maps == []  # one alone needs no company
    for name in trials.names[:2]:
        (trials.root / f"data/{name}/fitted.json").unlink()
    trials.run(**RAY)
    assert engine.maps == [(["trial_00.fit", "trial_01.fit"], True)]


def test_an_error_at_a_worker_stops_no_other_and_is_raised_in_its_turn(trials, engine, caplog):
    def refuse(folder):
        if folder.parts[-3] == "trial_01":
            raise ValueError("no two persons")

    before.append(refuse)
    with pytest.raises(ValueError, match="no two persons"):
        trials.run(**RAY)
    assert "a worker failed at trial_01.fit, which is tried again here" in caplog.text
    assert trials.catalog(**RAY).load("trial_00.fitted") == {"sum": 6}
    assert [name for name, _ in ran] == ["trial_00", "trial_02", "trial_00"]


def test_this_process_runs_each_once(trials, engine):
    trials.run()
    assert engine.maps == []
    assert ran == [(name, False) for name in trials.names]


def test_where_work_is_done_changes_nothing_that_is_made(trials, engine):
    trials.run(**RAY)
    assert trials.run() == []
    assert len(ran) == 6
