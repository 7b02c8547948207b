"""The report, of results laid by hand and of runs in an MLflow of their own."""

import os
import shutil
from dataclasses import replace
from math import isnan

import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from wherewhen.environments import ConfigurationError
from wherewhen.experiments.cli import experiment
from wherewhen.experiments.config import ExperimentError, load_experiments
from wherewhen.experiments.report import (
    ReportRequest,
    _histories,
    _short_commit,
    gather,
    with_results,
    write_report,
)
from wherewhen.experiments.results import Results
from wherewhen.experiments.rows import Request, resolve
from wherewhen.reporting.page.model import Status
from wherewhen.reporting.page.render import render
from wherewhen.tracking import Tracker, client

EXPERIMENTS = """
tiny:
  title: A tiny table
  asks: Does it work?
  table: IV
  figure: lengths
  parameters: {embed.features: [network]}
  rows:
    ours: {published: Average/attention pooling, note: one row for both}
    muted: {parameters: {train.network.attention: muted}}
    half: {parameters: {train.network.attention: muted, train.network.recurrence: none}}
    never: {parameters: {train.network.recurrence: none}}
    max: {published: Max pooling, quoted: true}
idle:
  title: Nobody ran it
  rows: {ours: {parameters: {train.preset: paper}}}
across:
  title: Across
  cross_dataset: true
  parameters: {embed.features: [network]}
  rows: {ours: {}}
"""
PRID = ReportRequest(["prid2011"])


def resolved(name="tiny", **request):
    request = Request(**{"env": "prid2011", **request})
    return resolve(load_experiments(request.env)[name], request)


@pytest.fixture(scope="module")
def root(project):
    (project / "conf/base/experiments.yml").write_text(EXPERIMENTS)
    return project


@pytest.fixture(scope="module")
def results(root, finish):
    """Two finished trials of two rows, one of a third, and none of a fourth."""
    for name, trial, rank_1 in (
        ("ours", 0, 0.5), ("ours", 1, 0.75), ("muted", 0, 0.25), ("muted", 1, 0.25),
        ("half", 0, 0.125),
    ):  # fmt: skip
        finish(resolved()[name], f"trial_0{trial}", rank_1, network=f"{name} {trial}".encode())


@pytest.fixture(scope="module")
def figures(results):
    folder = Results.of(load_experiments("prid2011")["tiny"], Request("prid2011")).folder
    folder.mkdir(parents=True)
    for name in ("lengths_ours", "loss_over_lambda", "attention", "failures_ours", "unheard_of"):
        Image.new("RGB", (2, 2)).save(folder / f"{name}.png")
    os.utime(folder / "loss_over_lambda.png", (0, 0))
    pd.DataFrame({
        "trial": ["trial_00", "trial_01"] * 2, "probe_frames": [1, 1, 8, 8], "gallery_frames": 4,
        "rank-1": [0.25, 0.75, 0.5, 1.0],
    }).to_csv(folder / "lengths_ours.csv", index=False)  # fmt: skip


def told(status, **tags):
    """Leave a run in MLflow; return its id."""
    tags = {"experiment": "tiny", **tags}
    with Tracker.of_its_own("prid2011", "a run", tags) as tracker:
        run_id = tracker.run_id
    client().set_terminated(run_id, status)
    return run_id


@pytest.fixture(scope="module")
def run_of_ours(results):
    """The runs of the rows; return the last of the row that is whole."""
    told("FAILED", row="ours")
    last = told("FINISHED", row="ours")
    told("FAILED", row="half")
    told("KILLED", row="never")
    told("FAILED", row="muted", trained_on="mars")  # another table's: of networks from elsewhere
    told("FAILED", row="muted", stage="training")
    return last


@pytest.fixture(scope="module")
def page(figures, run_of_ours):
    return gather(PRID)


@pytest.fixture(scope="module")
def rows(page):
    (tiny,) = page.datasets[0].experiments
    return {row.name: row for row in tiny.rows}


def test_only_what_is_finished_is_on_the_page_and_the_rest_is_named(page):
    (dataset,) = page.datasets
    assert (dataset.name, dataset.environment) == ("prid2011", "prid2011")
    assert [one.name for one in dataset.experiments] == ["tiny"]
    assert dataset.facts["persons"] == "2" and dataset.facts["tracklets"] == "4"
    newest = resolved()["half"].record("trial_00").finished
    assert dataset.facts["last trial finished"] == f"{newest[:10]} {newest[11:16]} UTC"
    assert "Not run on prid2011: idle, across." in page.left_out


