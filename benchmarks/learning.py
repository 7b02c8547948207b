"""What makes the network learn: variants of the recipe, trained and tested side by side.

On the people of the environment ``development``, who are not the demonstration's, so that settings
chosen here were never seen by the persons the demonstration is tested on::

    uv run kedro run --env development --pipelines synthesise,ingest,split,extract
    uv run python benchmarks/learning.py --json learning.json

A row is the mean and the standard deviation over trials, each a split and a seed of its own. The
numbers of ``docs/learning.md`` come from here; each row starts from the demonstration's settings
and changes what its name says.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import _record
import numpy as np
import pandas as pd

from wherewhen.datasets import CubeStoreDataset
from wherewhen.features.pooling import pool_windows
from wherewhen.metric_learning.pipeline import metric_pipeline
from wherewhen.model.config import network_config
from wherewhen.model.encode import encode_tracklets
from wherewhen.model.siamese import build_network
from wherewhen.retrieval.distances import cosine, euclidean
from wherewhen.retrieval.evaluate import evaluate
from wherewhen.tracklets.windows import embedding_windows
from wherewhen.training.config import training_config
from wherewhen.training.loop import PreloadedCubes, calibrate, train

POINTWISE = {"input_kernels": [1], "hidden_kernels": [1]}
NETWORK: dict[str, Any] = POINTWISE
TRAINING: dict[str, Any] = {"epochs": 80, "frames": 6, "persons_per_batch": 40}
SHRINKAGE = 0.01
CLIPS, CLIP_FRAMES = 4, 6

VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "demonstration": ({}, {}),
    "cells kept, not rows": ({"location": "cells"}, {}),
    "input not read out": ({"readout": "concatenated"}, {}),
    "3x3 kernels": ({"input_kernels": [3], "hidden_kernels": [3]}, {}),
    "attention muted": ({"attention": "muted"}, {}),
    "attention at the full rate": ({}, {"part_rates": {}}),
    "frames averaged": ({"temporal_pooling": "average"}, {}),
    "16 persons a batch": ({}, {"persons_per_batch": 16, "epochs": 40}),
    "a quarter of the epochs": ({}, {"epochs": 20}),
    "projection to 256": ({"projection": 256}, {}),
    "attention at a fifth of the rate": ({}, {"part_rates": {"attention": 0.2}}),
    "input at a tenth of the rate": ({}, {"part_rates": {"attention": 0.02, "input": 0.1}}),
    "12 frames a clip": ({}, {"frames": 12, "epochs": 60}),
    "untrained": ({}, {"epochs": 0}),
}

Scores = dict[str, tuple[float, float]]


class Workbench:
    """The development set in memory, and what is done to it again and again."""

    def __init__(self, data: Path, dataset: str) -> None:
        self.store = CubeStoreDataset(str(data / "04_feature" / dataset / "cubes")).load()
        self.cubes = PreloadedCubes(self.store, list(self.store.lengths))
        self.splits = pd.read_parquet(data / "05_model_input" / dataset / "splits.parquet")

    def windows(self, trial: str) -> pd.DataFrame:
        """Return the windows by which the tracklets of a trial are embedded."""
        split = self.splits[self.splits.trial == trial]
        return embedding_windows(split, self.cubes.lengths, 128, CLIPS, CLIP_FRAMES)

    def network(self, trial: str, network: dict[str, Any], training: dict[str, Any]) -> Scores:
        """Train a variant on one trial and score it."""
        seed = int(trial.removeprefix("trial_"))
        settings = {**TRAINING, **training, "validation_fraction": 0.0, "seed": seed}
        untrained = settings["epochs"] == 0
        config = training_config("modern", **{**settings, "epochs": max(settings["epochs"], 1)})
        model = build_network(
            network_config("modern", **{**NETWORK, **network, "seed": seed}),
            self.store.channels,
            self.store.grid,
        )
        split = self.splits[self.splits.trial == trial]
        learners = split[split.role == "train"]
        calibrate(model, self.cubes, learners.tracklet.to_list(), config.calibration_frames)
        if not untrained:
            with tempfile.TemporaryDirectory() as folder:
                train(model, self.cubes, learners, None, config, folder, progress=False)
        windows = self.windows(trial)
        encodings = encode_tracklets(model, self.cubes, clips_of(windows), progress=False)
        return score(windows, encodings.embeddings)

    def baselines(self, trial: str) -> dict[str, Scores]:
        """Score the pooled cubes on one trial."""
        windows = self.windows(trial)
        means, rows = pool_windows(self.cubes, clips_of(windows))
        return {
            "mean-pooled cubes": score(windows, np.stack(means)),
            "row-pooled cubes": score(windows, np.stack(rows)),
        }


def clips_of(windows: pd.DataFrame) -> list[tuple[str, int, int]]:
    """Return windows as the readers of cubes take them."""
    return list(windows[["tracklet", "start", "stop"]].itertuples(index=False, name=None))


def score(windows: pd.DataFrame, vectors: np.ndarray) -> Scores:
    """Return rank-1 and mAP of the test tracklets under each metric."""
    vectors = vectors.astype(np.float64)
    role = windows.role.to_numpy()
    probe, gallery, learners = role == "probe", role == "gallery", role == "train"

    def judged(distances: np.ndarray) -> tuple[float, float]:
        result = evaluate(
            distances,
            windows.person[probe].to_list(),
            windows.person[gallery].to_list(),
            windows.camera[probe].to_list(),
            windows.camera[gallery].to_list(),
        )
        return float(result.cmc[0]), result.mean_ap

    scores = {"cosine": judged(cosine(vectors[probe], vectors[gallery]))}
    for kind in ("kissme", "lfda"):
        metric = metric_pipeline(kind, shrinkage=SHRINKAGE)
        metric.fit(vectors[learners], windows.person[learners].to_numpy())
        scores[kind] = judged(
            euclidean(metric.transform(vectors[probe]), metric.transform(vectors[gallery]))
        )
    return scores


def summary(name: str, scores: list[Scores], seconds: float) -> dict[str, Any]:
    """Average the trials of a variant; print its row."""
    row: dict[str, Any] = {"variant": name, "trials": len(scores), "seconds": seconds}
    cells = []
    for metric in ("cosine", "kissme", "lfda"):
        rank_1, mean_ap = np.array([trial[metric] for trial in scores]).T * 100
        deviation = rank_1.std(ddof=1) if len(rank_1) > 1 else float("nan")
        row[metric] = {"rank-1": rank_1.mean(), "deviation": deviation, "mAP": mean_ap.mean()}
        cells.append(f"{rank_1.mean():.1f} ± {deviation:.1f} ({mean_ap.mean():.1f})")
    sys.stdout.write("| " + " | ".join([name, *cells]) + " |\n")
    sys.stdout.flush()
    return row


def main() -> None:
    """Run the chosen variants on the chosen trials."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--dataset", default="development")
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    bench = Workbench(arguments.data, arguments.dataset)
    trials = sorted(bench.splits.trial.unique())[: arguments.trials]
    sys.stdout.write("| | cosine | KISSME | LFDA |\n|---|---|---|---|\n")
    pooled = [bench.baselines(trial) for trial in trials]
    rows = [summary(name, [trial[name] for trial in pooled], 0.0) for name in pooled[0]]
    for name in arguments.variants:
        start = time.perf_counter()
        scores = [bench.network(trial, *VARIANTS[name]) for trial in trials]
        rows.append(summary(name, scores, time.perf_counter() - start))
    if arguments.json:
        record = {
            "name": "learning",
            "machine": _record.machine(),
            "versions": _record.versions("torch", "numpy", "scikit-learn"),
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
