"""A project in a temporary folder: small environments, drawn frames, and results laid by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from kedro.framework.startup import bootstrap_project
from PIL import Image

from wherewhen.experiments.config import Experiment, read_experiments
from wherewhen.experiments.rows import ResolvedRow
from wherewhen.features.cube_store import CubeStore
from wherewhen.sessions import View

PYPROJECT = """
[tool.kedro]
package_name = "wherewhen"
project_name = "wherewhen"
kedro_init_version = "1.7.0"
"""

RECORDED = """
ingest: {reader: prid2011, root: footage/%s}
split: {trials: 2}
"""
"""An environment whose results are laid by hand; its frames are not there."""

DRAWN = """
ingest: {reader: folder, root: footage/drawn}
split: {trials: 2}
embed: {features: [colour_lbp], clips: 2, clip_frames: 2}
learn_metric: {metrics: [kissme]}
evaluate: {resamples: 0}
"""
"""An environment whose frames are drawn, and described without a network: quick to run."""

TRAINED = """
extract: {backbone: vgg16, precision: float32, weights: {source: random, package: null, seed: 3}}
"""
"""An environment in which networks are trained, on other cubes than conf/base's."""

ENVIRONMENTS = {
    "prid2011": RECORDED % "prid2011",
    "mars": RECORDED % "mars" + TRAINED,
    "drawn": DRAWN,
    "drawn_too": DRAWN,
}

LAID: dict[str, Any] = {
    "tracklets": pd.DataFrame(
        {"tracklet": list("wxyz"), "person": list("aabb"), "camera": list("1212"), "length": 3}
    ),
    "ingest_report": {"fingerprint": "da7a"},
    "split_fingerprints": {"trial_00": "5p-0", "trial_01": "5p-1"},
    "cubes_identity": {"key": "cube-key"},
    "frames_root": "footage",
}
"""What is laid under a name when a test says nothing else."""


@pytest.fixture(scope="module")
def project(
    repository: Path, database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The project's folder, which is the working directory."""
    root = tmp_path_factory.mktemp("project")
    (root / "src").mkdir()
    (root / "pyproject.toml").write_text(PYPROJECT)
    shutil.copy(database, root / "mlflow.db")
    shutil.copytree(repository / "conf/base", root / "conf/base")
    (root / "conf/local").mkdir()
    for name, parameters in ENVIRONMENTS.items():
        (root / "conf" / name).mkdir()
        (root / "conf" / name / "globals.yml").write_text(f"dataset: {name}\n")
        (root / "conf" / name / "parameters.yml").write_text(parameters)
    _draw(root / "footage/drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        bootstrap_project(root)
        yield root
    mlflow.set_tracking_uri(None)


def _draw(folder: Path) -> None:
    """Draw eight people in two cameras, each three noisy frames of two colours; some look alike."""
    generator = np.random.default_rng(0)
    for person in range(8):
        clothes = np.random.default_rng(person // 2).integers(60, 190, (2, 1, 3))
        picture = np.repeat(np.repeat(clothes, 32, axis=0), 32, axis=1)
        for camera in ("a", "b"):
            tracklet = folder / camera / f"{person:04}"
            tracklet.mkdir(parents=True)
            for frame in range(3):
                noisy = picture + generator.integers(-60, 60, picture.shape)
                Image.fromarray(noisy.astype("uint8")).save(tracklet / f"{frame}.png")


@pytest.fixture(scope="session")
def make() -> Callable[..., None]:
    """Return a function that lays artifacts, and all that they follow from, with their records."""

    def lay(view: View, artifacts: Mapping[str, Any], run_id: str = "a-run") -> None:
        ledger = view.ledger
        ledger.refresh()
        for node in ledger.ancestors(artifacts):
            for name in filter(ledger.is_kept, node.outputs):
                if name in artifacts or not ledger.is_there(name):
                    ledger.prepare(name)
                    _write(view, name, artifacts.get(name, LAID.get(name)))
                    now = datetime.now(UTC)
                    ledger.made(name, started=now, commit="c" * 40, versions={}, run_id=run_id)

    return lay


def _write(view: View, name: str, content: Any) -> None:
    """Write a table, or plain values; without any, bytes that no other parameters would have."""
    file = view.ledger.file(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    if name == "cubes":
        store = CubeStore.create(
            view.ledger.dataset(name)._stores, {"of": view.ledger.version(name)}
        )
        store.seal()
        content = {"store": store.key}
    if isinstance(content, pd.DataFrame):
        content.to_parquet(file)
    elif content is None:
        file.write_bytes(f"{name} {view.ledger.version(name)}".encode())
    else:
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


@pytest.fixture(scope="session")
def finish(make: Callable[..., None]) -> Callable[..., None]:
    """Return a function that lays what a finished trial of a row leaves."""

    def lay(row: ResolvedRow, trial: str, rank_1: float = 0.5, **more: Any) -> None:
        artifacts = {name: scores_of(row, trial, rank_1) for name in row.outputs(trial)}
        if row.trains:
            artifacts[f"{trial}.history"] = history()
        make(row.view, {**artifacts, **{f"{trial}.{name}": table for name, table in more.items()}})

    return lay


def scores_of(row: ResolvedRow, trial: str, rank_1: float) -> pd.DataFrame:
    """Return scores by every metric; only those that the row shows are as they are said."""
    measures = {"rank-1": rank_1, "rank-5": rank_1 + 0.25, "mAP": rank_1 / 2, "probes": 8}
    lines = [
        (row.view.dataset, "single_match", trial, features, metric, measure, value * factor)
        for features in row.parameters.embed.features
        for metric, factor in ((row.row.metric, 1), ("another", 0.1))
        for measure, value in measures.items()
    ]
    names = ["dataset", "protocol", "trial", "features", "metric", "measure", "value"]
    return pd.DataFrame(lines, columns=names)


def history() -> pd.DataFrame:
    """Return the losses of three epochs of two steps, the last of which was validated."""
    return pd.DataFrame(
        {
            "step": range(6),
            "epoch": np.repeat([0, 1, 2], 2),
            "loss": [4.0, 2, 2, 1, 1, 0.5],
            "validation_loss": [np.nan] * 5 + [0.75],
            "validation_rank_1": [np.nan] * 5 + [0.5],
            "validation_map": [np.nan] * 5 + [0.25],
        }
    )


@pytest.fixture(scope="session")
def table() -> Callable[..., Experiment]:
    """Return a function that reads an experiment of some rows."""

    def read(rows: Mapping[str, Any], **fields: Any) -> Experiment:
        said = {"title": "Mine", "rows": rows, **fields}
        return read_experiments(
            {"defaults": {"parameters": {"embed.features": ["network"]}}, "mine": said}
        )["mine"]

    return read
