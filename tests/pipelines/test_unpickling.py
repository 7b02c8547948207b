"""No path from data to code: no stage unpickles what a stage has written."""

import os
import pickle
from itertools import count
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.runner import SequentialRunner
from omegaconf import OmegaConf

from wherewhen.execution.engine import LOCAL
from wherewhen.features.augmentation import Augmentation
from wherewhen.lineage.ledger import parameter
from wherewhen.pipeline_registry import build_pipelines
from wherewhen.pipelines.parameters import check_parameters
from wherewhen.settings import CONFIG_LOADER_ARGS
from wherewhen.training.checkpoints import CheckpointError

PERSONS, LENGTH, SHAPE = 12, 4, (2, 2, 5)

PARAMETERS = {
    "split": {"trials": 1},
    "embed": {"features": ["network"], "clips": 2, "clip_frames": 2},
    "learn_metric": {"metrics": ["kissme", "lfda", "rank_svm", "xqda"], "dimension": 3},
    "evaluate": {"dataset": "toy", "max_rank": 2, "resamples": 10},
    "train": {
        "network": {"channels": [4], "projection": 3},
        "training": {
            "epochs": 2,
            "frames": 2,
            "persons_per_batch": 4,
            "checkpoint_every": 1,
            "checkpoint_seconds": 0,
            "threads": 1,
            "validation_fraction": 0.25,
            "keep": "best",
        },
    },
}


@pytest.fixture(autouse=True)
def _in_one_thread(one_thread):
    """Every test of this file."""


@pytest.fixture
def split():
    """Eight persons train, four are tested, each in two cameras."""
    return pd.DataFrame(
        [
            ("trial_00", f"{camera}/p{person:02}", f"p{person:02}", camera, role)
            for person in range(PERSONS)
            for camera, test in (("a", "probe"), ("b", "gallery"))
            for role in [("train" if person < 8 else test)]
        ],
        columns=["trial", "tracklet", "person", "camera", "role"],
    )


@pytest.fixture
def cubes(split):
    """What the data set of cubes saves: an extraction without a backbone."""

    def stream(tracklets):
        for tracklet in tracklets:
            seed = int(tracklet[-2:])
            person = np.random.default_rng(seed).normal(size=SHAPE)
            noise = np.random.default_rng([seed, ord(tracklet[0])]).normal(size=(LENGTH, *SHAPE))
            yield tracklet, np.abs(person + 0.3 * noise).astype(np.float16)

    return SimpleNamespace(
        identity={"backbone": "none"},
        lengths=dict.fromkeys(split.tracklet, LENGTH),
        to_keep=list(split.tracklet),
        cube_shape=SHAPE,
        augmentation=Augmentation(),
        storage="float16",
        kept=None,
        budget_gib=None,
        engine=LOCAL,
        source=lambda tracklet: "",
        stream=stream,
    )


@pytest.fixture
def stages(repository, tmp_path, monkeypatch, split, cubes):
    """Run stages by their names, with the catalog that the project is shipped with.

    Every run saves new versions, as every command does.
    """
    monkeypatch.chdir(tmp_path)
    arguments = CONFIG_LOADER_ARGS | {"default_run_env": "base"}
    entries = OmegaConfigLoader(str(repository / "conf"), **arguments)["catalog"]
    current = check_parameters(PARAMETERS)
    pipelines = build_pipelines(current)
    runs = count(1)

    def run(*names):
        version = f"2026-01-01T00.00.{next(runs):02}.000Z"
        catalog = DataCatalog.from_config(entries, save_version=version)
        asked = [pipelines[name] for name in names]
        for name in {name for stage in asked for name in stage.inputs() if "params:" in name}:
            catalog[name] = MemoryDataset(parameter(current, name))
        catalog["cubes"].save(cubes)
        catalog["tracklets"].save(split[["tracklet", "person", "camera"]].assign(length=LENGTH))
        catalog["trial_00.split"].save(split)
        for stage in asked:
            SequentialRunner().run(stage, catalog)
        return catalog

    return run


