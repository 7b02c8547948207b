"""The folder of the network that ships with the package, from a finished run (the Kedro side)."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wherewhen import pretrained
from wherewhen.describe import as_params
from wherewhen.hints import did_you_mean
from wherewhen.lineage.content import content_of
from wherewhen.lineage.ledger import NotMade
from wherewhen.pipelines.assemble.nodes import MEASURES
from wherewhen.pretrained.card import (
    BACKBONE,
    CARD,
    METRICS,
    NETWORK,
    PAGE,
    STATISTICS,
    Artifact,
    Card,
    Making,
    Sample,
    Score,
)
from wherewhen.pretrained.writing import write_card
from wherewhen.project import from_root, project_root, to_root
from wherewhen.tracklets.fingerprint import decisive, file_sha256

if TYPE_CHECKING:
    import pandas as pd

    from wherewhen.lineage.records import Record
    from wherewhen.sessions import View

LARGEST = 3_000_000
"""Bytes of the whole folder: everybody who installs the package gets it."""

FEATURES = "network"
"""The features whose metrics are published."""

STAGES = ("synthesise", "ingest", "split", "extract", "train", "embed", "learn_metric", "evaluate")
"""Stages whose parameters are a part of the card."""

OF_ONE_COMMIT = ("train", "embed", "learn_metric", "evaluate", "assemble")
"""Stages that one commit has to have run; frames and cubes take hours and may be older."""

SAMPLE = 10
"""Test persons whose scores a test makes again."""

LICENCE = (
    "The files are under the licence of this project, Apache-2.0. The weights of the backbone "
    "`{backbone}` are not among them: they come from {source}, under a licence of their own "
    "(docs/how-to/own-weights.md says what is known of them)."
)


class PublishError(ValueError):
    """A run whose network can't be published."""


def default_folder() -> Path:
    """Return the folder of the package in the project's sources.

    Raises
    ------
    PublishError
        If the project has no sources.
    """
    sources = project_root() / "src" / "wherewhen" / "pretrained"
    if not sources.is_dir():
        raise PublishError(f"there are no sources at {sources}: name a folder with --to")
    return sources / pretrained.FOLDER.name


def publish(view: View, trial: str, folder: Path) -> Card:
    """Write network, metrics and card of a finished run into a folder, whole or not at all.

    Parameters
    ----------
    view : wherewhen.sessions.View
        The run.
    trial : str
        Whose network it is.
    folder : Path
        Made, or replaced if it is such a folder already.

    Raises
    ------
    PublishError
        If the run is not of the kind that can be published, is out of date or of several commits,
        or the files are too large; the folder then stays as it was.
    """
    _require_kind(view.parameters, trial)
    records = _records(view, trial)
    with _replacing(folder) as partial:
        _write(view, trial, records, partial)
        card = pretrained.check_folder(partial)
        _require_small(partial)
    return card


def sample_scores(
    network: Any, metrics: dict[str, Any], cubes: Any, windows: pd.DataFrame, protocol: str
) -> dict[str, dict[str, float]]:
    """Score the embeddings of some test tracklets.

    Parameters
    ----------
    network, metrics
        As `wherewhen.pretrained.load_network` and `load_metrics` give them.
    cubes : wherewhen.tracklets.cubes.CubeReader
        Has the windows.
    windows : pandas.DataFrame
        As `wherewhen.tracklets.windows.embedding_windows` returns them: probes and gallery.
    protocol : str
        A name of `wherewhen.retrieval.protocols.PROTOCOLS`.

    Returns
    -------
    dict of str to dict of str to float
        By metric and measure, fractions.
    """
    from wherewhen.pipelines.embed.nodes import compare, encode
    from wherewhen.pipelines.evaluate.nodes import score_network
    from wherewhen.pipelines.evaluate.parameters import EvaluateParameters

    embeddings = encode(network, cubes, windows, 16, "off", None)
    parameters = EvaluateParameters(protocol=protocol, resamples=0, ranked=1)
    logits = compare(network, embeddings)
    scores, *_ = score_network(embeddings, metrics, logits, parameters, features=FEATURES)
    shown = scores[scores.measure.isin(MEASURES)]
    return {
        metric: dict(zip(rows.measure, map(float, rows.value), strict=True))
        for metric, rows in shown.groupby("metric")
    }


def _require_kind(parameters: Any, trial: str) -> None:
    """Refuse runs whose network is not for everybody, or does not follow from one data set."""
    from wherewhen.pipelines.train.parameters import RANDOM

    trials = parameters.split.trial_names
    if trial not in trials:
        hint = did_you_mean(trial, trials, f"there are {', '.join(trials)}")
        raise PublishError(f"no trial is called {trial!r}; {hint}")
    wanted = {
        "ingest.root": (parameters.ingest.root, None, "only rendered people may be in the package"),
        "train.network_from": (parameters.train.network_from, None, "it has to be trained"),
        "train.start": (parameters.train.start, RANDOM, "the card knows one data set"),
        "learn_metric.centre": (parameters.learn_metric.centre, "none", "means are not stored"),
        "split.validation": (parameters.split.validation, None, "test persons are to be scored"),
    }
    wrong = [
        f"{name} is {value}, expected {expected}: {why}"
        for name, (value, expected, why) in wanted.items()
        if value != expected
    ]
    if FEATURES not in parameters.embed.features:
        wrong.append(f"embed.features lack {FEATURES}")
    if wrong:
        raise PublishError("this run can't be published: " + "; ".join(wrong))


