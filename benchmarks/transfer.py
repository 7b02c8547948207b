r"""A network on people of a set where it was not trained, beside what pooled cubes find there.

Of the environment ``--source`` this takes what a finished run has learned, trial by trial: the
networks, and metrics on their embeddings and on row-pooled cubes. Of ``--target`` it takes the
cubes and the splits, and ranks the test persons of a trial by what a trial of the source learned:
the first by the first, and so on, and from the beginning again where the target has fewer::

    uv run kedro run --env population
    uv run kedro run --env held_out --pipelines synthesise,ingest,split,extract
    uv run python benchmarks/transfer.py --source population --target held_out --json FILE

``--shipped`` takes the network of the package in place of a finished run's: of the source its
frames, cubes and splits are enough then; vectors and metrics of its training persons are made here.

``source``: metrics were learned on the source's training persons alone, so nothing was learned on
the target. ``both``: they are learned on these and the target's training persons together, for the
network and the pooled cubes alike. ``target``: on the target's training persons alone. Dimension
and shrinkage of a metric are chosen where it is learned. With ``--shipped`` and ``both`` those are
taken that were chosen on the source's training persons, who nearly all teach it then, too.

Fusion is the sum of z-scored distances (`wherewhen.retrieval.fusion`) with equal weights.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import _record
import numpy as np
import pandas as pd
from tqdm import tqdm

from wherewhen import pretrained
from wherewhen.features.pooling import pool_by_attention, pool_windows
from wherewhen.metric_learning.pipeline import fit_metrics
from wherewhen.metric_learning.selection import choose
from wherewhen.model.encode import encode_tracklets
from wherewhen.pipelines.evaluate.nodes import sides, spaces
from wherewhen.pipelines.learn_metric.nodes import learn
from wherewhen.retrieval.fusion import fuse
from wherewhen.retrieval.scoring import score
from wherewhen.retrieval.task import Task
from wherewhen.sessions import View
from wherewhen.tracklets.threads import one_thread
from wherewhen.tracklets.windows import as_windows, embedding_windows

FEATURES = ("network", "attended_rows", "row_pooled")
LEARNED_ON = ("source", "both", "target")
FUSED = ("cosine", "kissme", "lfda")
"""Metrics of the network that are fused with KISSME on row-pooled cubes, pooled evenly or not."""


def embedded(network: Any, view: View, trial: str) -> dict[str, pd.DataFrame]:
    """Give a trial's clips vectors: those of a network, and pooled cubes.

    Cubes are pooled evenly, and by the attention of the network.
    """
    cubes, asked = view.catalog.load("cubes"), view.parameters.embed
    split = view.catalog.load(f"{trial}.split")
    windows = embedding_windows(split, cubes.lengths, asked.frames, asked.clips, asked.clip_frames)
    asked_for = as_windows(windows)
    encoded = encode_tracklets(network, cubes, asked_for, attention=True)
    vectors = {
        "network": encoded.embeddings,
        "attended_rows": pool_by_attention(cubes, asked_for, encoded.attention),
        "row_pooled": pool_windows(cubes, asked_for)[1],
    }
    return {name: windows.assign(vector=list(each)) for name, each in vectors.items()}


class Finished(NamedTuple):
    """What a trial of the source has learned: taken from its finished run."""

    view: View
    trial: str

    @property
    def network(self) -> Any:
        """The trained network."""
        return self.view.catalog.load(f"{self.trial}.network")

    def taught(self, name: str) -> pd.DataFrame:
        """Return the vectors of the training persons."""
        return _training(self.view.catalog.load(f"{self.trial}.embeddings_{name}"))

    def metrics(self, name: str) -> Any:
        """Return the metrics that were learned on them."""
        return self.view.catalog.load(f"{self.trial}.metrics_{name}")


class Shipped:
    """The same of the network that ships with the package, embedded and learned here."""

    def __init__(self, view: View) -> None:
        card = pretrained.load_card()
        here = view.catalog.load("ingest_report")["fingerprint"]
        if here != card.data.fingerprint:
            raise SystemExit(
                f"the network that ships learned from {card.data.name} (frames "
                f"{card.data.fingerprint}), and {view.dataset} here has the frames {here}"
            )
        self.view, self.network = view, pretrained.load_network()
        self._tables = embedded(self.network, view, card.making.trial)
        self.metrics, self._options = cache(self._metrics), cache(self._chosen)

    def taught(self, name: str) -> pd.DataFrame:
        """Return the vectors of the training persons."""
        return _training(self._tables[name])

    def learn(self, name: str, taught: pd.DataFrame) -> Any:
        """Learn metrics on vectors, with what was chosen on those of the training persons."""
        with one_thread():
            return fit_metrics(*_samples(taught), self._options(name))

    def _metrics(self, name: str) -> Any:
        """Learn metrics on the training persons."""
        return self.learn(name, self.taught(name))

    def _chosen(self, name: str) -> Any:
        """Choose dimension and shrinkage of every metric on the training persons."""
        asked = self.view.parameters.learn_metric
        kinds = {kind: getattr(asked, kind) for kind in asked.metrics}
        with one_thread():
            return choose(*_samples(self.taught(name)), kinds, asked.dimension)[0]


def _samples(taught: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    vectors = np.stack(taught.vector.to_list()).astype(np.float64)
    return vectors, taught.person.to_numpy(), taught.camera.to_numpy()


def _training(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.role == "train"]


def fitted(source: Finished | Shipped, name: str, here: pd.DataFrame, learned_on: str) -> Any:
    """Return the metrics of the source, or learn them with its parameters."""
    if learned_on == "source":
        return source.metrics(name)
    taught = _training(here)
    if learned_on == "both":
        # cameras and persons of two sets have the same names
        parts = {"source": source.taught(name), "target": taught}
        taught = pd.concat(
            [
                part.assign(person=f"{side} " + part.person, camera=f"{side} " + part.camera)
                for side, part in parts.items()
            ],
            ignore_index=True,
        )
    if learned_on == "both" and isinstance(source, Shipped):
        return source.learn(name, taught)
    return learn(taught, source.view.parameters.learn_metric)[0]


def rows(
    source: Finished | Shipped,
    trial: str,
    tables: Mapping[str, pd.DataFrame],
    learned_on: str,
    protocol: str,
) -> Iterator[dict[str, Any]]:
    """Yield rank-1 and mAP by every metric, and those of fused distances."""
    tasks = {}
    for name in FEATURES:
        metrics = fitted(source, name, tables[name], learned_on)
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
    parser.add_argument(
        "--shipped", action="store_true", help="the network that ships, in all trials of the target"
    )
    parser.add_argument("--learned-on", nargs="+", default=["source"], choices=LEARNED_ON)
    parser.add_argument(
        "--seeds", nargs="+", type=int, help="other rendered people of the target, by their seeds"
    )
    parser.add_argument("--trials", type=int, help="left out: all")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    source = View.of(arguments.source)
    targets = [
        View.of(arguments.target, {} if seed is None else {"synthesise": {"seed": seed}})
        for seed in arguments.seeds or [None]
    ]
    if source.parameters.learn_metric.centre != "none":
        parser.error(
            f"learn_metric.centre of {arguments.source} has to be none: cameras of the target "
            "have no means among the source's"
        )
    there = [(target, trial) for target in targets for trial in target.parameters.split.trial_names]
    if arguments.shipped:
        learned = [Shipped(source)] * len(there)
    else:
        learned = [Finished(source, trial) for trial in source.parameters.split.trial_names]
    trials = arguments.trials or max(len(learned), len(there))
    found: list[dict[str, Any]] = []
    for number in tqdm(range(trials), desc="transfer", unit="trial"):
        origin, (target, trial) = learned[number % len(learned)], there[number % len(there)]
        tables = embedded(origin.network, target, trial)
        for learned_on in arguments.learned_on:
            protocol = target.parameters.evaluate.protocol
            found += rows(origin, f"trial_{number:02}", tables, learned_on, protocol)
    results = pd.DataFrame(found).drop_duplicates()
    record = _record.record(
        "transfer",
        results.to_dict("records"),
        ("torch", "numpy", "scikit-learn"),
        source=source.dataset,
        target=targets[0].dataset,
        seeds=arguments.seeds,
        network="that of the package" if arguments.shipped else "of each trial of the source",
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
