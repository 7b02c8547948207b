import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image
from wherewhen.experiments.results import Done, Results
from wherewhen.experiments.variants import decisive_parameters, variants_of

from wherewhen.experiments.cli import experiment
from wherewhen.experiments.config import ExperimentError, load_experiments
from wherewhen.experiments.figures import folder_of
from wherewhen.experiments.report import (
    Question,
    environments,
    gather,
    network_fingerprint,
    with_results,
    write_report,
)
from wherewhen.project import project_root
from wherewhen.reporting.page import Status, render

EXPERIMENTS = """
tiny:
  title: A tiny table
  asks: Does it work?
  table: IV
  figure: lengths
  rows:
    ours: {published: Average/attention pooling, note: one row for both}
    muted: {parameters: {train.network.both.attention: muted}}
    half: {parameters: {train.network.both.attention: muted, train.network.both.recurrence: none}}
    never: {parameters: {train.network.both.recurrence: none}}
    max: {published: Max pooling, quoted: true}
idle:
  title: Nobody ran it
  rows: {ours: {parameters: {train.preset: paper}}}
across:
  title: Across
  cross_dataset: true
  rows: {ours: {}}
"""


@dataclass
class Run:
    """Looks like MLflow's."""

    run_id: str
    status: str
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def info(self) -> "Run":
        return self

    data = info


def finish(results: Results, variant, trial: str, rank_1: float, minute: int = 0) -> None:
    """Leave what a finished trial leaves."""
    folder = results.output(variant, trial)
    folder.mkdir(parents=True, exist_ok=True)
    measures = {"rank-1": rank_1, "rank-5": rank_1 + 0.25, "mAP": rank_1 / 2}
    scores = pd.DataFrame({
        "dataset": results.dataset, "protocol": "single_match", "trial": trial,
        "features": "network", "metric": "euclidean",
        "measure": list(measures), "value": list(measures.values()),
    })  # fmt: skip
    for features in variant.parameters.embed.features:
        scores.assign(features=features).to_parquet(folder / f"scores_{features}.parquet")
    models = results.folder("06_models", variant) / trial
    history = pd.DataFrame({
        "step": range(6), "epoch": np.repeat([0, 1, 2], 2), "loss": [4.0, 2, 2, 1, 1, 0.5],
        "validation_loss": [np.nan] * 5 + [0.75],
        "validation_rank_1": np.nan, "validation_map": np.nan,
    })  # fmt: skip
    for name in ("history.parquet", "network.safetensors"):
        file = models / name / "2026" / name
        file.parent.mkdir(parents=True)
        file.write_bytes(b"weights") if name.startswith("network") else history.to_parquet(file)
    results.record(Done(
        variant=variant.key, dataset=results.dataset, trial=trial, data="da7a", split=f"5p-{trial}",
        parameters=decisive_parameters(variant.parameters), commit="c" * 40, seconds=12.4,
        finished=f"2026-11-22T19:{minute:02}:00+00:00", mlflow_run_id=f"run-{trial}",
    ))  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for name in ("base", "prid2011"):
        shutil.copytree(project_root() / "conf" / name, root / "conf" / name)
    (root / "conf/local").mkdir()
    (root / "conf/base/experiments.yml").write_text(EXPERIMENTS, encoding="utf-8")
    for file in (root / "conf").glob("*/experiments.yml"):
        if file.parent.name != "base":
            file.unlink()
    return root


@pytest.fixture(scope="module")
def results(root) -> Results:
    results = Results(root, "prid2011")
    variants = variants_of(load_experiments("prid2011", root)["tiny"], "prid2011", root=root)
    for place, (ours, muted) in enumerate(((0.5, 0.25), (0.75, 0.25))):
        finish(results, variants["ours"], f"trial_0{place}", ours, place)
        finish(results, variants["muted"], f"trial_0{place}", muted)
    finish(results, variants["half"], "trial_00", 0.125)
    identity = results.folder("04_feature", variants["ours"]) / "cubes_identity.json/2026"
    identity.mkdir(parents=True)
    (identity / "cubes_identity.json").write_text(json.dumps({"key": "cube-key"}))
    tables = root / "data/03_primary/prid2011"
    tables.mkdir(parents=True)
    pd.DataFrame({"tracklet": list("wxyz"), "person": list("aabb"), "camera": list("1212")}
                 ).to_parquet(tables / "tracklets.parquet")  # fmt: skip
    return results