def _records(view: View, trial: str) -> dict[str, Record]:
    """Return the records of all that the folder is made of, every one up to date."""
    ledger = view.ledger
    nodes = ledger.ancestors([f"{trial}.model", "scores", f"{trial}.windows"])
    names = [name for node in nodes for name in node.outputs if ledger.is_kept(name)]
    try:
        records = {name: ledger.record(name) for name in names}
    except NotMade as error:
        raise PublishError(f"{error}; make it first: {_command(view)}") from error
    late = {node.name for stage in OF_ONE_COMMIT for node in ledger.stages[stage].nodes}
    commits = {record.commit for record in records.values() if record.node in late}
    if len(commits) > 1:
        raise PublishError(
            f"its artifacts are of {len(commits)} commits ({', '.join(sorted(commits))}), but one "
            f"has to make all: {_command(view)} --pipelines {','.join(OF_ONE_COMMIT)} --anew"
        )
    return records


def _write(view: View, trial: str, records: dict[str, Record], folder: Path) -> None:
    """Write the trial's model with all that everybody who installs the package is to know."""
    from wherewhen.metric_learning.files import read_metrics, write_metrics

    model = view.catalog.load(f"{trial}.model")
    card = pretrained.load_card(model)
    for name in set(card.files) - {METRICS}:
        shutil.copyfile(model / name, folder / name)
    write_metrics(pretrained.load_metrics(model), folder / METRICS, precision="float32")
    network, metrics = pretrained.load_network(model), read_metrics(folder / METRICS)
    weights = view.parameters.extract.weights
    changes = {
        "data": card.data.model_copy(update={"environment": view.env or view.dataset}),
        "making": _making(view, trial, records),
        "files": {name: file_sha256(folder / name) for name in sorted(card.files)},
        "scores": tuple(_scores(view.catalog.load("scores"), trial)),
        "sample": _sample(view, trial, network, metrics, card.protocol),
        "licence": LICENCE.format(
            backbone=card.cubes["backbone"]["name"],
            source=f"the Python package `{weights.package}`"
            if weights.source == "package"
            else f"source `{weights.source}`",
        ),
    }
    write_card(card.model_copy(update=changes), folder)


def _making(view: View, trial: str, records: dict[str, Record]) -> Making:
    network = records[f"{trial}.network"]
    groups = view.parameters.groups
    return Making(
        trial=trial,
        command=_command(view),
        commit=network.commit.removesuffix("+"),
        dirty=any(record.commit.endswith("+") for record in records.values()),
        versions=network.versions,
        parameters={
            stage: decisive(groups[stage], lambda path: content_of(from_root(path)))
            for stage in STAGES
        },
        artifacts=tuple(
            Artifact(
                name=name,
                identity=record.identity,
                content=record.content,
                commit=record.commit,
                finished=record.finished,
            )
            for name, record in records.items()
        ),
    )


def _scores(scores: pd.DataFrame, trial: str) -> Iterator[Score]:
    """Yield the measures of the card: of the trial, and over all trials."""
    shown = scores[scores.measure.isin(MEASURES)]
    by_row = shown.groupby(["features", "metric", "measure"], sort=False)
    for (features, metric, measure), rows in by_row:
        deviation = float(rows.value.std())
        yield Score(
            features=features,
            metric=metric,
            measure=measure,
            value=float(rows[rows.trial == trial].value.iloc[0]),
            mean=float(rows.value.mean()),
            deviation=None if np.isnan(deviation) else deviation,
            trials=len(rows),
        )


def _sample(view: View, trial: str, network: Any, metrics: dict[str, Any], protocol: str) -> Sample:
    """Score the first test persons, by name, with the files as they are in the folder."""
    windows = view.catalog.load(f"{trial}.windows")
    tested = windows[windows.role != "train"]
    persons = sorted(tested.person.unique())[:SAMPLE]
    chosen = tested[tested.person.isin(persons)].reset_index(drop=True)
    scores = sample_scores(network, metrics, view.catalog.load("cubes"), chosen, protocol)
    return Sample(windows=tuple(chosen.to_dict("records")), scores=scores)


def _command(view: View) -> str:
    words = ["uv", "run", "kedro", "run", *(["--env", view.env] if view.env else [])]
    return shlex.join(words + (["--params", as_params(view.overrides)] if view.overrides else []))


def _require_small(folder: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    if sum(sizes.values()) <= LARGEST:
        return
    listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    raise PublishError(
        f"the folder would have {sum(sizes.values()):,} bytes, expected at most {LARGEST:,} "
        f"({listed}): make {METRICS} smaller by learn_metric.dimension or fewer "
        f"learn_metric.metrics, {NETWORK} by train.network.channels or train.network.projection"
    )


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Fill a new folder beside another one, and put it in its place when it is complete."""
    if folder.exists() and not _is_ours(folder):
        raise PublishError(
            f"{to_root(folder)} holds other files than a published network: name another folder"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial, aside = (
        folder.with_name(f".{folder.name}.{os.getpid()}.{kind}") for kind in ("new", "old")
    )
    try:
        partial.mkdir()
        yield partial
        if folder.exists():
            folder.rename(aside)
        try:
            partial.rename(folder)
        except OSError:
            if aside.exists():
                aside.rename(folder)
            raise
    finally:
        for each in (partial, aside):
            shutil.rmtree(each, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    known: Iterable[str] = (CARD, NETWORK, METRICS, STATISTICS, BACKBONE, PAGE)
    return folder.is_dir() and all(path.name in known for path in folder.iterdir())
