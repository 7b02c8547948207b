"""Figures of experiments: what is finished is drawn, what is missing is measured first."""

import json
import os
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from wherewhen.experiments import figures
from wherewhen.experiments.config import ExperimentError, FigureKind, read_experiments
from wherewhen.experiments.figures import KINDS, Material, Picture, folder_of, save
from wherewhen.experiments.published import figures as published_figures
from wherewhen.pipelines.parameters import Parameters


class Results:
    """Finished trials in memory, and their folders on disk."""

    dataset = "ilids_vid"

    def __init__(self, root, finished):
        self.root = root
        self._finished = finished

    def trials(self, variant):
        return self._finished.get(variant.key, [])

    def history(self, variant, trial):
        step = np.arange(1, 4)
        loss = 1.0 / step
        measures = {f"validation_{name}": loss for name in ("loss", "rank_1", "map")}
        return pd.DataFrame({"step": step, "epoch": step, "loss": loss, **measures})

    def scores(self, variant):
        rows = [
            ("d", "single_match", trial, features, metric, f"rank-{rank}", rank / 10)
            for trial in self.trials(variant)
            for features in ("network", "untrained")
            for metric in ("euclidean", "lfda")
            for rank in (1, 2)
        ]
        names = ["dataset", "protocol", "trial", "features", "metric", "measure", "value"]
        return pd.DataFrame(rows, columns=names)

    def rankings(self, variant, trial, features):
        rows = [("a/1", 1, "b/2", 0.1, False), ("a/1", 2, "b/1", 0.2, True)]
        names = ["probe", "rank", "gallery", "distance", "correct"]
        table = pd.DataFrame(rows, columns=names)
        return table.assign(trial=trial, features=features, metric="euclidean")

    def output(self, variant, trial):
        return self.root / "output" / variant.key / trial

    def record_path(self, variant, trial):
        return self.root / "record" / variant.key / trial / "done.json"


def variant(key, penalty=0.01):
    parameters = Parameters(train={"training": {"modern": {"penalty_weight": penalty}}})
    return SimpleNamespace(key=key, parameters=parameters)


def experiment(rows, **fields):
    return read_experiments({"mine": {"title": "Mine", "rows": rows, **fields}})["mine"]


@pytest.fixture
def material(tmp_path):
    """One row of two finished trials, another of one, a third of none, and a quoted one."""
    rows = {"ours": {}, "other": {"metric": "lfda"}, "open": {},
            "TDL": {"published": "TDL", "quoted": True}}  # fmt: skip
    variants = {"ours": variant("k1"), "other": variant("k2", 1.0), "open": variant("k3")}
    finished = {"k1": ["trial_00", "trial_01"], "k2": ["trial_00"]}
    return Material(experiment(rows, table="VII"), variants, Results(tmp_path, finished))


def test_every_kind_that_may_be_asked_for_can_be_drawn():
    assert set(KINDS) == set(get_args(FigureKind))


def test_an_unknown_kind_is_refused_when_it_is_read():
    with pytest.raises(ExperimentError, match="figure"):
        experiment({"ours": {}}, figure="pie")


def test_what_is_not_finished_is_left_out_and_said(tmp_path, caplog):
    variants = {"ours": variant("k1"), "open": variant("k3")}
    results = Results(tmp_path, {"k1": ["trial_00"]})
    material = Material(experiment({"ours": {}, "open": {}}), variants, results)
    assert list(material.variants) == ["ours"]
    assert "not finished, so left out: open" in caplog.text


def test_nothing_finished_is_an_error_that_says_what_to_run(tmp_path):
    with pytest.raises(ExperimentError, match="kedro experiment run mine"):
        Material(experiment({"ours": {}}), {"ours": variant("k1")}, Results(tmp_path, {}))


def test_lambdas_come_from_the_rows_parameters(material):
    (picture,) = KINDS["loss_over_lambda"](material)
    rows = picture.table[["penalty_weight", "row", "trial"]].to_numpy().tolist()
    assert rows == [
        [0.01, "ours", "trial_00"],
        [0.01, "ours", "trial_01"],
        [1.0, "other", "trial_00"],
    ]
    assert picture.table.validation_loss.tolist() == pytest.approx([1 / 3] * 3)


def test_convergence_holds_every_epoch(material):
    (picture,) = KINDS["convergence"](material)
    assert len(picture.table) == 3 * 3
    assert picture.figure.axes[0].get_legend() is not None


