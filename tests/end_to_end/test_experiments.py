"""Experiments by their commands: what is run, what is not run again, and what is shown."""

import contextlib
import re
import shlex
import shutil
import sys
from html import unescape

import mlflow
import pandas as pd
import pytest
import yaml

from wherewhen.experiments.config import load_experiments, nested
from wherewhen.experiments.rows import Request, resolve
from wherewhen.experiments.tables import comparison

EXPERIMENTS = """
defaults:
  parameters: {embed.features: [network]}
tiny:
  title: A few rows, one of which fails
  table: IV
  rows:
    without weights:
      parameters:
        extract: {backbone: googlenet, weights: {source: file, path: nowhere.pth, package: null}}
    ours: {}
    average pooling:
      published: Average/attention pooling
      parameters: {train.network.temporal_pooling: average}
    average pooling + KISSME:
      metric: kissme
      parameters: {train.network.temporal_pooling: average}
    mean-pooled cubes:
      features: mean_pooled
      metric: cosine
      parameters: {embed.features: [mean_pooled]}
    Fisher vectors: {published: Fisher vector pooling, quoted: true}
lengths:
  title: How many frames?
  figure: lengths
  rows: {ours: {}}
"""
RUN = ("ours", "average pooling", "average pooling + KISSME", "mean-pooled cubes")
TRAINED = "average pooling"
TRIALS = ["trial_00", "trial_01"]


def prepare(project, finished):
    """Give a copy of the project the rows above, and what the plain run has made."""
    (project.root / "conf/base/experiments.yml").write_text(EXPERIMENTS)
    shutil.copytree(finished.root / "data", project.root / "data", dirs_exist_ok=True)
    return project


def table_of(project, tiny):
    """Put the table together as a command in the project does."""
    with contextlib.chdir(project.root):
        experiment = load_experiments()["tiny"]
        rows = resolve(experiment, Request(params=nested(tiny)))
        return comparison(experiment, rows, "synthetic")


@pytest.fixture(scope="module")
def ran(new_project, finished, here, tiny, tmp_path_factory):
    """A copy in which the experiment ran once; its output beside it."""
    project = prepare(new_project(tmp_path_factory.mktemp("ran")), finished)
    code, output = here(project, "experiment", "run", "tiny", **tiny)
    assert code > 0, output
    (project.root / "output.txt").write_text(output)
    return project


def runs_of(project, **tags):
    mlflow.set_tracking_uri(f"sqlite:///{project.root / 'mlflow.db'}")
    try:
        client = mlflow.MlflowClient()
        ids = [each.experiment_id for each in client.search_experiments()]
        found = client.search_runs(ids, max_results=1000)
        return [run for run in found if tags.items() <= run.data.tags.items()]
    finally:
        mlflow.set_tracking_uri(None)


def networks(project, trial="trial_00"):
    return project.made(f"06_models/synthetic/{trial}/network.safetensors")


def test_a_row_that_fails_is_named_and_the_others_are_done(ran, tiny):
    output = (ran.root / "output.txt").read_text()
    assert "1 failed, all else is done: - tiny, without weights: weights of googlenet" in output
    assert "nowhere.pth" in output and "Ways out" in output
    trials = table_of(ran, tiny).groupby("row").trials.max().to_dict()
    quoted = {"Fisher vectors": 0}
    assert trials == {**dict.fromkeys(RUN, 2), "without weights": 0, **quoted}


def test_rows_share_what_they_ask_for_also_with_plain_runs(ran, finished):
    plain, trained = networks(ran)
    assert plain["content"] == networks(finished)[0]["content"]
    (row,) = runs_of(ran, row=TRAINED)
    assert trained["run_id"] == row.info.run_id
    assert trained["parameters"]["train.training"] == plain["parameters"]["train.training"]
    for name in ("ours", "mean-pooled cubes"):
        (row,) = runs_of(ran, row=name)
        taken = row.data.tags[
            f"taken_over.trial_01.scores_{'mean_pooled' * (name != 'ours') or 'network'}"
        ]
        assert taken == networks(finished)[0]["run_id"]


