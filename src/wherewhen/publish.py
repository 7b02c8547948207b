"""The folder of the network that ships with the package, from a finished run (the Kedro side)."""

from __future__ import annotations

import json
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
from wherewhen.pretrained.card import (
    CARD,
    METRICS,
    NETWORK,
    STATISTICS,
    Artifact,
    Calibration,
    Card,
    Data,
    Making,
    Sample,
    Score,
    Threshold,
    page,
)
from wherewhen.project import from_root, project_root, to_root
from wherewhen.tracklets.fingerprint import decisive, file_sha256

if TYPE_CHECKING:
    import pandas as pd

    from wherewhen.features.domain import CubeStatistics
    from wherewhen.lineage.records import Record
    from wherewhen.sessions import View

LARGEST = 3_000_000
"""Bytes of the whole folder: everybody who installs the package gets it."""

FEATURES = "network"
"""The features whose metrics are published."""

STAGES = ("synthesise", "ingest", "split", "extract", "train", "embed", "learn_metric", "evaluate")
"""Stages whose parameters are a part of the card."""

OF_ONE_COMMIT = ("train", "embed", "learn_metric", "evaluate")
"""Stages that one commit has to have run; frames and cubes take hours and may be older."""

MEASURES = ("rank-1", "rank-5", "mAP")
"""Those of the card."""

FALSE_MATCH_RATES = (0.1, 0.01, 0.001, 0.0001)
"""Those at which the card has thresholds, as far as the pairs suffice."""

SAMPLE = 10
"""Test persons whose scores a test makes again."""

LIMITS = (
    "It learned from rendered people alone. How it does on real people is not known; scores on "
    "rendered people say nothing about it.",
    "It is a start for training and for studies. It is not for identifying, tracking or watching "
    "anybody, nor for decisions about a person (docs/responsible-use.md).",
    "Rendered bodies, clothes and gaits are a narrow choice: there are no wheelchairs, walking "
    "aids, prams, veils or saris.",
    "Scores are of people in the same rendered world as those it learned from, in a closed set; "
    "expect lower ones elsewhere.",
    "A ranking is never evidence that two videos show the same person.",
)

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


def publish(view: View, trial: str, folder: Path, metric: str = "cosine") -> Card:
    """Write network, metrics and card of a finished run into a folder, whole or not at all.

    Parameters
    ----------
    view : wherewhen.sessions.View
        The run.
    trial : str
        Whose network it is.
    folder : Path
        Made, or replaced if it is such a folder already.
    metric : str
        The distance that is used unless another is asked for: ``cosine``, or one of
        `learn_metric.metrics`.

    Raises
    ------
    PublishError
        If the run is not of the kind that can be published, is out of date or of several commits,
        or the files are too large; the folder then stays as it was.
    """
    _require_kind(view.parameters, trial)
    _require_metric(view.parameters, metric)
    records = _records(view, trial)
    with _replacing(folder) as partial:
        _write(view, trial, metric, records, partial)
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


def _require_metric(parameters: Any, metric: str) -> None:
    """Refuse a distance that the folder will not have."""
    known = ("cosine", *parameters.learn_metric.metrics)
    if metric not in known:
        hint = did_you_mean(metric, known, f"expected one of {', '.join(known)}")
        raise PublishError(f"no distance is called {metric!r}; {hint}")


def _records(view: View, trial: str) -> dict[str, Record]:
    """Return the records of all that the folder is made of, every one up to date."""
    ledger = view.ledger
    wanted = [f"{trial}.network", f"{trial}.metrics_{FEATURES}", "scores"]
    nodes = ledger.ancestors([*wanted, "cubes_identity", f"{trial}.windows"])
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


