"""The report, of results laid by hand and of runs in an MLflow of their own."""

import io
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from wherewhen.environments import ConfigurationError
from wherewhen.experiments.cli import experiment
from wherewhen.experiments.config import ExperimentError, load_experiments
from wherewhen.experiments.report import (
    ReportRequest,
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
  rows: {ours: {parameters: {preset: paper}}}
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
    for name in ("cmc", "loss_over_lambda", "attention", "failures_ours", "unheard_of"):
        Image.new("RGB", (2, 2)).save(folder / f"{name}.png")
    os.utime(folder / "loss_over_lambda.png", (0, 0))


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
def tiny(page):
    (experiment,) = page.datasets[0].experiments
    return experiment


@pytest.fixture(scope="module")
def rows(tiny):
    return {row.name: row for row in tiny.rows}


def test_only_what_is_finished_is_on_the_page_and_the_rest_is_named(page):
    (dataset,) = page.datasets
    assert (dataset.name, dataset.environment) == ("prid2011", "prid2011")
    assert [one.name for one in dataset.experiments] == ["tiny"]
    assert dataset.facts["persons"] == "2" and dataset.facts["tracklets"] == "4"
    newest = resolved()["half"].record("trial_00").finished
    assert dataset.facts["last trial finished"] == f"{newest[:10]} {newest[11:16]} UTC"
    assert "Not run on prid2011: idle, across." in page.left_out


def test_numbers_are_those_of_the_scores_and_of_the_paper(tiny):
    rank_1 = tiny.numbers[tiny.numbers.measure == "rank-1"].set_index("row")
    expected = {
        # mean of 50 and 75, their deviation 25 / sqrt(2); Table IV prints 74.8
        "ours": (62.5, 25 / np.sqrt(2), 74.8, 62.5 - 74.8),
        "muted": (25, 0, np.nan, np.nan),
        "half": (12.5, np.nan, np.nan, np.nan),
        "never": (np.nan,) * 4,
        "max": (np.nan, np.nan, 72.4, np.nan),
    }
    assert rank_1.index.to_list() == list(expected)
    columns = ["mean", "deviation", "published", "difference"]
    np.testing.assert_allclose(rank_1[columns].astype(float), list(expected.values()))


def test_each_row_says_how_far_it_is(tiny, rows):
    assert {name: row.status for name, row in rows.items()} == {
        "ours": Status.FINISHED,  # a later run finished what had failed
        "muted": Status.FINISHED,
        "half": Status.PARTLY,
        "never": Status.FAILED,
    }
    assert "ours: one row for both." in tiny.notes
    assert [name for name, row in rows.items() if "It failed" in row.remark] == ["half", "never"]


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


def test_curves_are_drawn_for_the_page(tiny):
    cmc, convergence = (picture for picture in tiny.pictures if "Drawn" not in picture.caption)
    assert "(the paper’s Fig 9)" in cmc.caption and "Fig 5 b" in convergence.caption
    for picture in (cmc, convergence):
        with Image.open(io.BytesIO(picture.data)) as drawn:
            assert drawn.format == "PNG" and drawn.width > 1000


def test_rows_that_share_their_networks_have_one_course(root, results, finish):
    finish(resolved()["half"], "trial_01", network=b"half 1")
    same = Results.of(load_experiments("prid2011")["tiny"], Request("prid2011"))
    assert same.trained == list(same.by_row("{trials}.history")) == ["ours", "muted", "half"]
    rows = {name: same.rows["ours"] for name in ("ours", "by another metric")}
    assert replace(same, rows=rows).trained == ["ours"]
    shutil.rmtree(same.rows["half"].view.ledger.file("trial_01.scores_network").parent)


def test_people_are_not_shown_unless_asked_for_and_the_page_says_so(page, tiny):
    *_, safe = tiny.pictures
    assert len(tiny.pictures) == 3  # the CMC curves are not shown again
    assert "Fig 5 a" in safe.caption and "kedro experiment figures tiny" in safe.caption  # old
    (sentence,) = [one for one in page.left_out if "people" in one]
    assert "3 figures" in sentence and "--with-pictures" in sentence  # the unheard-of among them

    (dataset,) = gather(ReportRequest(["prid2011"], with_pictures=True)).datasets
    captions = [one.caption for one in dataset.experiments[0].pictures]
    assert len(captions) == 6 and sum("Fig 10" in caption for caption in captions) == 1


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
    assert tiny.numbers.row.unique().tolist() == [row.name for row in tiny.rows]
    assert tiny.numbers.published.isna().all()
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
