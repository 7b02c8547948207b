"""Figures of experiments: what is finished is drawn, what is missing is measured first."""

import shutil

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from wherewhen.experiments import rows
from wherewhen.experiments.config import ExperimentError
from wherewhen.experiments.figures import Picture, make_figures, pictures, save
from wherewhen.experiments.published import figures as published_figures
from wherewhen.experiments.results import Results
from wherewhen.experiments.rows import Request, resolve
from wherewhen.reporting.figures import FIGURES, FigureKind
from wherewhen.sessions import View
from wherewhen.tracking import client, find_runs

ROWS = {
    "ours": {"metric": "cosine"},
    "other": {"metric": "lfda", "parameters": {"train.training.penalty_weight": 1.0}},
    "open": {"parameters": {"embed.clips": 1}},
    "TDL": {"published": "TDL", "quoted": True},
}
HERE = Request("prid2011")


@pytest.fixture
def mine(table):
    return table(ROWS, table="VII")


@pytest.fixture
def results(project):
    """The project's folder, without results afterwards."""
    yield project
    shutil.rmtree(project / "data", ignore_errors=True)


def drawn(name, results):
    return list(pictures(FIGURES[name], results))


@pytest.fixture
def found(mine, results, finish):
    """One row of two finished trials, another of one, a third of none, and a quoted one."""
    for name, trial in (("ours", "trial_00"), ("ours", "trial_01"), ("other", "trial_00")):
        finish(resolve(mine, HERE)[name], trial)
    return Results.of(mine, HERE)


@pytest.mark.parametrize(("name", "hint"), [("lenghts", "did you mean lengths"), ("pie", "cmc")])
def test_an_unknown_figure_is_refused_when_it_is_read(table, name, hint):
    with pytest.raises(ExperimentError, match=f"figure: .*no figure is called '{name}'; .*{hint}"):
        table({"ours": {}}, figure=name)


def test_a_figure_of_a_run_is_none_of_an_experiment(table):
    with pytest.raises(ExperimentError, match="no figure is called 'cmc_curves'"):
        table({"ours": {}}, figure="cmc_curves")


@pytest.mark.parametrize("stage", ["experiment", "analyse"])
def test_a_new_figure_needs_its_record_alone(table, found, make, monkeypatch, stage):
    """Of any artifact and parameter that rows have, whether or not it shows people."""
    asked = []

    def draw(*inputs, title):
        asked.append((*inputs, title))
        return Figure()

    needs = {"experiment": ("{trials}.history", "params:embed.clips"),
             "analyse": ("history", "params:embed.clips")}  # fmt: skip
    tables = {"table": lambda histories, clips: pd.DataFrame({"clips": clips})}
    more = tables if stage == "experiment" else {"all_trials": False}
    kind = FigureKind("mine", stage, draw, "Mine.", "Mine.", needs[stage], **more)
    monkeypatch.setitem(FIGURES, "mine", kind)
    assert table({"ours": {}}, figure="mine").figure == "mine"
    names = [picture.name for picture in drawn("mine", found)]
    if stage == "experiment":
        assert names == ["mine"]
        assert asked[0][0].clips.to_dict() == {"ours": 4, "other": 4}
    else:
        assert names == ["mine_ours", "mine_other"]
        assert asked[0][0].epoch.max() == 2 and asked[0][1] == 4
        assert [each[-1] for each in asked] == ["Mine, prid2011: ours", "Mine, prid2011: other"]


def test_nothing_finished_is_an_error_that_says_what_to_run(mine, results):
    with pytest.raises(ExperimentError, match="kedro experiment run mine"):
        make_figures(mine, HERE)


def test_quoted_rows_alone_are_no_figure(table, results):
    quoted = table({"TDL": ROWS["TDL"]}, table="VII")
    with pytest.raises(ExperimentError, match="all rows are quoted"):
        make_figures(quoted, HERE)


def test_lambdas_come_from_the_rows_parameters(found):
    (picture,) = drawn("loss_over_lambda", found)
    rows = picture.table[["penalty_weight", "row", "trial"]].to_numpy().tolist()
    assert rows == [
        [0.01, "ours", "trial_00"],
        [0.01, "ours", "trial_01"],
        [1.0, "other", "trial_00"],
    ]
    assert picture.table.validation_loss.tolist() == [0.75] * 3


def test_convergence_holds_every_epoch(found):
    (picture,) = drawn("convergence", found)
    assert picture.table.groupby(["row", "trial"]).loss.apply(list).to_dict() == {
        ("ours", "trial_00"): [3.0, 1.5, 0.75],
        ("ours", "trial_01"): [3.0, 1.5, 0.75],
        ("other", "trial_00"): [3.0, 1.5, 0.75],
    }
    assert picture.figure.axes[0].get_legend() is not None


