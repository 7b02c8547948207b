"""Sweeps of real sessions, on drawn frames without a network."""

from pathlib import Path

import pandas as pd
import pytest

from wherewhen.experiments import rows
from wherewhen.experiments.config import ExperimentError
from wherewhen.locks import alone
from wherewhen.sessions import View
from wherewhen.sweeps import search
from wherewhen.sweeps.config import Pruner, Sampler, evaluation_view, read_sweep
from wherewhen.sweeps.report import table
from wherewhen.sweeps.search import PARENT, run_sweep
from wherewhen.sweeps.study import finished
from wherewhen.tracking import TrackingError, find_runs
from wherewhen.tracklets.splits import draw_splits


@pytest.fixture(scope="module")
def undisturbed(project):
    return run_sweep(TestSessions.SWEEP, "drawn")


class TestSessions:
    """Sweeps of real sessions, on drawn frames without a network."""

    SWEEP = read_sweep(
        "few",
        {
            "search": {
                "embed.frames": {"low": 1, "high": 3},
                "learn_metric.dimension": {"low": 1, "high": 4},
            },
            "features": "colour_lbp",
            "metric": "kissme",
            "trials": 2,
            "validation": 0.5,
            "evaluations": 3,
        },
    )

    @pytest.fixture
    def sessions(self, monkeypatch):
        """Count sessions, and break the one that is asked for."""
        run, counted = rows.run, {"run": 0, "breaks_at": None, "error": None}

        def counting(*words, **which):
            counted["run"] += 1
            if counted["run"] == counted["breaks_at"]:
                raise counted["error"]
            run(*words, **which)

        monkeypatch.setattr(rows, "run", counting)
        return counted

    def test_an_evaluation_is_the_mean_over_its_trials(self, undisturbed):
        assert table(undisturbed).state.to_list() == ["complete"] * 3
        assert undisturbed.persons == [2, 2]  # half of the four who train
        for each in undisturbed.study.trials:
            view = evaluation_view(self.SWEEP, "drawn", self.SWEEP.values(each.params), {})
            scores = pd.concat(
                view.catalog.load(f"{trial}.scores_colour_lbp")
                for trial in ("trial_00", "trial_01")
            )
            scores = scores[(scores.metric == "kissme") & (scores.measure == "mAP")]
            assert each.value == pytest.approx(scores.value.mean())
            means = scores.value.expanding().mean()
            assert list(each.intermediate_values.values()) == pytest.approx(means.to_list())

    def test_nothing_that_it_makes_holds_a_test_person(self, undisturbed):
        plain = View.of("drawn")
        tracklets = evaluation_view(self.SWEEP, "drawn", {}, {}).catalog.load("tracklets")
        drawn = draw_splits(tracklets, trials=2, seed=plain.parameters.split.seed)
        looked_at = set()
        for trial, drawn_rows in drawn.groupby("trial"):
            tested = set(drawn_rows[drawn_rows.role != "train"].tracklet)
            assert len(tested) == 8
            for layer in ("05_model_input", "07_model_output"):
                for file in Path("data", layer, "drawn", trial).rglob("*.parquet/*/*.parquet"):
                    content = pd.read_parquet(file)
                    for name in {"tracklet", "probe", "gallery"} & set(content.columns):
                        assert not tested & set(content[name]), file
                        looked_at.add(file.name)
        kinds = ("split", "windows", "embeddings_colour_lbp", "rankings_colour_lbp")
        assert looked_at == {f"{kind}.parquet" for kind in kinds}
        splits = evaluation_view(self.SWEEP, "drawn", {}, {}).catalog.load("splits")
        both = splits.merge(drawn, on=["trial", "tracklet"], suffixes=("", "_of_all"))
        assert set(both.role_of_all) == {"train"}
        assert set(both.role) == {"train", "probe", "gallery"}

    def test_every_run_of_mlflow_is_inside_the_sweep_s(self, undisturbed):
        study = {"study": undisturbed.study.study_name}
        (sweep,) = find_runs("drawn", {**study, "stage": "sweep"})
        evaluations = find_runs("drawn", {**study, PARENT: sweep.info.run_id})
        assert [run.info.run_name for run in reversed(evaluations)] == [
            f"few · evaluation {number}" for number in range(3)
        ]
        best = undisturbed.study.best_trial
        (of_best,) = (run for run in evaluations if run.data.tags["evaluation"] == str(best.number))
        assert of_best.data.metrics["value"] == best.value
        trials = find_runs("drawn", {PARENT: of_best.info.run_id})
        assert {run.info.run_name for run in trials} == {
            f"few · evaluation {best.number} · trial_0{trial}" for trial in range(2)
        }

    def test_started_again_it_makes_nothing_and_more_go_on(self, undisturbed, sessions):
        again = run_sweep(self.SWEEP, "drawn")
        assert sessions["run"] == 0
        pd.testing.assert_frame_equal(table(again), table(undisturbed))
        more = run_sweep(self.SWEEP, "drawn", evaluations=4)
        assert len(table(more)) == 4 and sessions["run"] == 2
        study = {"study": more.study.study_name, "stage": "sweep"}
        assert len(find_runs("drawn", study)) == 1

    def test_killed_and_started_again_it_finds_the_same(self, undisturbed, sessions):
        """In another data set, of the same frames; the second trial of the second is killed."""
        sessions |= {"breaks_at": 1 + 2 + 2, "error": SystemExit()}  # the splits come first
        with pytest.raises(SystemExit):
            run_sweep(self.SWEEP, "drawn_too")
        sessions["breaks_at"] = None
        outcome = run_sweep(self.SWEEP, "drawn_too")
        assert table(outcome).state.to_list() == ["complete", "killed", "complete", "complete"]
        ways = [
            [(each.params, each.intermediate_values) for each in finished(found.study)][:3]
            for found in (outcome, undisturbed)
        ]
        assert ways[0] == ways[1]
        assert len({str(params) for params, _ in ways[0]}) == 3

    def test_an_evaluation_in_which_mlflow_breaks_is_made_again(self, undisturbed, sessions):
        short = self.SWEEP.model_copy(update={"trials": 1, "sampler": Sampler(seed=7)})
        sessions |= {"breaks_at": 2, "error": TrackingError("the server has gone")}
        with pytest.raises(TrackingError, match="the server has gone"):
            run_sweep(short, "drawn", evaluations=1)
        sessions["breaks_at"] = None
        outcome = run_sweep(short, "drawn", evaluations=1)
        assert table(outcome).state.to_list() == ["killed", "complete"]
        first, second = outcome.study.trials
        assert first.params == second.params

    def test_an_evaluation_that_fails_by_itself_is_noted_and_not_repeated(self, sessions):
        short = self.SWEEP.model_copy(update={"trials": 1})
        run_sweep(short, "drawn", evaluations=1)
        sessions |= {"run": 0, "breaks_at": 1, "error": ValueError("diverged")}
        outcome = run_sweep(short, "drawn")
        assert table(outcome).state.to_list() == ["complete", "failed", "complete"]
        assert "diverged" in table(outcome).error[1]
        count = sessions["run"]
        assert table(run_sweep(short, "drawn")).state.to_list()[1] == "failed"
        assert sessions["run"] == count

    def test_who_is_below_the_median_after_a_trial_is_given_up(self, monkeypatch):
        values = iter([0.9, 0.9, 0.1, 0.95, 0.95])
        monkeypatch.setattr(search, "objective", lambda sweep, scores: next(values))
        fields = {"pruner": Pruner(startup=1), "measure": "rank-1"}
        outcome = run_sweep(self.SWEEP.model_copy(update=fields), "drawn")
        assert table(outcome).state.to_list() == ["complete", "pruned", "complete"]
        assert outcome.study.trials[1].intermediate_values == {1: 0.1}
        assert outcome.study.best_value == 0.95

    def test_a_measure_that_there_is_not_ends_it(self):
        unknown = self.SWEEP.model_copy(update={"measure": "rank-0"})
        with pytest.raises(ExperimentError, match=r"has no measure rank-0; it has rank-1, "):
            run_sweep(unknown, "drawn")

    def test_two_processes_do_not_run_one_sweep(self, undisturbed):
        with (
            alone(undisturbed.folder, lambda holder: None),
            pytest.raises(ExperimentError, match=r"process \d+ on .* runs the sweep few-"),
        ):
            run_sweep(self.SWEEP, "drawn")