def _write(view: View, trial: str, metric: str, records: dict[str, Record], folder: Path) -> None:
    """Write all files of the folder."""
    from wherewhen.features.domain import write_statistics
    from wherewhen.metric_learning.files import read_metrics, write_metrics
    from wherewhen.model.files import read_network, read_network_header

    shutil.copyfile(view.ledger.file(f"{trial}.network"), folder / NETWORK)
    write_metrics(
        view.catalog.load(f"{trial}.metrics_{FEATURES}"), folder / METRICS, precision="float32"
    )
    write_statistics(_statistics(view, trial), folder / STATISTICS)
    network, metrics = read_network(folder / NETWORK).eval(), read_metrics(folder / METRICS)
    cubes, protocol = view.catalog.load("cubes_identity"), view.parameters.evaluate.protocol
    backbone, weights = cubes["backbone"]["name"], view.parameters.extract.weights
    card = Card(
        data=_data(view, trial),
        making=_making(view, trial, records),
        cubes=cubes,
        network=read_network_header(folder / NETWORK),
        metrics=tuple(metrics),
        files={name: file_sha256(folder / name) for name in (METRICS, NETWORK, STATISTICS)},
        protocol=protocol,
        frames=view.parameters.embed.frames,
        metric=metric,
        calibrations=tuple(_calibrations(view, trial, metrics, protocol)),
        scores=tuple(_scores(view.catalog.load("scores"), trial)),
        sample=_sample(view, trial, network, metrics, protocol),
        limits=LIMITS,
        licence=LICENCE.format(
            backbone=backbone,
            source=f"the Python package `{weights.package}`"
            if weights.source == "package"
            else f"source `{weights.source}`",
        ),
    )
    text = json.dumps(card.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")
    (folder / pretrained.PAGE).write_text(page(card), encoding="utf-8")


def _data(view: View, trial: str) -> Data:
    from wherewhen.synthetic.config import RENDERER

    split, tracklets = view.catalog.load(f"{trial}.split"), view.catalog.load("tracklets")
    training = split.role == "train"
    return Data(
        environment=view.env or view.dataset,
        dataset=view.dataset,
        fingerprint=view.catalog.load("ingest_report")["fingerprint"],
        persons=tracklets.person.nunique(),
        training_persons=split[training].person.nunique(),
        test_persons=split[~training].person.nunique(),
        renderer=RENDERER,
        rendered=view.parameters.synthesise.model_dump(mode="json", exclude={"workers"}),
    )


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


def _statistics(view: View, trial: str) -> CubeStatistics:
    """Compute the statistics of the cubes of training tracklets."""
    from wherewhen.features.domain import CubeStatistics, mean_activations

    split = view.catalog.load(f"{trial}.split")
    training = split[split.role == "train"].tracklet.to_list()
    return CubeStatistics.of(mean_activations(view.catalog.load("cubes"), training))


def _calibrations(
    view: View, trial: str, metrics: dict[str, Any], protocol: str
) -> Iterator[Calibration]:
    """Yield what each distance means, by the test persons' pairs of probe and gallery."""
    from wherewhen.pipelines.evaluate.nodes import sides, spaces
    from wherewhen.retrieval.calibration import fit_probability
    from wherewhen.retrieval.open_set import thresholds_at, true_positive_rates
    from wherewhen.retrieval.task import Task

    embeddings = view.catalog.load(f"{trial}.embeddings_{FEATURES}")
    for metric, *vectors, distance in spaces(embeddings, metrics, by_euclidean=False):
        task = Task.of_tables(distance(*vectors), *sides(embeddings), protocol)
        genuine, impostor = task.pairs()
        slope, intercept = fit_probability(genuine, impostor)
        accepted = true_positive_rates(genuine, impostor, FALSE_MATCH_RATES)
        yield Calibration(
            metric=metric,
            genuine=len(genuine),
            impostor=len(impostor),
            slope=slope,
            intercept=intercept,
            thresholds=tuple(
                Threshold(false_match_rate=rate, distance=threshold, true_match_rate=accepted[rate])
                for rate, threshold in thresholds_at(impostor, FALSE_MATCH_RATES).items()
            ),
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
    known: Iterable[str] = (CARD, NETWORK, METRICS, STATISTICS, pretrained.PAGE)
    return folder.is_dir() and all(path.name in known for path in folder.iterdir())
