"""Kinds of features: their records, and one that is added by its file alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wherewhen
from wherewhen.pipelines.embed.features import (
    DEFAULT,
    FEATURES,
    of_trained_network,
    unlearned_metrics,
)
from wherewhen.pipelines.embed.pipeline import create_pipeline

USE = """
import numpy as np, pandas as pd
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from wherewhen.pipeline_registry import build_pipelines
from wherewhen.pipelines.parameters import check_parameters

class Cubes:
    lengths = {"a/p": 2, "b/p": 2, "a/q": 2, "b/q": 2}
    def read(self, window, start=None, stop=None):
        name = window if isinstance(window, str) else window.tracklet
        cubes = np.zeros((2, 2, 2, 2), np.float16)
        cubes[1, 0, 1] = {"a/p": (1, 9), "b/p": (1, 8), "a/q": (9, 1), "b/q": (8, 1)}[name]
        return cubes

asked = check_parameters({"embed": {"features": ["max_pooled"]}, "split": {"trials": 1},
                          "evaluate": {"resamples": 0}})
built = build_pipelines(asked)
assert not built["train"].nodes
pipeline = built["embed"].to_outputs("trial_00.embeddings_max_pooled")
tracklets = pd.DataFrame({"tracklet": list(Cubes.lengths), "length": 2})
split = pd.DataFrame({"trial": "trial_00", "tracklet": list(Cubes.lengths),
                      "person": list("ppqq"), "camera": list("abab"),
                      "role": ["probe", "gallery"] * 2})
data = {"tracklets": tracklets, "trial_00.split": split, "cubes": Cubes(),
        "trial_00.metrics_max_pooled": {}, "params:evaluate": asked.evaluate,
        "params:learn_metric.centre": "none",
        "params:embed.frames": 2, "params:embed.clips": 1, "params:embed.clip_frames": 2}
pipeline += built["evaluate"].only_nodes_with_outputs("trial_00.scores_max_pooled")
catalog = DataCatalog({name: MemoryDataset(value) for name, value in data.items()})
made = SequentialRunner().run(pipeline, catalog)
scores = made["trial_00.scores_max_pooled"].load()
assert scores[scores.measure == "rank-1"].value.tolist() == [1.0], scores
assert set(scores.metric) == {"cosine"} and set(scores.features) == {"max_pooled"}
"""


def test_a_kind_of_features_is_its_file(tmp_path, repository):
    package = tmp_path / "wherewhen"
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(wherewhen.__file__).parent, package, ignore=leave)
    page = (repository / "docs/how-to/add-a-component.md").read_text(encoding="utf-8")
    (example,) = [
        text for text in re.findall("```python\n(.*?)```", page, re.S) if "FeatureKind" in text
    ]
    (package / "pipelines/embed/features/max_pooled.py").write_text(example)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", USE], check=True, cwd=tmp_path, env=environment)


@pytest.mark.parametrize("name", FEATURES)
def test_every_kind_makes_its_embeddings(name):
    kind, pipeline = FEATURES[name], create_pipeline(["t"], [name])
    logits = {f"t.logits_{name}"} if kind.network else set()
    assert pipeline.outputs() | {"t.windows"} >= logits
    assert pipeline.all_outputs() == {"t.windows", f"t.embeddings_{name}", *logits}
    trained = "t.network" in pipeline.inputs()
    assert trained == kind.trains == of_trained_network([name])
    assert kind.network is None or f"t.{kind.network}" in pipeline.inputs()


def test_pooled_features_read_cubes_once():
    pipeline = create_pipeline(["t"], ["row_pooled", "mean_pooled"])
    assert [n.outputs for n in pipeline.nodes if n.name == "t.pool_cubes"] == [
        ["t.embeddings_mean_pooled", "t.embeddings_row_pooled"]
    ]


def test_defaults_and_unlearned_metrics():
    assert DEFAULT == ("network", "untrained", "mean_pooled", "row_pooled")
    assert unlearned_metrics("network") == {"cosine", "euclidean", "siamese"}
    assert unlearned_metrics("rcn") == {"cosine", "euclidean"}
    assert unlearned_metrics("fisher") == unlearned_metrics("row_pooled") == {"cosine"}


def test_the_order_of_features_makes_no_other_nodes():
    asked = ["row_pooled", "network", "mean_pooled"]
    one, other = (create_pipeline(["t"], order) for order in (asked, asked[::-1]))
    assert {str(node) for node in one.nodes} == {str(node) for node in other.nodes}
