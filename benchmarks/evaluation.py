"""A MARS-sized evaluation (1,980 probes, 12,180 gallery tracklets, float32): ranks without a sort.

    uv run python benchmarks/evaluation.py --json FILE

CMC to rank 50 and mAP under the rule that all libraries share (the probe's person in its own camera
is dropped), from the same arrays: by counting nearer tracklets (`wherewhen.retrieval.evaluate`), by
a plain loop that sorts the gallery of every probe, by torchreid's Cython evaluation where it is
installed, and, for scale, the sorting of the rows alone. ``ratio`` is against the plain loop. The
plain loop and torchreid must find the same numbers.

Persons and cameras are MARS's own where ``../shared/data/mars-info`` is there, else drawn alike.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import _record
import numpy as np

from wherewhen.retrieval import Task, evaluate, score

MARS = Path(__file__).parents[2] / "shared/data/mars-info"
MAX_RANK = 50
TRACKLETS, PROBES, PERSONS, CAMERAS = 12_180, 1_980, 636, 6

Who = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Persons of probes and gallery, cameras of probes and gallery."""


def who() -> Who:
    """Return MARS's persons and cameras, or some like them."""
    if MARS.is_dir():
        from scipy.io import loadmat

        rows = loadmat(MARS / "tracks_test_info.mat")["track_test_info"].astype(np.int64)
        probes = loadmat(MARS / "query_IDX.mat")["query_IDX"].astype(np.int64).ravel() - 1
        person, camera = rows[:, 2], rows[:, 3]
    else:
        generator = np.random.default_rng(0)
        person = generator.integers(PERSONS, size=TRACKLETS)
        camera = generator.integers(CAMERAS, size=TRACKLETS)
        probes = generator.choice(TRACKLETS, PROBES, replace=False)
    return person[probes], person, camera[probes], camera


def distances(probe_persons: np.ndarray, gallery_persons: np.ndarray) -> np.ndarray:
    """Draw distances that are smaller for true matches, on average."""
    generator = np.random.default_rng(1)
    matrix = generator.random((len(probe_persons), len(gallery_persons)), dtype=np.float32)
    matrix[probe_persons[:, None] == gallery_persons] **= 8
    return matrix


def sort_per_probe(matrix: np.ndarray, names: Who) -> tuple[np.ndarray, float]:
    """Evaluate as one writes it first: sort every probe's gallery and walk along it."""
    probe_persons, gallery_persons, probe_cameras, gallery_cameras = names
    curves, precisions = [], []
    for row, person, camera in zip(matrix, probe_persons, probe_cameras, strict=True):
        order = np.argsort(row, kind="stable")
        of_person = gallery_persons[order] == person
        hits = of_person[~(of_person & (gallery_cameras[order] == camera))]
        if hits.any():
            found = np.cumsum(hits)
            curves.append(found[:MAX_RANK] > 0)
            precisions.append((found / np.arange(1, len(hits) + 1))[hits].mean())
    return np.mean(curves, axis=0), float(np.mean(precisions))


def torchreid(matrix: np.ndarray, names: Who) -> Callable[[], tuple[np.ndarray, float]] | None:
    """Return torchreid's evaluation of the same arrays, if its Cython module is installed."""
    try:
        from torchreid.metrics.rank_cylib.rank_cy import evaluate_cy
    except ImportError:
        try:
            from rank_cy import evaluate_cy  # the module built alone, without torch
        except ImportError:
            sys.stderr.write("torchreid's Cython evaluation is not installed: left out\n")
            return None
    return lambda: evaluate_cy(matrix, *names, MAX_RANK)


def peak_mebibytes(function: Callable[[], object]) -> float:
    """Measure the most memory a call holds at once, beside its arguments."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return round(peak / 2**20, 1)


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    names = who()
    matrix = distances(*names[:2])
    options = {"protocol": "cross_camera", "max_rank": MAX_RANK}

    def ours() -> tuple[np.ndarray, float]:
        result = evaluate(matrix, *names, **options)
        return result.cmc, result.mean_ap

    def everything() -> dict[str, float]:
        return score(Task(matrix, *names, protocol="cross_camera"), max_rank=MAX_RANK)

    plain = "sort per probe (plain)"
    variants = {
        plain: lambda: sort_per_probe(matrix, names),
        "evaluate (counts, no sort)": ours,
        "rows sorted, nothing else": lambda: [np.sort(row) for row in matrix],
        "score (intervals, open set)": everything,
    }
    cython = torchreid(matrix, names)
    if cython is not None:
        variants["torchreid (Cython)"] = cython
    curve, mean_ap = ours()
    # torchreid's sort is not stable and its sums are float32: ties may fall otherwise there.
    for other, tolerance in ((variants[plain], 1e-12), (cython, 1e-3)):
        if other is not None:
            np.testing.assert_allclose(other()[0], curve, atol=tolerance)
            np.testing.assert_allclose(other()[1], mean_ap, atol=tolerance)
    seconds = _record.interleaved(variants, arguments.rounds, clock=time.process_time)
    _record.write(
        arguments.json,
        "evaluation",
        _record.rows(seconds, plain, dtype="float32"),
        packages=("numpy", "scipy", "pandas"),
        probes=matrix.shape[0],
        gallery=matrix.shape[1],
        labels="MARS" if MARS.is_dir() else "drawn",
        distances_mib=round(matrix.nbytes / 2**20, 1),
        peak_mib={"evaluate": peak_mebibytes(ours), "score": peak_mebibytes(everything)},
    )


if __name__ == "__main__":
    main()