def test_numbers_are_those_of_the_scores_and_of_the_paper(rows):
    rank_1 = rows["ours"].numbers["rank-1"]
    # mean of 50 and 75, their deviation 25 / sqrt(2); Table IV prints 74.8
    assert rank_1.mean == 62.5 and rank_1.deviation == pytest.approx(17.678, abs=1e-3)
    assert rank_1.published == 74.8
    assert rank_1.difference == pytest.approx(62.5 - 74.8)
    assert rows["muted"].numbers["rank-1"].deviation == 0.0
    assert isnan(rows["half"].numbers["rank-1"].deviation)
    assert isnan(rows["max"].numbers["rank-1"].mean)
    assert rows["max"].numbers["rank-1"].published == 72.4
    assert not rows["never"].numbers


def test_each_row_says_how_far_it_is(rows):
    assert {name: row.status for name, row in rows.items()} == {
        "ours": Status.FINISHED,  # a later run finished what had failed
        "muted": Status.FINISHED,
        "half": Status.PARTLY,
        "never": Status.FAILED,
        "max": Status.QUOTED,
    }
    assert "one row for both" in rows["ours"].notes
    for name in ("half", "never"):
        assert "It failed" in rows[name].notes[-1]


def test_every_number_has_its_origin(rows, run_of_ours):
    ours = rows["ours"]
    assert ours.facts["data"] == "da7a" and ours.facts["cubes"] == "cube-key"
    assert ours.facts["commit"] == "c" * 12 and ours.facts["MLflow run"] == run_of_ours
    first, second = ours.trials.values()
    assert first["split"] == "5p-0" and second["made in MLflow run"] == "a-run"
    assert first["network"] == "b53ae5b3a3934225"  # printf "ours 0" | sha256sum
    assert first["scores"] == resolved()["ours"].record("trial_00").identity
    assert rows["muted"].parameters == {
        "embed.features": ["network"],
        "train.network.attention": "muted",
    }


def test_commands_name_the_trials_that_are_finished(rows):
    row, plain = rows["ours"].commands.values()
    assert row == "uv run kedro experiment run tiny --rows ours --env prid2011"
    assert "--to-outputs trial_00.scores_network,trial_01.scores_network" in plain
    row, plain = rows["half"].commands.values()
    assert row.endswith("--rows half --env prid2011 --trials 1")
    assert "--to-outputs trial_00.scores_network --params" in plain


@pytest.mark.parametrize(
    ("commit", "shown"),
    [
        ("0123456789abcdef0123456789abcdef01234567", "0123456789ab"),
        ("0123456789abcdef0123456789abcdef01234567+", "0123456789ab+"),
        ("wherewhen 0.1.0, not a git checkout", "wherewhen 0.1.0, not a git checkout"),
    ],
)
def test_only_hashes_are_shortened(commit, shown):
    assert _short_commit(commit) == shown


def test_plots_are_of_means_over_the_trials_and_of_published_values(page):
    (experiment,) = page.datasets[0].experiments
    cmc, convergence, matrix = (plot.drawing["data"] for plot in experiment.plots)
    lines = {trace["name"]: trace for trace in cmc if "hovertemplate" in trace}
    assert list(lines) == ["ours", "muted", "half", "published figures"]
    assert (lines["ours"]["x"], lines["ours"]["y"]) == ([1, 5], [62.5, 87.5])
    assert lines["muted"]["customdata"] == [" ± 0.0"] * 2 and lines["half"]["customdata"][0] == ""
    published = [trace for trace in cmc if trace["name"] == "published figures"]
    assert [trace["customdata"][0] for trace in published] == ["ours", "max"]
    assert [trace["y"][0] for trace in published] == [74.8, 72.4]  # as Table IV prints them
    course, validation = convergence[:2]
    assert (course["x"], course["y"]) == ([0, 1, 2], [3.0, 1.5, 0.75])
    assert (validation["x"], validation["y"]) == ([2], [0.75])
    assert "lengths of videos: ours" in experiment.plots[2].heading
    assert [matrix[0][name] for name in "xyz"] == [["4"], ["1", "8"], [[50.0], [75.0]]]


