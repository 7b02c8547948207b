"""Rows run by real sessions, on drawn frames without a network; training elsewhere is noted."""

import shutil
from types import SimpleNamespace
from unittest.mock import Mock

import pandas as pd
import pytest

from wherewhen.experiments import engine, rows
from wherewhen.experiments.engine import Failure, run_rows
from wherewhen.experiments.rows import Request, resolve
from wherewhen.sessions import View
from wherewhen.tracking import TAKEN_OVER, find_runs, is_described

DRAWN = Request("drawn")
DESCRIBED = {"features": "colour_lbp", "parameters": {"embed.features": ["colour_lbp"]}}
ROWS = {
    "no frames": {"parameters": {"ingest.root": "nowhere"}},
    "KISSME": {**DESCRIBED, "metric": "kissme"},
    "cosine": {**DESCRIBED, "metric": "cosine"},
    "shorter": {
        **DESCRIBED,
        "metric": "cosine",
        "parameters": {"embed.features": ["colour_lbp"], "embed.frames": 1},
    },
}


@pytest.fixture(scope="module")
def run(project, table):
    """Return a function that runs rows of the experiment anew, as a command does."""

    def started(*names, trials=None, rows=ROWS, name="mine"):
        mine = table(rows).model_copy(update={"name": name})
        resolved = resolve(mine, Request("drawn", rows=names, trials=trials))
        failures = run_rows(resolved)
        return failures, resolve(mine, Request("drawn", rows=names))

    yield started
    shutil.rmtree(project / "data", ignore_errors=True)


@pytest.fixture(scope="module")
def failures(run):
    """What failed when all rows ran for the first time."""
    return run()[0]


def runs(**tags):
    return find_runs("drawn", tags)


def artifacts(project):
    """Return when each artifact was written."""
    folder = project / "data/07_model_output/drawn"
    return {path: path.stat().st_mtime_ns for path in folder.glob("*/*/*/*")}


@pytest.mark.usefixtures("failures")
class TestRun:
    def test_a_failure_is_named_and_stops_nothing_else(self, failures, table):
        rows = resolve(table(ROWS), DRAWN)
        (failure,) = failures
        assert str(failure).startswith("mine, no frames: ") and "nowhere" in failure.message
        assert {name: row.is_finished for name, row in rows.items()} == {
            "no frames": False,
            "KISSME": True,
            "cosine": True,
            "shorter": True,
        }
        (failed,) = runs(experiment="mine", row="no frames")
        assert failed.info.status == "FAILED"

    def test_rows_that_ask_for_the_same_are_made_once(self, project):
        scores = (project / "data/07_model_output/drawn").glob("*/scores_colour_lbp.parquet/*")
        assert len(list(scores)) == 2 * 2  # in two trials: `shorter`, and one for the other two
        (first,) = runs(experiment="mine", row="KISSME")
        (second,) = runs(experiment="mine", row="cosine")
        taken = f"{TAKEN_OVER}trial_01.scores_colour_lbp"
        assert second.data.tags[taken] == first.info.run_id
        assert taken not in first.data.tags

    def test_a_run_of_mlflow_a_row_with_the_numbers_that_it_shows(self, run):
        _, rows = run("KISSME", "shorter")
        for name, row in rows.items():
            (found,) = runs(experiment="mine", row=name)
            assert found.info.run_name == f"mine · {name} · drawn"
            assert found.data.tags["command"] == (
                f"uv run kedro experiment run mine --rows {name} --env drawn"
            )
            shown = row.shown().set_index(["measure", "trial"]).value
            assert found.data.metrics["mAP"] == pytest.approx(shown["mAP"].mean())
            assert found.data.metrics["mAP.std"] == pytest.approx(shown["mAP"].std(ddof=1))

    def test_what_is_finished_is_not_run_again(self, run, project, caplog):
        before, told = artifacts(project), len(runs())
        failures, _ = run("KISSME", "cosine", "shorter")
        assert failures == [] and caplog.text.count("finished already") == 3
        assert artifacts(project) == before and len(runs()) == told

    def test_another_experiment_s_row_gets_a_run_and_makes_nothing(self, run, project):
        before = artifacts(project)
        run("cosine", name="another")
        assert artifacts(project) == before
        (found,) = runs(experiment="another", row="cosine")
        (first,) = runs(experiment="mine", row="cosine")
        assert found.data.metrics["mAP"] == first.data.metrics["mAP"]
        assert found.data.tags["scores"] == first.data.tags["scores"]

    def test_a_damaged_result_is_made_again_to_the_same_numbers(self, run, caplog):
        _, rows = run("shorter")
        row = rows["shorter"]
        before = row.shown()
        file = row.view.ledger.file("trial_01.scores_colour_lbp")
        pd.read_parquet(file).assign(value=0.5).to_parquet(file)
        _, rows = run("shorter")
        pd.testing.assert_frame_equal(rows["shorter"].shown(), before)
        assert "was changed after it was made: trial_01.score_colour_lbp" in caplog.text

    def test_the_first_trials_alone_then_the_rest(self, run):
        later = {"later": {**DESCRIBED, "metric": "cosine"}}
        later["later"]["parameters"] = {"embed.features": ["colour_lbp"], "embed.frames": 2}
        _, rows = run(trials=1, rows=later)
        assert rows["later"].trials == ["trial_00"]
        (found,) = runs(row="later")
        assert found.data.tags["command"].endswith("--env drawn --trials 1")
        first = rows["later"].record("trial_00")
        _, rows = run(rows=later)
        assert rows["later"].trials == ["trial_00", "trial_01"]
        assert rows["later"].record("trial_00") == first