def test_a_run_of_mlflow_a_row(ran, tiny):
    rows = {run.data.tags["row"]: run for run in runs_of(ran, experiment="tiny")}
    assert set(rows) == {*RUN, "without weights"}
    assert rows["without weights"].info.status == "FAILED"
    for name in RUN:
        assert rows[name].info.status == "FINISHED"
        assert rows[name].info.run_name == f"tiny · {name} · synthetic"
    shown = table_of(ran, tiny).set_index(["row", "measure"])["mean"]
    for name in RUN:
        assert rows[name].data.metrics["mAP"] == pytest.approx(shown[name, "mAP"] / 100)
    pooling = {
        name: run.data.params.get("train.network.temporal_pooling") for name, run in rows.items()
    }
    assert (pooling["ours"], pooling[TRAINED]) == ("attention", "average")


def test_started_again_it_repeats_nothing(ran, here, tiny):
    before = {path: path.stat().st_mtime_ns for path in (ran.root / "data").rglob("record.json")}
    runs = len(runs_of(ran))
    chosen = [word for row in RUN for word in ("--rows", row)]
    code, output = here(ran, "experiment", "run", "tiny", *chosen, **tiny)
    assert code == 0, output
    assert output.count("finished already") == len(RUN)
    after = {path: path.stat().st_mtime_ns for path in (ran.root / "data").rglob("record.json")}
    assert after == before and len(runs_of(ran)) == runs