def test_rows_that_share_their_networks_have_one_course(root, results, finish):
    finish(resolved()["half"], "trial_01", network=b"half 1")
    same = Results.of(load_experiments("prid2011")["tiny"], Request("prid2011"))
    assert list(_histories(same)) == ["ours", "muted", "half"]
    rows = {name: same.rows["ours"] for name in ("ours", "by another metric")}
    assert list(_histories(replace(same, rows=rows))) == ["ours"]
    shutil.rmtree(same.rows["half"].view.ledger.file("trial_01.scores_network").parent)


def test_people_are_not_shown_unless_asked_for_and_the_page_says_so(page):
    (experiment,) = page.datasets[0].experiments
    (safe,) = experiment.pictures
    assert "Fig 5 a" in safe.caption and "kedro experiment figures tiny" in safe.caption  # old
    (sentence,) = [one for one in page.left_out if "people" in one]
    assert "3 figures" in sentence and "--with-pictures" in sentence  # the unheard-of among them

    (dataset,) = gather(ReportRequest(["prid2011"], with_pictures=True)).datasets
    captions = [one.caption for one in dataset.experiments[0].pictures]
    assert len(captions) == 4 and sum("Fig 10" in caption for caption in captions) == 1


def test_without_an_environment_named_it_is_of_all_with_scores(results):
    assert with_results() == ["prid2011"]


def test_nothing_finished_and_unknown_environments_are_told(results):
    with pytest.raises(ExperimentError, match="nothing is finished in base"):
        gather(ReportRequest(["base"]))
    with pytest.raises(ConfigurationError, match="no environment 'nowhere'"):
        gather(ReportRequest(["nowhere"]))


def test_on_other_footage_the_papers_figures_stand_aside(results, finish):
    finish(resolved(env="drawn")["ours"], "trial_00")
    try:
        (dataset,) = gather(ReportRequest(["drawn"])).datasets
    finally:
        shutil.rmtree("data/07_model_output/drawn")
    (tiny,) = dataset.experiments
    assert [row.name for row in tiny.rows] == ["ours", "muted", "half", "never"]
    assert not tiny.compared
    # Table IV's max pooling on PRID 2011, as the paper prints it
    cell = tiny.elsewhere["max"]["prid2011, rank-1 / rank-5 / rank-10 / rank-20"]
    assert cell.startswith("72.4 / 90.8 / 96.0 / ")


def test_rows_of_networks_from_elsewhere_name_where_they_were_trained(results, make, finish):
    across = {"name": "across", "trained_on": "mars"}
    make(resolved(**across)["ours"].source, {"trial_00.network": b"of mars"})
    finish(resolved(**across)["ours"], "trial_00")
    try:
        (dataset,) = gather(ReportRequest(["prid2011"], trained_on="mars")).datasets
    finally:
        for layer in ("06_models/mars", "07_model_output/mars"):
            shutil.rmtree(f"data/{layer}", ignore_errors=True)
    found = dataset.experiments[-1]
    assert (found.name, found.title) == ("across --trained-on mars", "Across, trained on mars")
    (row,) = found.rows
    assert row.status is Status.FINISHED and len(row.trials) == 1
    command = next(iter(row.commands.values()))
    assert command.endswith("--rows ours --env prid2011 --trained-on mars --trials 1")


def test_page_of_what_is_gathered_can_be_written(page, root):
    assert "62.5" in render(page)
    out = write_report(root / "shared/page.html", ReportRequest())
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]


def test_command_asks_for_what_its_options_say(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        "wherewhen.experiments.report.write_report",
        lambda out, request: asked.append((out, request)) or out,
    )
    out = tmp_path / "page.html"
    options = ["--env", "mars", "-e", "prid2011", "--out", str(out), "--with-pictures"]
    done = CliRunner().invoke(experiment, ["report", *options, "--params", "split.trials=2"])
    assert done.exit_code == 0, done.output
    params = {"split": {"trials": 2}}
    assert asked == [(out, ReportRequest(("mars", "prid2011"), params, None, True))]
    assert done.output.strip() == out.as_posix()
