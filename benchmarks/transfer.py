r"""A network on people of a set where it was not trained, beside what pooled cubes find there.

Of the environment ``--source`` this takes what a finished run has learned, trial by trial: the
networks, and metrics on their embeddings and on row-pooled cubes. Of ``--target`` it takes the
cubes and the splits, and ranks the test persons of a trial by what a trial of the source learned:
the first by the first, and so on, and from the beginning again where the target has fewer::

    uv run kedro run --env population
    uv run kedro run --env held_out --pipelines synthesise,ingest,split,extract
    uv run python benchmarks/transfer.py --source population --target held_out --json FILE

``source``: metrics were learned on the source's training persons alone, so nothing was learned on
the target. ``both``: they are learned on these and the target's training persons together, for the
network and the pooled cubes alike. ``target``: on the target's training persons alone.

Fusion is the sum of z-scored distances (`wherewhen.retrieval.fusion`) with equal weights.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import _record
import pandas as pd

from wherewhen.features.pooling import pool_by_attention, pool_windows
from wherewhen.model.encode import encode_tracklets
from wherewhen.pipelines.evaluate.nodes import sides, spaces
from wherewhen.pipelines.learn_metric.nodes import learn
from wherewhen.retrieval.fusion import fuse
from wherewhen.retrieval.scoring import score
from wherewhen.retrieval.task import Task
from wherewhen.sessions import View
from wherewhen.tracklets.windows import as_windows, embedding_windows

FEATURES = ("network", "attended_rows", "row_pooled")
LEARNED_ON = ("source", "both", "target")
FUSED = ("cosine", "kissme", "lfda")
"""Metrics of the network that are fused with KISSME on row-pooled cubes, pooled evenly or not."""


def embedded(source: View, target: View, trial: str, target_trial: str) -> dict[str, pd.DataFrame]:
    """Give the target's clips vectors: those of the source's network, and pooled cubes.

    Cubes are pooled evenly, and by the attention of the source's network.
    """
    cubes, asked = target.catalog.load("cubes"), target.parameters.embed
    split = target.catalog.load(f"{target_trial}.split")
    windows = embedding_windows(split, cubes.lengths, asked.frames, asked.clips, asked.clip_frames)
    network = source.catalog.load(f"{trial}.network")
    asked_for = as_windows(windows)
    encoded = encode_tracklets(network, cubes, asked_for, progress=False, attention=True)
    vectors = {
        "network": encoded.embeddings,
        "attended_rows": pool_by_attention(cubes, asked_for, encoded.attention),
        "row_pooled": pool_windows(cubes, asked_for)[1],
    }
    return {name: windows.assign(vector=list(each)) for name, each in vectors.items()}


def fitted(source: View, trial: str, name: str, here: pd.DataFrame, learned_on: str) -> Any:
    """Return the metrics of the source, or learn them with its parameters."""
    if learned_on == "source":
        return source.catalog.load(f"{trial}.metrics_{name}")
    taught = here[here.role == "train"]
    if learned_on == "both":
        there = source.catalog.load(f"{trial}.embeddings_{name}")
        there = there[there.role == "train"]
        # cameras and persons of two sets have the same names
        parts = {"source": there, "target": taught}
        taught = pd.concat(
            [
                part.assign(person=f"{side} " + part.person, camera=f"{side} " + part.camera)
                for side, part in parts.items()
            ],
            ignore_index=True,
        )
    return learn(taught, source.parameters.learn_metric)[0]


def rows(
    source: View, trial: str, tables: Mapping[str, pd.DataFrame], learned_on: str, protocol: str
) -> Iterator[dict[str, Any]]:
    """Yield rank-1 and mAP by every metric, and those of fused distances."""
    tasks = {}
    for name in FEATURES:
        metrics = fitted(source, trial, name, tables[name], learned_on)
        for metric, probes, gallery, distance in spaces(tables[name], metrics, by_euclidean=False):
            matrix = distance(probes, gallery)
            tasks[name, metric] = Task.of_tables(matrix, *sides(tables[name]), protocol)
    for rows_of, metric in product(FEATURES[1:], FUSED):
        together = fuse([tasks["network", metric], tasks[rows_of, "kissme"]])
        of = f"{metric} + {rows_of}/kissme"
        tasks["network", of] = Task.of_tables(together, *sides(tables["network"]), protocol)
    for (name, metric), task in tasks.items():
        found = score(task, resamples=0)
        yield {
            "trial": trial,
            "features": name,
            "metric": metric,
            "learned on": "" if metric == "cosine" else learned_on,
            "rank-1": found["rank-1"],
            "mAP": found["mAP"],
        }


def main() -> None:
    """Score all trials and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="population", help="an environment in conf/")
    parser.add_argument("--target", default=None, help="another; left out: the demonstration")
    parser.add_argument("--learned-on", nargs="+", default=["source"], choices=LEARNED_ON)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    source, target = View.of(arguments.source), View.of(arguments.target)
    if source.parameters.learn_metric.centre != "none":
        parser.error(
            f"learn_metric.centre of {arguments.source} has to be none: cameras of the target "
            "have no means among the source's"
        )
    there = target.parameters.split.trial_names
    found: list[dict[str, Any]] = []
    for number, trial in enumerate(source.parameters.split.trial_names[: arguments.trials]):
        tables = embedded(source, target, trial, there[number % len(there)])
        for learned_on in arguments.learned_on:
            protocol = target.parameters.evaluate.protocol
            found += rows(source, trial, tables, learned_on, protocol)
    results = pd.DataFrame(found).drop_duplicates()
    record = _record.record(
        "transfer",
        results.to_dict("records"),
        ("torch", "numpy", "scikit-learn"),
        source=source.dataset,
        target=target.dataset,
    )
    _record.save(arguments.json, record)
    sys.stdout.write("\n".join(table(results)) + "\n")


def table(results: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the table, the best row first."""
    keys = ["features", "metric", "learned on"]
    measured = results[["rank-1", "mAP"]].multiply(100).join(results[keys])
    yield "| features | metric | learned on | rank-1 | mAP |"
    yield "|---|---|---|---:|---:|"
    for names, trials in sorted(measured.groupby(keys), key=lambda each: -each[1]["rank-1"].mean()):
        cells = (_record.spread(trials[each].to_list()) for each in ("rank-1", "mAP"))
        yield f"| {' | '.join((*names, *cells))} |"


if __name__ == "__main__":
    main()
