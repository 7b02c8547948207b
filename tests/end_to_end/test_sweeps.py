"""A sweep by its command: killed, gone on with, and without a test person in what it makes."""

import os
import shutil
import signal
import sqlite3
import time
from contextlib import closing

import mlflow
import optuna
import pandas as pd
import pytest

SWEEP = """
dimensions:
  search:
    learn_metric.dimension: {low: 5, high: 25}
    learn_metric.kissme.shrinkage: {low: 0.001, high: 0.5, log: true}
  features: row_pooled
  metric: kissme
  validation: 0.5
"""
EVALUATIONS = 4
PATIENCE = 300


@pytest.fixture
def ready(new_project, finished, tmp_path):
    """Return a function that makes a copy with the people, their cubes and the sweep."""

    def make(name):
        project = new_project(tmp_path / name)
        for layer in ("01_raw", "02_intermediate", "03_primary", "04_feature"):
            shutil.copytree(finished.root / "data" / layer, project.root / "data" / layer)
        (project.root / "conf/base/sweeps.yml").write_text(SWEEP)
        return project

    return make


def command(project, tiny):
    return project.kedro("experiment", "sweep", "dimensions", "-n", str(EVALUATIONS), **tiny)


def judged(project):
    """Return the values of the finished evaluations, in order, and the state of all."""
    storage = f"sqlite:///{project.root / 'data/08_reporting/synthetic/sweeps.db'}"
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    return [(trial.params, trial.value) for trial in complete], [
        trial.state.name for trial in trials
    ]


def states(project):
    """Look at the study without a hand in it: who opens it by Optuna makes it."""
    path = project.root / "data/08_reporting/synthetic/sweeps.db"
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return [state for (state,) in database.execute("SELECT state FROM trials")]
    except sqlite3.OperationalError:  # there is no file yet, or it has no tables
        return []


def wait_for_an_evaluation(project, process):
    """Wait until an evaluation is judged and another has begun."""
    ends = time.monotonic() + PATIENCE
    while not {"COMPLETE", "RUNNING"} <= set(states(project)):
        assert time.monotonic() < ends, "no evaluation began"
        assert process.poll() is None, "the sweep ended before it could be killed"
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_and_gone_on_with_it_finds_the_same_without_the_test_persons(ready, finished, tiny):
    undisturbed = ready("undisturbed")
    output = undisturbed.output_of(command(undisturbed, tiny))
    assert "--params '" in output and "validation persons" in output
    values, ended = judged(undisturbed)
    assert ended == ["COMPLETE"] * EVALUATIONS

    interrupted = ready("interrupted")
    process = interrupted.spawn(command(interrupted, tiny), start_new_session=True)
    wait_for_an_evaluation(interrupted, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    interrupted.output_of(command(interrupted, tiny))

    again, ended = judged(interrupted)
    assert again == values
    assert ended.count("FAIL") == 1 and ended.count("COMPLETE") == EVALUATIONS
    split = pd.read_parquet(finished.latest("05_model_input/synthetic/splits.parquet"))
    tested = set(split[(split.trial == "trial_00") & (split.role != "train")].tracklet)
    assert len(tested) == 12
    for kind in ("split", "windows", "embeddings_row_pooled", "rankings_row_pooled"):
        layer = "05_model_input" if kind == "split" else "07_model_output"
        folder = interrupted.root / "data" / layer / "synthetic/trial_00" / f"{kind}.parquet"
        tables = [pd.read_parquet(file) for file in folder.glob("*/*.parquet")]
        assert tables
        for table in tables:
            names = {"tracklet", "probe", "gallery"} & set(table.columns)
            assert names and not any(tested & set(table[name]) for name in names)

    mlflow.set_tracking_uri(f"sqlite:///{interrupted.root / 'mlflow.db'}")
    try:
        runs = mlflow.search_runs(search_all_experiments=True, filter_string="tags.sweep != ''")
    finally:
        mlflow.set_tracking_uri(None)
    evaluations = runs[runs["tags.evaluation"].notna()]
    (sweep,) = runs[runs["tags.stage"] == "sweep"].run_id
    assert (evaluations["tags.mlflow.parentRunId"] == sweep).all()
    # the process may have been killed before the evaluation's run began
    killed = ["KILLED"] * (len(evaluations) - EVALUATIONS)
    assert len(killed) <= 1 and sorted(evaluations.status) == ["FINISHED"] * EVALUATIONS + killed