class TestTrainedElsewhere:
    """Sessions are replaced by notes; what they are to make is laid by hand."""

    @pytest.fixture
    def world(self, project, make, finish, table, monkeypatch):
        world = SimpleNamespace(ran=[], broken=set(), rows={"ours": {}})

        def run(env, overrides, stages, to_outputs):
            assert is_described()
            world.ran.append((env, to_outputs))
            if env in world.broken:
                raise ValueError(f"{env} breaks")
            view = View.of(env, overrides)
            if "network" in to_outputs[0] and "scores" not in to_outputs[0]:
                make(view, dict.fromkeys(to_outputs))
                return
            for row in world.resolved().values():
                for name in to_outputs:
                    finish(row, name.partition(".")[0])

        def resolved(trials=None):
            request = Request("prid2011", trained_on="mars", trials=trials)
            return resolve(table(world.rows, cross_dataset=True), request)

        world.resolved = resolved
        monkeypatch.setattr(rows, "run", run)
        monkeypatch.setattr(engine, "find_runs", lambda dataset, tags: [tags])
        monkeypatch.setattr(engine, "Tracker", Mock())
        yield world
        shutil.rmtree(project / "data", ignore_errors=True)

    def test_it_comes_first(self, world):
        assert run_rows(world.resolved()) == []
        assert world.ran == [
            ("mars", ["trial_00.network", "trial_01.network"]),
            ("prid2011", ["trial_00.scores_network", "trial_01.scores_network"]),
        ]
        world.ran.clear()
        assert run_rows(world.resolved()) == [] and world.ran == []

    def test_so_many_networks_as_trials(self, world):
        run_rows(world.resolved(trials=1))
        assert [names for _, names in world.ran] == [
            ["trial_00.network"],
            ["trial_00.scores_network"],
        ]
        world.ran.clear()
        run_rows(world.resolved())
        assert world.ran[0] == ("mars", ["trial_00.network", "trial_01.network"])

    def test_if_it_fails_the_row_fails(self, world):
        world.broken = {"mars"}
        (failure,) = run_rows(world.resolved())
        assert failure == Failure("mine", "ours", "ValueError: mars breaks")
        assert [env for env, _ in world.ran] == ["mars"]


def test_a_bug_is_logged_with_its_traceback(run, monkeypatch, caplog):
    monkeypatch.setattr(engine, "_run", lambda row: {}["a key"])
    failures, _ = run("cosine")
    assert failures == [Failure("mine", "cosine", "KeyError: 'a key'")]
    assert "Traceback" in caplog.text
