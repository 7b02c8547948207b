"""Experiments by their commands: what is run, what is not run again, and what is shown."""

import re
import shlex
import sys
from html import unescape

import mlflow
import pandas as pd
import pytest
from wherewhen.experiments.results import Results
from wherewhen.experiments.variants import variants_of

from wherewhen.experiments.config import load_experiments, nested
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
    average pooling:
      published: Average/attention pooling
      parameters: {train.network.both.temporal_pooling: average}
    average pooling + KISSME:
      metric: kissme
      parameters: {train.network.both.temporal_pooling: average}
    mean-pooled cubes:
      features: mean_pooled
      metric: cosine
      parameters: {embed.features: [mean_pooled]}
    Fisher vectors: {published: Fisher vector pooling, quoted: true}
"""
RUN = ("average pooling", "average pooling + KISSME", "mean-pooled cubes")
TRIALS = ["trial_00", "trial_01"]


def prepare(project):
    """Give a copy of the project the rows above."""
    (project.root / "conf/base/experiments.yml").write_text(EXPERIMENTS)
    return project


def table_of(project, tiny):
    """Read the table, and the results and variants behind it."""
    results = Results(project.root, "synthetic")
    experiment = load_experiments(root=project.root)["tiny"]
    variants = variants_of(experiment, params=nested(tiny), root=project.root)
    return comparison(experiment, results, variants), results, variants


@pytest.fixture(scope="module")
def ran(new_project, tiny, tmp_path_factory):
    """A copy in which the experiment ran once; its output beside it."""
    project = prepare(new_project(tmp_path_factory.mktemp("ran")))
    output = project.failure_of(project.kedro("experiment", "run", "tiny", **tiny))
    (project.root / "output.txt").write_text(output)
    return project


def runs_of(project):
    mlflow.set_tracking_uri(f"sqlite:///{project.root / 'mlflow.db'}")
    try:
        client = mlflow.MlflowClient()
        ids = [each.experiment_id for each in client.search_experiments()]
        return client.search_runs(ids, "tags.experiment = 'tiny'", max_results=1000)
    finally:
        mlflow.set_tracking_uri(None)


def test_a_row_that_fails_is_named_and_the_others_are_done(ran, tiny):
    output = (ran.root / "output.txt").read_text()
    assert "1 failed, all else is done: - tiny, without weights: weights of googlenet" in output
    assert "nowhere.pth" in output and "Ways out" in output
    _, results, variants = table_of(ran, tiny)
    assert results.trials(variants["without weights"]) == []
    for row in RUN:
        assert results.trials(variants[row]) == TRIALS


def test_rows_with_the_same_parameters_trained_once(ran, tiny):
    _, results, variants = table_of(ran, tiny)
    assert variants[RUN[0]].key == variants[RUN[1]].key
    networks = ran.root.glob("data/06_models/synthetic/variants/*/trial_00/network.safetensors/*")
    assert len(list(networks)) == 1
    done = results.done(variants[RUN[0]], "trial_00")
    assert done.parameters["train"]["network"]["temporal_pooling"] == "average"
    assert done.seconds > 0


def test_a_run_a_row_with_a_child_a_trial(ran):
    runs = [run for run in runs_of(ran) if "row" in run.data.tags]  # not of the table as a whole
    rows = {run.data.tags["row"]: run for run in runs if "mlflow.parentRunId" not in run.data.tags}
    rows = {name: run for name, run in rows.items() if "stage" not in run.data.tags}
    assert set(rows) == {*RUN, "without weights"}
    assert rows["without weights"].info.status == "FAILED"
    for name in RUN:
        row = rows[name]
        assert row.info.status == "FINISHED"
        assert {"rank-1", "rank-1 std", "mAP"} <= set(row.data.metrics)
        children = {
            run.data.tags["trial"]: run
            for run in runs
            if run.data.tags.get("mlflow.parentRunId") == row.info.run_id
            and "trial" in run.data.tags
        }
        assert sorted(children) == TRIALS
        for trial, child in children.items():
            wanted = {"experiment": "tiny", "row": name, "dataset": "synthetic", "trial": trial}
            assert wanted.items() <= child.data.tags.items()
            assert child.info.status == "FINISHED"
            assert "rank-1" in child.data.metrics
    trained = [run for run in runs if "train.preset" in run.data.params]
    assert {run.data.tags["row"] for run in trained} == {"average pooling"}


def test_started_again_it_repeats_nothing(ran, tiny):
    records = list((ran.root / "data/08_reporting").rglob("done.json"))
    before = {path: path.stat().st_mtime_ns for path in records}
    assert len(before) == 4  # two variants, two trials
    runs = len(runs_of(ran))
    chosen = [word for row in RUN for word in ("--rows", row)]
    output = ran.output_of(ran.kedro("experiment", "run", "tiny", *chosen, **tiny))
    assert output.count("finished already") == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(runs_of(ran)) == runs + 1  # the frames were read: the data might be others


def test_the_table_is_shown_and_logged(ran, tiny):
    output = ran.output_of(ran.kedro("experiment", "show", "tiny", **tiny))
    assert "A few rows" in output and "single_match" in output
    for row in (*RUN, "Fisher vectors (quoted)"):
        assert row in output
    assert "79.2" in output and "ilids_vid" in output  # published, for orientation
    (shown,) = (run for run in runs_of(ran) if run.data.tags.get("stage") == "table")
    mlflow.set_tracking_uri(f"sqlite:///{ran.root / 'mlflow.db'}")
    try:
        logged = pd.read_csv(
            mlflow.artifacts.download_artifacts(
                run_id=shown.info.run_id, artifact_path="tiny.csv", dst_path=str(ran.root)
            )
        )
    finally:
        mlflow.set_tracking_uri(None)
    table, results, variants = table_of(ran, tiny)
    pd.testing.assert_series_equal(logged["mean"], table["mean"])
    scores = results.scores(variants["average pooling"])
    own = scores[(scores.metric == "euclidean") & (scores.measure == "rank-1")].value
    line = table[(table.row == "average pooling") & (table.measure == "rank-1")].iloc[0]
    assert line["mean"] == pytest.approx(100 * own.mean())
    assert line.trials == 2 and pd.isna(line.difference)


def report_of(project, tiny):
    """Write the report and return it, and the commands that it prints of a row."""
    output = project.output_of(project.kedro("experiment", "report", **tiny))
    assert output.strip().endswith("data/08_reporting/experiments.html")
    page = (project.root / "data/08_reporting/experiments.html").read_text(encoding="utf-8")
    of_row = page.partition(f"<summary>{RUN[0]} <")[2].partition("</details>")[0]
    return page, [unescape(line) for line in re.findall("<pre><code>(.*?)</code>", of_row, re.S)]


def test_the_report_shows_what_is_finished_and_what_failed(ran, tiny):
    page, commands = report_of(ran, tiny)
    table = page.partition('<table class="numbers">')[2].partition("</table>")[0]
    rows = {row: table.partition(f'<th scope="row">{row}')[2].partition("</tr>")[0] for row in RUN}
    shown, _, _ = table_of(ran, tiny)
    for line in shown[(shown.measure == "rank-1") & shown.row.isin(RUN)].itertuples():
        assert f"{line.mean:.1f}" in rows[line.row] and f"± {line.deviation:.1f}" in rows[line.row]
    assert re.findall(r'class="tag (\S+)"', table) == ["failed"]
    assert 'class="plot"' in page and "3 of 4 rows finished, 1 failed" in page
    assert len(commands) == 3


@pytest.mark.slow
def test_the_commands_of_the_report_make_the_same_numbers(ran, tiny):
    _, commands = report_of(ran, tiny)
    before, results, variants = table_of(ran, tiny)
    folder = results.output(variants[RUN[0]], "trial_00")
    for path in folder.glob("*.parquet"):
        path.unlink()
    for command in commands[1:]:  # as plain runs
        words = shlex.split(command)
        assert words[:3] == ["uv", "run", "kedro"]
        ran.output_of([sys.executable, "-m", *words[2:]])
    pd.testing.assert_frame_equal(table_of(ran, tiny)[0], before)


@pytest.mark.slow
def test_killed_and_started_again_the_table_is_the_same(ran, project, tiny, kill_when):
    prepare(project)
    command = project.kedro("experiment", "run", "tiny", "--rows", RUN[0], "--rows", RUN[2], **tiny)
    models = project.root / "data/06_models/synthetic/variants"
    kill_when(
        project.spawn(command),
        lambda: list(models.glob("*/trial_01/checkpoints/*/checkpoint.safetensors")),
    )
    (record,) = (project.root / "data/08_reporting").rglob("done.json")
    assert record.parent.name == "trial_00"
    before = record.stat().st_mtime_ns

    project.output_of(command)
    assert record.stat().st_mtime_ns == before, "a finished trial was repeated"
    undisturbed, resumed = (table_of(each, tiny)[0] for each in (ran, project))
    rows = [RUN[0], RUN[2]]
    undisturbed, resumed = (
        table[table.row.isin(rows)].reset_index(drop=True) for table in (undisturbed, resumed)
    )
    pd.testing.assert_frame_equal(undisturbed, resumed)
    statuses = {
        run.info.status
        for run in runs_of(project)
        if run.data.tags.get("row") == RUN[0] and run.data.tags.get("trial") == "trial_01"
    }
    assert statuses == {"KILLED", "FINISHED"}
