"""The engine with sessions of Kedro and MLflow replaced by notes of what was asked for."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import pandas as pd
import pytest
from wherewhen.experiments.results import Results
from wherewhen.experiments.tracking import DATA
from wherewhen.experiments.variants import variants_of

from wherewhen.experiments import engine
from wherewhen.experiments.config import read_experiments
from wherewhen.experiments.engine import Clock, Engine, duration


class Notes:
    """Stands for MLflow: runs with their tags, status and parent."""

    def __init__(self):
        self.runs = []
        self.scores = {}

    def __call__(self, env):
        return self

    @contextmanager
    def run(self, name, tags, parent=None):
        run = {"id": str(len(self.runs)), "name": name, **tags, "parent": parent}
        self.runs.append(run)
        try:
            yield SimpleNamespace(info=SimpleNamespace(run_id=run["id"]))
        except BaseException:
            run["status"] = "FAILED"
            raise
        run["status"] = "FINISHED"

    @contextmanager
    def row(self, tags, variant):
        found = self.of_row(tags)
        if found is None:
            self.runs.append({"id": str(len(self.runs)), **tags, "parent": None, "a row": True})
            found = self.runs[-1]
        yield found["id"]

    def of_row(self, tags):
        keys = ("experiment", "row", "variant")
        rows = [run for run in self.runs if "a row" in run]
        return next((run for run in rows if all(run[key] == tags[key] for key in keys)), None)

    def trials(self, tags, data):
        row = self.of_row(tags)
        return {
            run["trial"]
            for run in self.runs
            if row and run["parent"] == row["id"] and "trial" in run
            if run["status"] == "FINISHED" and run[DATA] == data
        }

    def mark(self, row, failed):
        self.runs[int(row)]["failed"] = failed

    def log_scores(self, run_id, scores, shown):
        self.scores[run_id] = (scores, shown)

    def commit(self, run_id):
        return "a commit"


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A project on disk whose stages only leave what the engine reads, and note that they ran."""
    world = SimpleNamespace(root=tmp_path, ran=[], broken=set(), data="first", notes=Notes())
    conf = {
        "base": "embed: {features: [network]}\nsplit: {trials: 2}\n"
        "evaluate: {dataset: '${globals:dataset}'}\n",
        "other": "split: {seed: 9}\n",
        "local": "{}\n",
    }
    for name, text in conf.items():
        (tmp_path / "conf" / name).mkdir(parents=True)
        (tmp_path / "conf" / name / "parameters.yml").write_text(text)
        (tmp_path / "conf" / name / "globals.yml").write_text(
            "{}" if name == "local" else f"dataset: {name}\n"
        )

    def kedro(self, job, stages, namespaces=None):
        variant, results = job.variant, Results(tmp_path, job.variant.dataset)
        trial = namespaces[0] if namespaces else None
        world.ran.append(((job.row or variant.dataset), trial or "+".join(stages)))
        if {job.row, (job.row, trial), (job.row, stages[-1])} & world.broken:
            raise RuntimeError(f"{job.row} breaks")
        if "ingest" in stages:
            folder = tmp_path / "data/02_intermediate" / variant.dataset / "ingest_report.json/v"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "ingest_report.json").write_text(json.dumps({"fingerprint": world.data}))
        if "split" in stages:
            path = results.folder("05_model_input", variant) / "split_fingerprints.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({each: f"of {each}" for each in job.trials}))
        if trial:
            folder = results.output(variant, trial)
            folder.mkdir(parents=True, exist_ok=True)
            for features in variant.parameters.embed.features:
                pd.DataFrame(
                    [[variant.dataset, "p", trial, features, "euclidean", "rank-1", 0.5]],
                    columns=[
                        "dataset", "protocol", "trial", "features", "metric", "measure", "value",
                    ],
                ).to_parquet(folder / f"scores_{features}.parquet")  # fmt: skip

    monkeypatch.setattr(Engine, "_kedro", kedro)
    monkeypatch.setattr(engine, "Tracking", world.notes)
    monkeypatch.setattr(engine, "variants_of", lambda *words: variants_of(*words, root=tmp_path))
    monkeypatch.setattr(engine, "Results", lambda root, dataset: Results(tmp_path, dataset))
    return world


def experiment(**rows):
    return read_experiments({"e": {"title": "E", "rows": rows}})["e"]


TWO = {"a": {}, "b": {"parameters": {"embed.frames": 3}}}


def trials_of(world):
    return [step for step in world.ran if step[1].startswith("trial")]


def test_every_row_runs_over_every_trial_and_shares_what_it_can(world):
    assert Engine().run(experiment(**TWO)) == []
    assert world.ran == [
        ("base", "synthesise+ingest"),
        ("a", "split+extract"),
        ("a", "trial_00"),
        ("a", "trial_01"),
        ("b", "split+extract"),
        ("b", "trial_00"),
        ("b", "trial_01"),
    ]


def test_a_run_a_row_with_a_child_a_trial(world):
    Engine(trials=1).run(experiment(**TWO))
    rows = [run for run in world.notes.runs if "a row" in run]
    assert [row["row"] for row in rows] == ["a", "b"]
    for row in rows:
        (child,) = (
            run for run in world.notes.runs if run["parent"] == row["id"] and "trial" in run
        )
        wanted = {"experiment": "e", "row": row["row"], "dataset": "base", "trial": "trial_00"}
        assert wanted.items() <= child.items()
        assert row["failed"] is False
        assert len(world.notes.scores[child["id"]][0]) == 1


