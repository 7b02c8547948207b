"""The test people of a finished run as a request to its model, and what the run itself ranks."""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest


def served(address: str) -> Any:
    """Load a model as MLflow's server does.

    MLflow puts the model's copy of this package in front of all others, and leaves it there: what
    this process starts later would import that part of it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        return mlflow.pyfunc.load_model(address)


def ranked(project: Any, metric: str = "cosine") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the request, and rows ``probe, gallery, distance`` of the first trial, in order."""
    made = project.latest("07_model_output/synthetic/trial_00/rankings_network.parquet")
    rankings = pd.read_parquet(made)
    rankings = rankings[rankings.metric == metric].sort_values(["probe", "rank"])
    frames = pd.read_parquet(project.latest("03_primary/synthetic/frames.parquet"))
    place = project.latest("02_intermediate/synthetic/frames_root.json")
    root = project.root / json.loads(place.read_text())
    roles = {name: "gallery" for name in rankings.gallery} | {
        name: "probe" for name in rankings.probe
    }
    rows = [
        {"tracklet": name, "role": role, "frames": [_text(root / path) for path in paths.path]}
        for name, role in roles.items()
        for paths in [frames[frames.tracklet == name].sort_values("position")]
    ]
    return pd.DataFrame(rows), rankings[["probe", "gallery", "distance"]].reset_index(drop=True)


def rankings_of(answer: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the rows of an answer in the same form."""
    return pd.DataFrame(
        [
            {"probe": row["tracklet"], "gallery": each["tracklet"], "distance": each["distance"]}
            for row in sorted(answer, key=lambda row: row["tracklet"])
            for each in row["ranking"]
        ]
    )


def _text(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
