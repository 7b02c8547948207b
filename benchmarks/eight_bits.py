"""What keeping cubes in 8 bits does to activations, scores and reading.

    uv run kedro run --env development --pipelines synthesise,ingest,split,extract
    uv run python benchmarks/eight_bits.py --dataset development --json FILE

Takes a data set's stored cubes as they are and as 8 bits would give them back, pools both as the
baselines do (`mean_pooled`, `row_pooled`), learns LFDA on each, and scores both on every trial.
``ratio`` is how much faster a window of float16 is read.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from functools import partial
from pathlib import Path

import _record
import numpy as np
import pandas as pd

from wherewhen.features.cube_store import CubeStore
from wherewhen.features.pooling import pool_windows
from wherewhen.metric_learning.pipeline import fit_metrics
from wherewhen.retrieval.distances import cosine, euclidean
from wherewhen.retrieval.evaluate import evaluate
from wherewhen.sessions import View
from wherewhen.tracklets.windows import Window, as_windows, embedding_windows


def in_eight_bits(store: CubeStore, folder: str) -> CubeStore:
    """Copy a store into one of 8 bits."""
    copy = CubeStore.create(folder, {"eight bits of": store.key})
    for tracklet in store.lengths:
        copy.write(tracklet, store.read(store.whole(tracklet)), "uint8")
    copy.seal()
    return copy


def scores(store: CubeStore, split: pd.DataFrame) -> dict[str, float]:
    """Score the baselines on one trial: rank-1 and mAP, as they are and after LFDA."""
    windows = embedding_windows(split, store.lengths, clip_frames=6)
    found = {}
    for features, vectors in zip(
        ("mean_pooled", "row_pooled"), pool_windows(store, as_windows(windows)), strict=True
    ):
        vectors = np.stack(vectors).astype(np.float64)
        train, probe, gallery = (windows.role == role for role in ("train", "probe", "gallery"))
        with warnings.catch_warnings(action="ignore"):
            metrics = fit_metrics(
                vectors[train],
                windows.person[train].to_numpy(),
                windows.camera[train].to_numpy(),
                {"lfda": {"shrinkage": 0.01}},
                dimension=150,
            )
        transform = metrics["lfda"].transform
        for metric, distances in (
            ("cosine", cosine(vectors[probe], vectors[gallery])),
            ("lfda", euclidean(transform(vectors[probe]), transform(vectors[gallery]))),
        ):
            people = (windows.person[probe], windows.person[gallery])
            cameras = (windows.camera[probe], windows.camera[gallery])
            result = evaluate(distances, *map(list, (*people, *cameras)))
            found[f"{features}.{metric}.rank-1"] = float(result.cmc[0])
            found[f"{features}.{metric}.mAP"] = float(result.mean_ap)
    return found


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--dataset", default="development", help="an environment in conf/")
    parser.add_argument("--store", type=Path, help="instead of the environment's cubes")
    parser.add_argument("--trials", type=int, default=6)
    arguments = parser.parse_args()
    catalog = View.of(arguments.dataset).catalog
    store = CubeStore(arguments.store) if arguments.store else catalog.load("cubes")
    splits = catalog.load("splits")
    with tempfile.TemporaryDirectory() as name:
        eight = in_eight_bits(store, name)
        errors, tables = [], []
        for tracklet in store.lengths:
            plain, rounded = (s.read(s.whole(tracklet)).astype(np.float32) for s in (store, eight))
            errors.append(np.linalg.norm(rounded - plain) / np.linalg.norm(plain))
        for _, split in list(splits.groupby("trial"))[: arguments.trials]:
            tables.append([scores(reader, split) for reader in (store, eight)])
        tracklets = list(store.lengths)[:40]

        def read(reader: CubeStore) -> None:
            for tracklet in tracklets:
                reader.read(Window(tracklet, 0, min(20, reader.lengths[tracklet])))

        seconds = _record.interleaved(
            {"float16": partial(read, store), "8 bits": partial(read, eight)}, 15
        )
        sizes = {
            name: sum(path.stat().st_size for path in reader.folder.rglob("*.safetensors"))
            for name, reader in (("float16", store), ("8 bits", eight))
        }
    rows = _record.rows(seconds, baseline="8 bits")
    plain, rounded = (pd.DataFrame(side) for side in zip(*tables, strict=True))
    effect = {
        name: {"float16": plain[name].mean(), "8 bits": rounded[name].mean()} for name in plain
    }
    _record.write(
        arguments.json,
        "eight_bits",
        rows,
        packages=("numpy",),
        relative_error=float(np.mean(errors)),
        bytes=sizes,
        trials=len(tables),
        scores=effect,
        largest_change_in_a_trial=float((rounded - plain).abs().to_numpy().max()),
    )
    print(f"  relative error {np.mean(errors):.2e}, bytes {sizes}")  # noqa: T201
    print(pd.DataFrame(effect).T.assign(change=lambda t: t["8 bits"] - t["float16"]))  # noqa: T201


if __name__ == "__main__":
    main()