def test_what_is_finished_is_not_run_again(world):
    Engine(trials=1).run(experiment(**TWO))
    world.ran.clear()
    runs = len(world.notes.runs)
    Engine(trials=1).run(experiment(**TWO))
    assert world.ran == [("base", "synthesise+ingest")]
    assert len(world.notes.runs) == runs + 1  # the reading of the frames
    Engine().run(experiment(**TWO))
    assert trials_of(world) == [("a", "trial_01"), ("b", "trial_01")]


def test_two_engines_at_one_data_set_take_turns(world, monkeypatch):
    quick = Engine._kedro

    def slow(*words, **which):
        time.sleep(0.05)
        quick(*words, **which)

    monkeypatch.setattr(Engine, "_kedro", slow)
    with ThreadPoolExecutor(2) as pool:
        failures = list(pool.map(lambda _: Engine().run(experiment(**TWO)), range(2)))
    assert failures == [[], []]
    assert trials_of(world) == [(row, f"trial_0{trial}") for row in "ab" for trial in range(2)]


def test_other_data_is_another_matter(world):
    Engine().run(experiment(a={}))
    world.ran.clear()
    world.data = "second"
    Engine().run(experiment(a={}))
    assert trials_of(world) == [("a", "trial_00"), ("a", "trial_01")]


def test_a_trial_that_was_killed_is_run_again(world):
    Engine().run(experiment(a={}))
    (variant,) = variants_of(experiment(a={}), root=world.root).values()
    Results(world.root, "base").forget(variant, "trial_00")
    world.ran.clear()
    Engine().run(experiment(a={}))
    assert trials_of(world) == [("a", "trial_00")]


def test_rows_of_one_variant_train_once_and_all_have_their_scores(world):
    rows = {"a": {}, "a, by its own score": {"metric": "siamese"}}
    Engine().run(experiment(**rows))
    assert trials_of(world) == [("a", "trial_00"), ("a", "trial_01")]
    children = [run for run in world.notes.runs if "trial" in run]
    assert [child["row"] for child in children] == ["a", "a", *["a, by its own score"] * 2]
    assert all("ran_in" in child for child in children[2:])
    assert {world.notes.scores[child["id"]][1] for child in children[2:]} == {
        ("network", "siamese")
    }


@pytest.mark.parametrize(
    ("broken", "named", "ran"),
    [
        ("a", ["e, a"], ["b", "b"]),
        (("a", "extract"), ["e, a"], ["b", "b"]),
        (("a", "trial_00"), ["e, a, trial_00"], ["a", "a", "b", "b"]),
    ],
)
def test_a_failure_is_named_and_stops_nothing_else(world, broken, named, ran):
    world.broken = {broken}
    failures = Engine().run(experiment(**TWO))
    assert [str(failure).split(":")[0] for failure in failures] == named
    assert all("a breaks" in str(failure) for failure in failures)
    assert [row for row, _ in trials_of(world)] == ran
    world.broken = set()
    assert Engine().run(experiment(**TWO)) == []


def test_a_failed_row_is_marked(world):
    world.broken = {("a", "trial_00")}
    Engine().run(experiment(a={}))
    (row,) = (run for run in world.notes.runs if "a row" in run)
    assert row["failed"] is True


def test_the_training_elsewhere_comes_first(world):
    world.ran.clear()
    said = {"title": "E", "rows": {"a": {}}, "cross_dataset": True}
    across = read_experiments({"e": said})["e"]
    assert Engine(trained_on="other", trials=1).run(across) == []
    assert world.ran == [
        ("other", "synthesise+ingest"),
        ("a", "split+extract"),
        ("a", "trial_00"),
        ("base", "synthesise+ingest"),
        ("a", "split+extract"),
        ("a", "trial_00"),
    ]
    world.ran.clear()
    Engine(trained_on="other", trials=1).run(across)
    assert not trials_of(world)


def test_the_row_that_trains_runs_before_the_row_that_borrows(world):
    fisher = {"network_of": "a", "features": "fisher", "metric": "cosine"}
    fisher["parameters"] = {"embed.features": ["fisher"]}
    Engine(trials=1).run(experiment(a={}, f=fisher), ["f"])
    assert trials_of(world) == [("a", "trial_00"), ("f", "trial_00")]


def test_the_clock_counts_what_is_left(monkeypatch):
    clock, now = Clock(), [0.0]
    monkeypatch.setattr(engine.time, "monotonic", lambda: now[0])
    clock.expect({("k", f"trial_{n:02}") for n in range(5)})
    assert str(clock) == "5 of 5 trials to go"
    clock.skip([("k", "trial_00")])
    for trial, seconds in (("trial_01", 100), ("trial_02", 140)):
        with clock.time("k", trial):
            now[0] += seconds
    assert clock.left == 2 * 120
    assert str(clock) == "2 of 5 trials to go, about 4 min left"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (89, "89 s"), (720, "12 min"), (12_000, "3 h 20 min")]
)
def test_durations_are_for_people(seconds, said):
    assert duration(seconds) == said