def test_the_table_is_shown(ran, tiny, here, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, output = here(ran, "experiment", "show", "tiny", **tiny)
    assert code == 0, output
    assert "A few rows" in output and "single_match" in output
    assert "79.2" in output and "ilids_vid" in output  # published, for orientation
    table = table_of(ran, tiny)
    for line in table[(table.measure == "mAP") & table["mean"].notna()].itertuples():
        assert f"{line.mean:.1f} ± {line.deviation:.1f}" in output


def test_what_a_figure_needs_is_measured(ran, tiny, here):
    code, output = here(ran, "experiment", "figures", "lengths", **tiny)
    assert code == 0, output
    drawn = ran.root / "data/08_reporting/synthetic/experiments/lengths/lengths.csv"
    table = pd.read_csv(drawn)
    assert set(table.trial) == set(TRIALS) and table["rank-1"].between(0, 1).all()
    for trial in TRIALS:
        assert len(ran.made(f"07_model_output/synthetic/{trial}/length_matrix.parquet")) == 1


@pytest.fixture
def report(ran, tiny, here):
    """The report, and the commands that it prints of the row that was trained."""
    code, output = here(ran, "experiment", "report", **tiny)
    assert code == 0 and output.endswith("data/08_reporting/experiments.html")
    page = (ran.root / "data/08_reporting/experiments.html").read_text(encoding="utf-8")
    of_row = page.partition(f"<summary>{TRAINED} <")[2].partition("</details>")[0]
    return page, [unescape(line) for line in re.findall("<pre><code>(.*?)</code>", of_row, re.S)]


def test_the_report_shows_what_is_finished_and_what_failed(ran, tiny, report):
    page, commands = report
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    lines = [re.findall(r"<t[hd][^>]*>(.*?)</t", line) for line in table.split("<tr>")[1:]]
    rows = {name: (cells, state) for name, *cells, state in lines}
    shown = table_of(ran, tiny)
    for line in shown[(shown.measure == "rank-1") & shown.row.isin(RUN)].itertuples():
        cells, state = rows[line.row]
        assert state == "2 trials"
        assert {f"{line.mean:.1f}", f"{line.deviation:.1f}"} <= set(cells)
    assert rows["without weights"][1] == "failed"
    assert "data:image/png" in page and "4 of 5 rows finished, 1 failed" in page
    assert len(commands) == 2


@pytest.mark.slow
def test_the_commands_of_the_report_make_the_same_numbers(ran, tiny, report, finished, project):
    """Each in a copy that has only what a plain run of other parameters has made."""
    before = table_of(ran, tiny)
    of_row = before[before.row == TRAINED].reset_index(drop=True)
    prepare(project, finished)
    for command in report[1]:
        shutil.rmtree(project.root / "data/06_models/synthetic")
        shutil.rmtree(project.root / "data/07_model_output/synthetic")
        words = shlex.split(command)
        assert words[:3] == ["uv", "run", "kedro"]
        project.output_of([sys.executable, "-m", *words[2:]])
        again = table_of(project, tiny)
        pd.testing.assert_frame_equal(again[again.row == TRAINED].reset_index(drop=True), of_row)


@pytest.mark.slow
def test_killed_and_started_again_the_table_is_the_same(ran, project, finished, tiny, kill_when):
    prepare(project, finished)
    command = project.kedro("experiment", "run", "tiny", "--rows", TRAINED, **tiny)
    checkpoints = project.root / "data/06_models/synthetic/trial_01/checkpoints"
    kill_when(project.spawn(command), lambda: list(checkpoints.glob("*/checkpoint.safetensors")))
    (_, first), (_,) = networks(project), networks(project, "trial_01")
    output = project.output_of(command)
    assert "trial_00.fit" not in output, "a finished network was trained again"
    assert networks(project)[-1] == first
    undisturbed, resumed = (table_of(each, tiny) for each in (ran, project))
    undisturbed, resumed = (
        each[each.row == TRAINED].reset_index(drop=True) for each in (undisturbed, resumed)
    )
    pd.testing.assert_frame_equal(undisturbed, resumed)
    statuses = [run.info.status for run in runs_of(project, row=TRAINED)]
    assert sorted(statuses) == ["FINISHED", "KILLED"]


@pytest.mark.slow
def test_two_commands_at_once_make_nothing_twice(ran, project, finished, tiny):
    prepare(project, finished)
    command = project.kedro("experiment", "run", "tiny", "--rows", TRAINED, **tiny)
    processes = [project.spawn(command) for _ in range(2)]
    outputs = [process.communicate(timeout=500)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    made = re.findall(r"made by (\S+)", "".join(outputs))
    assert len(made) == len(set(made)) and {"trial_00.fit", "trial_01.fit"} <= set(made)
    undisturbed, twice = (table_of(each, tiny) for each in (ran, project))
    of_row = [each[each.row == TRAINED].reset_index(drop=True) for each in (undisturbed, twice)]
    pd.testing.assert_frame_equal(*of_row)


@pytest.mark.slow
def test_trained_there_tested_here(project, finished, tiny):
    """Twice over one rendered set: in an environment of another name its networks are borrowed."""
    prepare(project, finished)
    (project.root / "conf/elsewhere").mkdir()
    (project.root / "conf/elsewhere/globals.yml").write_text("dataset: elsewhere\n")
    people = {"synthesise": nested(tiny)["synthesise"]}  # --params of it are the test's alone
    (project.root / "conf/elsewhere/parameters.yml").write_text(yaml.safe_dump(people))
    shutil.copytree(project.root / "data/01_raw/synthetic", project.root / "data/01_raw/elsewhere")
    words = ["experiment", "run", "tiny", "--rows", "ours", "--trained-on", "elsewhere"]
    output = project.output_of(project.kedro(*words, **tiny))
    assert "trial_01.fit" in output and "trial_01.borrow" in output
    there = project.made("06_models/elsewhere/trial_00/network.safetensors")
    here = networks(project)
    assert there[0]["content"] == here[0]["content"] == here[1]["content"]
    assert here[1]["node"] == "trial_00.borrow" and here[0]["node"] == "trial_00.fit"
    assert "finished already" in project.output_of(project.kedro(*words, **tiny))