@pytest.fixture(scope="module")
def figures(root, results) -> Path:
    folder = folder_of(results, load_experiments("prid2011", root)["tiny"])
    folder.mkdir(parents=True)
    for name in ("lengths_ours", "loss_over_lambda", "attention", "failures_ours", "unheard_of"):
        Image.new("RGB", (2, 2)).save(folder / f"{name}.png")
    os.utime(folder / "loss_over_lambda.png", (0, 0))
    pd.DataFrame({
        "trial": ["trial_00", "trial_01"] * 2, "probe_frames": [1, 1, 8, 8], "gallery_frames": 4,
        "rank-1": [0.25, 0.75, 0.5, 1.0],
    }).to_csv(folder / "lengths_ours.csv", index=False)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def page(root, results, figures):
    tiny = load_experiments("prid2011", root)["tiny"]
    keys = {row: one.key for row, one in variants_of(tiny, "prid2011", root=root).items()}

    def runs(env, experiment):
        def tags(row, **more):
            return {"experiment": experiment, "row": row, "variant": keys[row], **more}

        child = {"mlflow.parentRunId": "row-run"}
        return [
            Run("row-run", "FINISHED", tags("ours")),
            Run("x", "FAILED", tags("ours", trial="trial_01", **child)),  # finished later
            Run("y", "FAILED", tags("half", trial="trial_01", **child)),
            Run("z", "KILLED", tags("never", stage="shared")),
        ]

    return gather(Question(["prid2011"]), root, runs)


@pytest.fixture(scope="module")
def rows(page):
    (experiment,) = page.datasets[0].experiments
    return {row.name: row for row in experiment.rows}


def test_only_what_is_finished_is_on_the_page_and_the_rest_is_named(page):
    (dataset,) = page.datasets
    assert (dataset.name, dataset.environment) == ("prid2011", "prid2011")
    assert [one.name for one in dataset.experiments] == ["tiny"]
    assert dataset.facts["persons"] == "2" and dataset.facts["tracklets"] == "4"
    assert dataset.facts["last trial finished"] == "2026-11-22 19:01 UTC"
    assert "Not run on prid2011: idle, across." in page.left_out


def test_numbers_are_those_of_the_scores_and_of_the_paper(rows):
    rank_1 = rows["ours"].numbers["rank-1"]
    # mean of 50 and 75, their deviation 25 / sqrt(2); Table IV prints 74.8
    assert rank_1.mean == 62.5 and rank_1.deviation == pytest.approx(17.678, abs=1e-3)
    assert rank_1.published is not None
    assert rank_1.difference == pytest.approx(62.5 - rank_1.published)
    assert rows["muted"].numbers["rank-1"].deviation == 0.0
    assert rows["half"].numbers["rank-1"].deviation is None
    assert rows["max"].numbers["rank-1"].mean is None
    assert rows["max"].numbers["rank-1"].published is not None
    assert rows["never"].numbers["mAP"].mean is None


def test_each_row_says_how_far_it_is(rows):
    assert {name: row.status for name, row in rows.items()} == {
        "ours": Status.FINISHED,  # a later run finished what had failed
        "muted": Status.FINISHED,
        "half": Status.PARTLY,
        "never": Status.FAILED,
        "max": Status.QUOTED,
    }
    assert "one row for both" in rows["ours"].notes
    assert "Failed: trial_01." in rows["half"].notes[-1]
    assert "Failed: before the first trial." in rows["never"].notes[-1]


def test_a_row_with_fewer_trials_is_unfinished_also_where_nothing_failed(root, results):
    (dataset,) = gather(Question(["prid2011"]), root).datasets
    half = {row.name: row for row in dataset.experiments[0].rows}["half"]
    assert half.status is Status.PARTLY and half.notes == ["1 of 2 trials are finished."]


def test_every_number_has_its_origin(rows):
    ours = rows["ours"]
    assert ours.facts["data"] == "da7a" and ours.facts["cubes"] == "cube-key"
    assert ours.facts["commit"] == "c" * 12 and ours.facts["MLflow run"] == "row-run"
    first, second = ours.trials
    assert first.facts["split"] == "5p-trial_00" and second.facts["MLflow run"] == "run-trial_01"
    assert first.facts["network"] == "9a129038d9a00aed"  # printf weights | sha256sum
    assert rows["muted"].parameters == {"train.network.modern.attention": "muted"}
    row, shared, trial = (command.line for command in ours.commands)
    assert row == "uv run kedro experiment run tiny --rows ours --env prid2011 --trials 2"
    assert "--pipelines ingest,split,extract" in shared
    assert "--namespaces trial_00" in trial and f"variant={ours.facts['variant']}" in trial