def test_cmc_holds_what_each_row_shows_and_the_quoted(found):
    (picture,) = drawn("cmc", found)
    table = picture.table
    assert table[table["row"] == "ours"].value.tolist() == [0.5, 0.75, 0.5, 0.75]
    quoted = table[table["row"] == "TDL"].set_index("rank").value
    published = published_figures("VII", "TDL", "prid2011").value
    assert quoted[1] == pytest.approx(published["rank-1"] / 100)
    facts = " ".join(text.get_text() for text in picture.figure.axes[0].texts)
    assert "1 to 2 trials" in facts


def test_a_table_is_measured_where_it_is_missing(found, mine, make, monkeypatch):
    measured = []

    def run(env, overrides, stages, to_outputs):
        measured.append((env, stages, to_outputs))
        make(View.of(env, overrides), {to_outputs[0]: pd.DataFrame({"n": [len(measured)]})})

    monkeypatch.setattr(rows, "run", run)
    for _ in range(2):
        assert found.of_trial("ours", "trial_00", "failures").n.tolist() == [1]
    assert measured == [("prid2011", ["analyse"], ["trial_00.failures"])]
    again = Results.of(mine, Request("prid2011", {"analyse": {"metric": "cosine"}}))
    assert again.of_trial("ours", "trial_00", "failures").n.tolist() == [2]


def test_lengths_of_all_trials_a_picture_a_row(found, make):
    matrix = pd.DataFrame(
        {"dataset": "d", "protocol": "p", "probe_frames": [1, 1], "gallery_frames": [1, 2],
         "rank-1": [0.2, 0.4], "mAP": 0.5, "probes_shorter": 0.0, "gallery_shorter": 0.0}
    )  # fmt: skip
    for row, trials in found.trials.items():
        for trial in trials:
            view = found.rows[row].view
            make(view, {f"{trial}.length_matrix": matrix.assign(trial=trial)})
    ours, other = drawn("lengths", found)
    assert (ours.name, other.name) == ("lengths_ours", "lengths_other")
    assert ours.table.trial.tolist() == ["trial_00"] * 2 + ["trial_01"] * 2
    image = other.figure.axes[0].images[0]
    assert image.get_array().ravel().tolist() == pytest.approx([20, 40])


def test_failures_of_the_first_trial_with_frames_of_the_data_set(
    table, results, make, finish, tmp_path
):
    alone = table({"ours": {}})
    row = resolve(alone, HERE)["ours"]
    frames = []
    for tracklet in ("a/1", "b/1", "b/2"):
        (tmp_path / tracklet).mkdir(parents=True)
        Image.new("RGB", (4, 8)).save(tmp_path / tracklet / "0.png")
        frames.append((tracklet, 0, 0, f"{tracklet}/0.png", 4, 8, "0" * 64))
    columns = ["tracklet", "position", "frame", "path", "width", "height", "sha256"]
    shown = {"frames_root": str(tmp_path), "frames": pd.DataFrame(frames, columns=columns)}
    make(row.view, shown)
    ranked = pd.DataFrame(
        {"trial": "trial_00", "features": "network", "metric": "euclidean", "probe": "a/1",
         "rank": [1, 2], "gallery": ["b/2", "b/1"], "distance": [0.1, 0.2],
         "correct": [False, True]}
    )  # fmt: skip
    failed = pd.DataFrame(
        {"probe": ["a/1"], "rank": 2, "gallery": "b/1", "distance": 0.2, "retrieved": "b/2",
         "retrieved_distance": 0.1, "gallery_size": pd.array([2], dtype="Int64")}
    )  # fmt: skip
    finish(row, "trial_00", rankings_network=ranked)
    make(row.view, {"trial_00.failures": failed})
    (picture,) = drawn("failures", Results.of(alone, HERE))
    assert picture.name == "failures"
    said = [text.get_text() for text in picture.figure.texts]
    assert "Mine, prid2011, trial_00" in said
    assert "the worst 1 of 1 failures among 1 probes" in said


def test_a_picture_is_saved_with_vectors_and_table_and_nothing_else(results, mine):
    folder = Results.of(mine, HERE).folder
    assert folder == results / "data/08_reporting/prid2011/experiments/mine"
    table = pd.DataFrame({"value": [1.5]})
    paths = save(Picture("cmc", Figure(), table), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["cmc.csv", "cmc.pdf", "cmc.png"]
    with Image.open(paths[0]) as picture:
        assert picture.format == "PNG"
    assert pd.read_csv(paths[2]).equals(table)


def test_pictures_and_tables_are_logged_and_unfinished_rows_named(found, mine, caplog):
    assert found.trials == {"ours": ["trial_00", "trial_01"], "other": ["trial_00"]}
    paths = make_figures(mine, HERE)
    assert "not finished, so left out: open" in caplog.text
    assert [path.name for path in paths] == ["cmc.png", "cmc.pdf", "cmc.csv"]
    (run,) = find_runs("prid2011", {"experiment": "mine", "stage": "figures"})
    logged = client().list_artifacts(run.info.run_id, "figures")
    assert {file.path for file in logged} == {f"figures/cmc.{end}" for end in ("png", "pdf", "csv")}
