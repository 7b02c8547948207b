"""Search among a million tracklets: the index beside FAISS alone, by kind.

    OMP_NUM_THREADS=1 uv run python benchmarks/search.py --json FILE

Vectors are random, of length 1, 128 numbers each: persons around directions of unequal spread, ten
tracklets a person, 88 % of the ten nearest to a query of the query's own person. Each kind is built
(by one thread), saved and opened; then batches of queries, single queries and batches with a filter
run in turn with plain FAISS, which has the same lists or graph, read from the index's folder.
``ratio`` is against plain FAISS of the kind. Times are the processor's. Recall: how many of the ten
nearest are found.
"""

from __future__ import annotations

import argparse
import gc
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _record
import faiss
import numpy as np
import pandas as pd
import psutil
from safetensors.numpy import load_file

from wherewhen.search import Index
from wherewhen.search.kinds import HNSW, IVF

SIZE, TOP, CAMERAS = 128, 10, 6
ABOUT = {"model": "random"}
NOT_ONE = {"not_cameras": ["camera_0"]}


def vectors_of_persons(tracklets: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw vectors float32 [N, E] of length 1, and whose they are [N]."""
    generator = np.random.default_rng(0)
    spread = 1 / np.sqrt(np.arange(1, 33, dtype=np.float32))
    directions = np.linalg.qr(generator.standard_normal((SIZE, 32)))[0].T.astype(np.float32)
    persons = generator.standard_normal((math.ceil(tracklets / 10), 32), dtype=np.float32)
    persons = persons * spread @ directions
    persons /= np.linalg.norm(persons, axis=1, keepdims=True)
    person = generator.integers(len(persons), size=tracklets)
    vectors = generator.standard_normal((tracklets, SIZE), dtype=np.float32)
    vectors *= 0.5 / math.sqrt(SIZE)
    vectors += persons[person]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, person


def table_of(person: np.ndarray) -> pd.DataFrame:
    """Name tracklets, and spread them over cameras."""
    camera = np.arange(len(person)) % CAMERAS
    pairs = zip(camera, person, strict=True)
    return pd.DataFrame(
        {
            "tracklet": [f"camera_{c}/{p:06}/{n}" for n, (c, p) in enumerate(pairs)],
            "person": [f"{p:06}" for p in person],
            "camera": [f"camera_{c}" for c in camera],
            "length": 20,
        }
    )


def plain_faiss(kind: str, folder: Path, vectors: np.ndarray) -> faiss.Index:
    """Return FAISS's own index of the same vectors, lists and graph."""
    flat = faiss.IndexFlatL2(SIZE)
    if kind == "ivf":
        (file,) = folder.glob("*/lists.safetensors")
        centroids = load_file(file)["centroids"]
        flat.add(centroids)
        lists = faiss.IndexIVFFlat(flat, SIZE, len(centroids))
        lists.add(vectors)
        lists.nprobe = IVF.probes
        return lists
    flat.add(vectors)
    if kind == "exact":
        return flat
    (file,) = folder.glob("*/graph.faiss")
    graph = faiss.read_index(str(file))
    flat.this.disown()  # the graph's from here on
    graph.storage, graph.own_fields = flat, True
    graph.hnsw.efSearch = HNSW.width
    return graph


def processor_seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long a call took, and its result."""
    start = time.process_time()
    result = function()
    return round(time.process_time() - start, 2), result


def resident() -> int:
    """Return the bytes of memory that this process has."""
    gc.collect()
    return psutil.Process().memory_info().rss


def recall(found: pd.DataFrame, true: pd.DataFrame) -> float:
    """Return the share of the true nearest that are found."""
    return len(found.merge(true, on=["query", "tracklet"])) / len(true)


def measured(
    kind: str, table: pd.DataFrame, vectors: np.ndarray, queries: np.ndarray, rounds: int
) -> tuple[list[dict[str, Any]], dict[str, Any], list[pd.DataFrame]]:
    """Build a kind and time its searches: rows, facts, and what was found."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        build, index = processor_seconds(lambda: Index.create(table, vectors, ABOUT, kind))
        save, _ = processor_seconds(lambda: index.save(folder))
        files = {path.name: path.stat().st_size for path in folder.glob("*/*")}
        del index
        before = resident()
        opening, index = processor_seconds(lambda: Index.open(folder))
        memory = resident() - before
        plain = plain_faiss(kind, folder, vectors)
    singles = queries[:20]
    batches = {
        f"{kind}, plain FAISS": lambda: plain.search(queries, TOP),
        kind: lambda: index.search(queries, ABOUT, TOP),
        f"{kind}, without one camera": lambda: index.search(queries, ABOUT, TOP, **NOT_ONE),
    }
    one_by_one = {
        f"{kind}, one by one, plain FAISS": lambda: [plain.search(q[None], TOP) for q in singles],
        f"{kind}, one by one": lambda: [index.search(q[None], ABOUT, TOP) for q in singles],
    }
    rows = []
    for variants, count in ((batches, len(queries)), (one_by_one, len(singles))):
        seconds = _record.interleaved(variants, rounds, clock=time.process_time)
        made = _record.rows(seconds, next(iter(variants)), dtype="float32")
        rows += [{**row, "queries_per_second": count / row["seconds"]} for row in made]
    facts = {"build_seconds": build, "save_seconds": save, "open_seconds": opening}
    facts |= {"files": files, "memory_mib": round(memory / 2**20)}
    return rows, facts, [batches[kind](), batches[f"{kind}, without one camera"]()]


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tracklets", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=["exact", "ivf", "hnsw"])
    arguments = parser.parse_args()
    vectors, person = vectors_of_persons(arguments.tracklets + arguments.queries)
    queries, vectors = vectors[arguments.tracklets :].copy(), vectors[: arguments.tracklets]
    table = table_of(person[: arguments.tracklets])
    rows, facts, true = [], {}, None
    for kind in dict.fromkeys(["exact", *arguments.kinds]):
        timed, facts[kind], found = measured(kind, table, vectors, queries, arguments.rounds)
        rows += timed
        true = true or found
        recalls = [round(recall(*pair), 4) for pair in zip(found, true, strict=True)]
        facts[kind] |= dict(zip(("recall", "recall_without_one_camera"), recalls, strict=True))
    _record.write(
        arguments.json,
        "search",
        rows,
        packages=("faiss-cpu", "numpy", "pandas"),
        tracklets=arguments.tracklets,
        queries=arguments.queries,
        kinds=facts,
    )


if __name__ == "__main__":
    main()