def test_a_network_that_was_removed_is_said_to_be_gone(root, results):
    tiny = load_experiments("prid2011", root)["tiny"]
    variant = variants_of(tiny, "prid2011", rows=["ours"], root=root)["ours"]
    assert network_fingerprint(results, variant, "trial_09") == "no longer there"
    assert network_fingerprint(results, variant, "trial_00") == "9a129038d9a00aed"


def test_curves_and_courses_are_means_over_the_trials(page):
    (experiment,) = page.datasets[0].experiments
    ours, muted, half, quoted = experiment.curves
    assert (ours.name, ours.ranks, ours.mean) == ("ours", [1, 5], [62.5, 87.5])
    assert muted.deviation == [0.0, 0.0] and half.deviation == ()
    assert quoted.name == "max" and quoted.ranks == () and 1 in quoted.published
    course = experiment.histories[0]
    assert (course.epochs, course.loss) == ([0, 1, 2], [3.0, 1.5, 0.75])
    assert (course.validation_epochs, course.validation) == ([2], [0.75])
    (matrix,) = experiment.matrices
    assert matrix.name == "ours" and matrix.percent == [[50.0], [75.0]]
    assert (matrix.probe_lengths, matrix.gallery_lengths) == ([1, 8], [4])


def test_people_are_not_shown_unless_asked_for_and_the_page_says_so(page, root):
    (experiment,) = page.datasets[0].experiments
    (safe,) = experiment.pictures
    assert "Fig 5 a" in safe.caption and "kedro experiment figures tiny" in safe.caption  # old
    (sentence,) = [one for one in page.left_out if "people" in one]
    assert "3 figures" in sentence and "--with-pictures" in sentence  # the unheard-of among them

    (dataset,) = gather(Question(["prid2011"], with_pictures=True), root).datasets
    captions = [one.caption for one in dataset.experiments[0].pictures]
    assert len(captions) == 4 and sum("Fig 10" in caption for caption in captions) == 1


def test_environments_are_all_without_being_named(root, results):
    assert environments(root) == ["base", "prid2011"]
    assert with_results(root) == ["prid2011"]


def test_nothing_finished_and_unknown_environments_are_told(root, results):
    with pytest.raises(ExperimentError, match="nothing is finished in base"):
        gather(Question(["base"]), root)
    with pytest.raises(ExperimentError, match="no environment nowhere"):
        gather(Question(["nowhere"]), root)


def test_on_other_footage_the_papers_figures_stand_aside(root):
    variants = variants_of(load_experiments(None, root)["tiny"], None, root=root)
    finish(Results(root, "synthetic"), variants["ours"], "trial_00", 0.5)
    try:
        (dataset,) = gather(Question(["base"]), root).datasets
    finally:
        shutil.rmtree(root / "data/08_reporting/synthetic")
    (experiment,) = dataset.experiments
    assert [row.name for row in experiment.rows] == ["ours", "muted", "half", "never"]
    assert experiment.compared == []
    # Table IV's max pooling on PRID 2011, as the paper prints it
    cell = experiment.elsewhere["max"]["prid2011, rank-1 / rank-5 / rank-10 / rank-20"]
    assert cell.startswith("72.4 / 90.8 / 96.0 / ")


def test_page_of_what_is_gathered_can_be_written(page, root, results, monkeypatch):
    assert "62.5" in render(page)
    monkeypatch.setattr("wherewhen.experiments.report.runs_by_mlflow", lambda: None)
    out = write_report(root / "shared/page.html", Question(), root)
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]


def test_command_asks_for_what_its_options_say(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        "wherewhen.experiments.report.write_report",
        lambda out, question: asked.append((out, question)) or out,
    )
    out = tmp_path / "page.html"
    options = ["--env", "mars", "-e", "prid2011", "--out", str(out), "--with-pictures"]
    done = CliRunner().invoke(experiment, ["report", *options, "--params", "split.trials=2"])
    assert done.exit_code == 0, done.output
    params = {"split": {"trials": 2}}
    assert asked == [(out, Question(("mars", "prid2011"), params, None, True))]
    assert done.output.strip() == out.as_posix()