def test_cmc_holds_what_each_row_shows_and_the_quoted(material):
    (picture,) = KINDS["cmc"](material)
    table = picture.table
    ours = table[table["row"] == "ours"]
    assert ours.value.tolist() == [0.1, 0.2, 0.1, 0.2]
    quoted = table[table["row"] == "TDL"].set_index("rank").value
    published = published_figures("VII", "TDL", "ilids_vid").value
    assert quoted[1] == pytest.approx(published["rank-1"] / 100)
    facts = " ".join(text.get_text() for text in picture.figure.axes[0].texts)
    assert "1 to 2 trials" in facts


def put(material, table, row="ours", trial="trial_00"):
    """Lay a table and the trial's record where they are looked for."""
    which = material.variants[row]
    folder, record = (
        material.results.output(which, trial),
        material.results.record_path(which, trial),
    )
    for path in (folder, record.parent):
        path.mkdir(parents=True, exist_ok=True)
    record.touch()
    return folder / f"{table}.parquet", record


def test_a_table_is_measured_where_it_is_missing_or_older_than_the_trial(material, monkeypatch):
    path, record = put(material, "failures")
    measured = []

    def analyse(variant, trial, table):
        measured.append((variant.key, trial, table))
        pd.DataFrame({"n": [len(measured)]}).to_parquet(path)

    monkeypatch.setattr(figures, "analyse", analyse)
    assert material.analysed("ours", "trial_00", "failures").n.tolist() == [1]
    assert material.analysed("ours", "trial_00", "failures").n.tolist() == [1]
    assert measured == [("k1", "trial_00", "failures")]
    later = path.stat().st_mtime + 10
    os.utime(record, (later, later))
    assert material.analysed("ours", "trial_00", "failures").n.tolist() == [2]


def test_lengths_of_all_trials_a_picture_a_row(material):
    matrix = pd.DataFrame(
        {"dataset": "d", "protocol": "p", "probe_frames": [1, 1], "gallery_frames": [1, 2],
         "rank-1": [0.2, 0.4], "mAP": 0.5, "probes_shorter": 0.0, "gallery_shorter": 0.0}
    )  # fmt: skip
    for row, trials in material.trials.items():
        for trial in trials:
            matrix.assign(trial=trial).to_parquet(put(material, "length_matrix", row, trial)[0])
    ours, other = KINDS["lengths"](material)
    assert (ours.name, other.name) == ("lengths_ours", "lengths_other")
    assert ours.table.trial.tolist() == ["trial_00"] * 2 + ["trial_01"] * 2
    image = other.figure.axes[0].images[0]
    assert image.get_array().ravel().tolist() == pytest.approx([20, 40])


def test_failures_of_the_first_trial_with_frames_of_the_data_set(material, tmp_path):
    rows = []
    for tracklet in ("a/1", "b/1", "b/2"):
        (tmp_path / "raw" / tracklet).mkdir(parents=True)
        Image.new("RGB", (4, 8)).save(tmp_path / "raw" / tracklet / "0.png")
        rows.append((tracklet, 0, f"{tracklet}/0.png"))
    for layer in ("02_intermediate", "03_primary"):
        (tmp_path / "data" / layer / "ilids_vid").mkdir(parents=True)
    (tmp_path / "data/02_intermediate/ilids_vid/frames_root.json").write_text(
        json.dumps(str(tmp_path / "raw"))
    )
    pd.DataFrame(rows, columns=["tracklet", "position", "path"]).to_parquet(
        tmp_path / "data/03_primary/ilids_vid/frames.parquet"
    )
    failed = pd.DataFrame(
        {"probe": ["a/1"], "rank": 2, "gallery": "b/1", "distance": 0.2, "retrieved": "b/2",
         "retrieved_distance": 0.1, "gallery_size": pd.array([2], dtype="Int64")}
    )  # fmt: skip
    failed.to_parquet(put(material, "failures")[0])
    del material.variants["other"]
    (picture,) = KINDS["failures"](material)
    assert picture.name == "failures"
    said = [text.get_text() for text in picture.figure.texts]
    assert "Mine, ilids_vid, trial_00" in said
    assert "the worst 1 of 1 failures among 1 probes" in said


def test_a_picture_is_saved_with_its_table_and_nothing_else(tmp_path, material):
    folder = folder_of(material.results, material.experiment)
    assert folder == tmp_path / "data/08_reporting/ilids_vid/experiments/mine"
    table = pd.DataFrame({"value": [1.5]})
    paths = save(Picture("cmc", Figure(), table), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["cmc.csv", "cmc.png"]
    with Image.open(paths[0]) as picture:
        assert picture.format == "PNG"
    assert pd.read_csv(paths[1]).equals(table)
