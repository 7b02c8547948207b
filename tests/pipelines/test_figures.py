"""Figures in pipelines: a record is all that a new one needs."""

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from PIL import Image

from wherewhen.pipelines.figures import figure_nodes
from wherewhen.pipelines.report.pipeline import create_pipeline
from wherewhen.reporting.figures import FIGURES, FigureKind
from wherewhen.reporting.figures.canvas import new_figure, show_picture

SCORES = ("dataset", "protocol", "trial", "features", "metric", "measure", "value")


def draw_bars(scores, height):
    figure = new_figure(2, 1)
    figure.subplots().bar(scores.measure, height * scores.value)
    return figure


def draw_first(pictures, tracklets):
    figure = new_figure(2, 1)
    show_picture(figure.subplots(), pictures.middle(tracklets.tracklet[0]))
    return figure


@pytest.fixture
def added(monkeypatch):
    for kind in (
        FigureKind("bars", "report", draw_bars, "Bars.", "Bars.", ("scores", "params:height")),
        FigureKind("first", "report", draw_first, "One.", "One.", ("tracklets",), people=True),
    ):
        monkeypatch.setitem(FIGURES, kind.name, kind)


@pytest.fixture
def catalog(tmp_path, repository):
    """The catalog of the stage, over tables of one person."""
    text = (repository / "conf/base/catalog_report.yml").read_text(encoding="utf-8")
    text = text.replace("data/08_reporting/${globals:dataset}", str(tmp_path / "out"))
    (tmp_path / "a").mkdir()
    Image.fromarray(np.full((8, 4, 3), 77, np.uint8)).save(tmp_path / "a/0.png")
    scores = [("pets", "p", "t", "network", "cosine", f"rank-{k}", 0.5) for k in (1, 5, 10, 20)]
    scores += [("pets", "p", "t", "network", "cosine", "mAP", 0.5)]
    catalog = DataCatalog.from_config(yaml.safe_load(text))
    for name, value in {
        "scores": pd.DataFrame(scores, columns=SCORES),
        "params:height": 2,
        "frames_root": tmp_path,
        "frames": pd.DataFrame({"tracklet": ["a"], "position": [0], "path": ["a/0.png"]}),
        "tracklets": pd.DataFrame({"tracklet": ["a"]}),
    }.items():
        catalog[name] = MemoryDataset(value)
    return catalog


def test_a_new_figure_is_drawn_and_saved_by_its_record_alone(added, catalog, tmp_path):
    pipeline = create_pipeline(["trial_00"], made={"scores", "tracklets"})
    SequentialRunner().run(pipeline, catalog)
    made = {path.name for path in (tmp_path / "out").iterdir()}
    figures = {
        f"{name}.{end}" for name in ("bars", "first", "cmc_curves") for end in ("png", "pdf")
    }
    assert made == {"summary.csv", *figures}
    assert np.asarray(Image.open(tmp_path / "out/first.png"))[..., :3].min() <= 77


def test_a_figure_is_left_out_where_something_that_it_needs_is_not_made(added):
    names = {node.name for node in figure_nodes("report", {"scores"}, ["trial_00"])}
    assert names == {"draw_cmc_curves", "draw_bars"}
    trials = ["trial_00", "trial_01"]
    made = {"scores", "trial_00.history"}
    assert "draw_training_curves" not in {n.name for n in figure_nodes("report", made, trials)}
    (drawn,) = [
        node
        for node in figure_nodes("report", {*made, "trial_01.history"}, trials)
        if node.name == "draw_training_curves"
    ]
    assert drawn.inputs == ["trial_00.history", "trial_01.history"]


def test_frames_are_given_to_figures_of_people_alone():
    made = {"scores", "cubes", "t.network", "t.windows", "t.rankings_network", "t.history"}
    for node in figure_nodes("report", made, ["t"]):
        people = FIGURES[node.name.removeprefix("draw_")].people
        assert ("frames" in node.inputs) == people