@pytest.fixture
def unpickled(monkeypatch):
    """Note, and refuse, whatever is unpickled."""
    calls = []

    def refusing(what):
        def refuse(*_, **__):
            calls.append(what)
            raise AssertionError(f"{what} was called")

        return refuse

    class Refused(pickle.Unpickler):
        """A class: libraries derive from it when they are imported."""

        __init__ = refusing("pickle.Unpickler")

    monkeypatch.setattr(pickle, "Unpickler", Refused)
    for module, name in ((pickle, "load"), (pickle, "loads"), (joblib, "load"), (torch, "load")):
        monkeypatch.setattr(module, name, refusing(f"{module.__name__}.{name}"))
    return calls


def test_no_stage_unpickles_anything(stages, tmp_path, unpickled):
    first = stages("train", "embed", "learn_metric", "evaluate")
    metrics = set(first["trial_00.scores_network"].load().metric)
    assert metrics >= {"kissme", "lfda", "rank_svm", "xqda", "siamese"}
    written = {path.name for path in tmp_path.rglob("*.safetensors") if path.is_file()}
    assert written >= {
        "best.safetensors",
        "checkpoint.safetensors",
        "network.safetensors",
        "metrics_network.safetensors",
        "logits_network.safetensors",
    }
    again = stages("train", "evaluate")  # from the checkpoint of the last step, from the files
    one, other = (run["trial_00.network"].load().state_dict() for run in (first, again))
    assert all(torch.equal(one[name], other[name]) for name in one)
    tables = (run["trial_00.rankings_network"].load() for run in (first, again))
    pd.testing.assert_frame_equal(*tables)
    assert unpickled == []


class Planted:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_a_planted_pickle_is_never_executed(stages, tmp_path):
    before = stages("train", "embed", "learn_metric", "evaluate")["scores"].load()
    for name in ("metrics_network", "logits_network", "network", "checkpoint", "best"):
        for path in tmp_path.rglob(f"{name}.safetensors"):
            for suffix in (".joblib", ".pkl", ".pt"):
                joblib.dump(Planted(), path.with_name(f"{name}{suffix}"))
    pd.testing.assert_frame_equal(stages("train", "embed", "evaluate")["scores"].load(), before)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("name", "stage", "message"),
    [
        ("metrics_network", "evaluate", "metrics_network.* can't be read as fitted metrics"),
        ("logits_network", "evaluate", "logits_network.* can't be read as an array"),
        ("network", "embed", r"network\.safetensors"),
        ("checkpoint", "train", r"checkpoint\.safetensors cannot be read as a checkpoint"),
        ("best", "train", r"best\.safetensors cannot be read as a checkpoint"),
    ],
)
def test_a_pickle_under_the_name_stops_the_stage(stages, tmp_path, name, stage, message):
    stages("train", "embed", "learn_metric")
    (path,) = (path for path in tmp_path.rglob(f"{name}.safetensors") if path.is_file())
    joblib.dump(Planted(), path)
    with pytest.raises((DatasetError, CheckpointError), match=message):
        stages(stage)
    assert not (tmp_path / "executed").exists()
    damaged = path.with_name(f"{path.name}.damaged")  # what a checkpoint is renamed to
    joblib.load(path if path.exists() else damaged)  # it would have worked
    assert (tmp_path / "executed").exists()


DATA = {
    "MemoryDataset",
    "json.JSONDataset",
    "pandas.CSVDataset",
    "pandas.ParquetDataset",
    "pillow.ImageDataset",
    "wherewhen.datasets.ArrayDataset",
    "wherewhen.datasets.CubeStoreDataset",
    "wherewhen.datasets.FigureDataset",  # reads the PNG
    "wherewhen.datasets.MetricsDataset",
    "wherewhen.datasets.ModelDataset",  # a folder, handed on as its path
    "wherewhen.datasets.NetworkDataset",
    "wherewhen.datasets.PlaceDataset",
    "wherewhen.datasets.SyntheticPeopleDataset",
    "wherewhen.datasets.WorkspaceDataset",
}
"""Kinds of data sets that read data and no code. Add a kind only if it unpickles nothing."""


def test_every_kind_of_data_in_the_catalogs_is_known_to_hold_no_code(repository):
    catalogs = list((repository / "conf").rglob("catalog*.yml"))
    assert catalogs
    for path in catalogs:
        for name, entry in OmegaConf.load(path).items():
            kind = OmegaConf.to_container(entry).get("type")
            assert kind in DATA, f"{path}: {name} is of the type {kind}"
