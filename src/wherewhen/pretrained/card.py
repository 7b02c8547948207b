"""The card of a pretrained network: what it learned from, how, what it scored, its limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from wherewhen.features.backbones.parts import FROZEN
from wherewhen.hints import did_you_mean
from wherewhen.tracklets.fingerprint import canonical_json
from wherewhen.tracklets.sizes import Size, as_size, times

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

NETWORK, METRICS, CARD = "network.safetensors", "metrics.safetensors", "card.json"
STATISTICS, BACKBONE = "statistics.safetensors", "backbone.safetensors"
"""Files of the folder; the backbone's only where no installed package carries its weights."""

PAGE = "card.md"
"""The card as text."""

LARGEST = 16 * 2**20
"""Bytes of a card's file."""

PREPARED_BY = ("name", "weights", "preprocessing", "precision", "trained")
"""What the cubes of a network have to have in common with those that it learned from; of the
weights the hash. Devices differ in the last digits alone."""


class PretrainedError(ValueError):
    """The pretrained network is not there, is damaged, or does not fit."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Data(_Part):
    """The people that the network learned from."""

    environment: str | None = None
    """The environment, a folder of ``conf/``; None: not stated."""
    dataset: str
    """The data set's name."""
    fingerprint: str
    """Of all frames, `wherewhen.tracklets.ingest.frames_fingerprint`."""
    persons: int
    """In the data set."""
    training_persons: int
    """Of these the network and the metrics learned, those who validated among them."""
    test_persons: int
    """These were scored."""
    renderer: int | None = None
    """Version of the renderer; None: people were filmed."""
    rendered: dict[str, Any] | None = None
    """Parameters of `synthesise`, from whose seed persons follow; None: people were filmed."""
    started_from: str | None = None
    """sha256 of the network's file that the training started from; None: random weights."""
    met_before: tuple[str, ...] = ()
    """Fingerprints of the frames that networks it started from learned from, where known."""

    @property
    def name(self) -> str:
        """The environment, or the data set where that is not stated."""
        return self.environment or self.dataset


class Artifact(_Part):
    """An artifact that the folder was made of."""

    name: str
    """In the catalog."""
    identity: str
    """Of its making."""
    content: str
    """sha256 of its bytes."""
    commit: str
    """The commit that ran; `+` behind it if the working tree differed from it."""
    finished: str
    """When it was whole, in ISO 8601, UTC."""


class Making(_Part):
    """How the network was made."""

    trial: str
    """The trial whose network it is."""
    command: str
    """The command that makes it again."""
    commit: str
    """The commit that trained, embedded, learned metrics and scored."""
    dirty: bool
    """Whether the working tree differed from the commit."""
    versions: dict[str, str]
    """Of the packages that computed."""
    parameters: dict[str, Any]
    """By stage, those that decide results."""
    artifacts: tuple[Artifact, ...]
    """All that it follows from."""


class Score(_Part):
    """A measure of one kind of features and metric, as a fraction."""

    features: str
    """``network``, or what it is compared with."""
    metric: str
    """The distance."""
    measure: str
    """``rank-1``, ``mAP``."""
    value: float
    """In the trial whose network this is."""
    mean: float
    """Over all trials, each with a network of its own."""
    deviation: float | None
    """Standard deviation over the trials; None of a single one."""
    trials: int
    """How many."""


class Threshold(_Part):
    """The distance below which a pair is taken for one person."""

    false_match_rate: float
    """Share of the pairs of two persons that are accepted."""
    distance: float
    """The threshold."""
    true_match_rate: float
    """Share of the pairs of one person that are accepted."""


class Calibration(_Part):
    """What a distance means, by pairs of test persons across cameras."""

    metric: str
    """The distance: ``cosine``, or one of the card's metrics."""
    genuine: int
    """Pairs of one person."""
    impostor: int
    """Pairs of two persons."""
    slope: float
    """See `wherewhen.retrieval.calibration.fit_probability`."""
    intercept: float
    """Likewise."""
    thresholds: tuple[Threshold, ...]
    """At several false match rates; rates that so few pairs cannot show are left out."""

    def probability(self, distances: ArrayLike) -> np.ndarray:
        """Turn distances into probabilities of one person, both kinds of pairs being as frequent.

        In a large gallery nearly all pairs are of two persons, and most pairs of this probability
        are, too: `threshold` keeps the number of false matches low.
        """
        import numpy as np  # configurations read cards, and should be quick
        from scipy.special import expit

        return expit(-(self.slope * np.asarray(distances, dtype=np.float64) + self.intercept))

    def threshold(self, false_match_rate: float) -> Threshold:
        """Return the threshold at a false match rate.

        Raises
        ------
        PretrainedError
            If there is none, naming those that there are.
        """
        for each in self.thresholds:
            if math.isclose(each.false_match_rate, false_match_rate):
                return each
        known = ", ".join(f"{each.false_match_rate:g}" for each in self.thresholds)
        raise PretrainedError(
            f"no threshold is known at a false match rate of {false_match_rate:g}: expected "
            f"{known or 'none'}; {self.impostor} pairs of two persons show no lower one than "
            f"{1 / self.impostor:.1g}"
        )


class Sample(_Part):
    """A few test persons whose scores are quickly made again with the files of the folder."""

    windows: tuple[dict[str, Any], ...]
    """Rows of the table of windows: tracklet, person, camera, role, start, stop."""
    scores: dict[str, dict[str, float]]
    """By metric and measure."""


class Card(_Part):
    """What is to be known about a pretrained network."""

    layout: Literal[2] = 2
    """Version of this form."""
    data: Data
    """What it learned from."""
    making: Making | None = None
    """How it was made; None: the record of the run that made it says so (``kedro lineage``)."""
    cubes: dict[str, Any]
    """What the cubes depended on: backbone, its weights' hash, preprocessing; and their ``key``."""
    network: dict[str, Any]
    """``config``, ``channels`` and ``grid``."""
    metrics: tuple[str, ...]
    """The metrics that were learned on its embeddings."""
    files: dict[str, str]
    """sha256 by name."""
    protocol: str
    """Of all scores."""
    scores: tuple[Score, ...]
    """On test persons."""
    frames: int | None
    """Of a test tracklet, those that were looked at: a probe's first, a gallery tracklet's last;
    None: all."""
    metric: str
    """The distance that is used unless another is asked for."""
    calibrations: tuple[Calibration, ...]
    """Of each distance."""
    sample: Sample | None = None
    """Part of the scores, for tests; names persons, so that only rendered ones have it."""
    limits: tuple[str, ...]
    """What it is not for."""
    licence: str
    """Of the files, and of the backbone's weights, which are not among them."""

    def calibration(self, metric: str) -> Calibration:
        """Return the calibration of a distance.

        Raises
        ------
        PretrainedError
            If there is none.
        """
        found = {each.metric: each for each in self.calibrations}
        if metric not in found:
            hint = did_you_mean(metric, found, f"expected one of {', '.join(found)}")
            raise PretrainedError(f"the model has no distance {metric!r}; {hint}")
        return found[metric]

    def require_backbone(self, name: str, size: Size | None = None) -> None:
        """Refuse another backbone than the network's, or images of another size.

        Parameters
        ----------
        name : str
            Its name.
        size : (int, int), optional
            Height and width of its images in pixels; None: the backbone's own.

        Raises
        ------
        PretrainedError
            Naming both.
        """
        own = self.cubes["backbone"]["name"]
        if name != own:
            raise PretrainedError(
                f"the pretrained network takes cubes of {own}, and extract.backbone is {name}: set "
                "that and its weights, or train a network for this backbone"
            )
        own = as_size(self.cubes["backbone"]["preprocessing"]["size"])
        if size is not None and size != own:
            raise PretrainedError(
                f"the pretrained network takes cubes of images of {times(own)}, and extract.size "
                f"is {list(size)}: set that to {list(own)}, or train a network for this size"
            )

    def require_preparation(self, backbone: Mapping[str, Any]) -> None:
        """Refuse a backbone that makes other cubes than those that the network learned from.

        Parameters
        ----------
        backbone : mapping
            Its record, `wherewhen.features.backbones.Backbone.record`.

        Raises
        ------
        PretrainedError
            Naming what differs, with both values.
        """
        own, given = (_preparation(each) for each in (self.cubes["backbone"], backbone))
        # as JSON: a card has lists where a record has tuples
        differing = [
            name for name in PREPARED_BY if canonical_json(own[name]) != canonical_json(given[name])
        ]
        if differing:
            said = "; ".join(f"{name} {own[name]}, not {given[name]}" for name in differing)
            raise PretrainedError(f"the pretrained network takes cubes of another kind: {said}")

    def require_cubes(self, identity: Mapping[str, Any]) -> None:
        """Refuse cubes that were prepared otherwise, and those of the people it learned from.

        Parameters
        ----------
        identity : mapping
            What the cubes depend on, `wherewhen.features.extraction.CubeExtraction.identity`.

        Raises
        ------
        PretrainedError
            Naming what differs, with both values; or the data set.
        """
        self.require_preparation(identity["backbone"])
        if identity["dataset"] in (self.data.fingerprint, *self.data.met_before):
            raise self._known_people(f"these frames have the fingerprint {identity['dataset']}")

    def require_other_seed(self, seed: int) -> None:
        """Refuse rendered people of the seed that drew those it learned from.

        Raises
        ------
        PretrainedError
            Naming the seed.
        """
        if self.data.rendered is not None and seed == self.data.rendered["seed"]:
            raise self._known_people(f"synthesise.seed is {seed}, which draws the same people")

    def _known_people(self, why: str) -> PretrainedError:
        return PretrainedError(
            f"the pretrained network learned from the people of {self.data.name}, and "
            f"{why}: scores on them would say nothing about people it has not met. Take other "
            "people, or start from random weights"
        )


def read_card(path: Path) -> Card:
    """Read a card's file.

    Raises
    ------
    PretrainedError
        If it is damaged, or of another version.
    """
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise OSError(f"{size:,} bytes, expected at most {LARGEST:,}")
        return Card.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise PretrainedError(
            f"{path} can't be read as the card of a pretrained network ({error}): install the "
            "package again, or make the folder again with kedro publish"
        ) from error


def page(card: Card) -> str:
    """Write a card as a page for people, in Markdown."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Card) -> Iterator[str]:
    data, making, backbone = card.data, card.making, card.cubes["backbone"]
    weights = backbone["weights"]
    yield f"# Pretrained network of `{data.name}`\n"
    yield _learned_from(data)
    if data.started_from is not None:
        yield f"- Training started from the network with sha256 `{data.started_from}`."
    if making is not None:
        dirty = ", of a working tree that differed from it" if making.dirty else ""
        yield f"- Made by `{making.command}`, {making.trial}, at commit {making.commit}{dirty}."
    grid = times(as_size(backbone["grid"]))
    yield (
        f"- Cubes: `{backbone['name']}`, {backbone['precision']}, {grid} x "
        f"{backbone['channels']}; weights: {weights['source']}, sha256 of "
        f"their values `{weights['sha256']}`; key of the cubes `{card.cubes['key']}`."
    )
    yield f"- Preprocessing: `{canonical_json(backbone['preprocessing'])}`."
    yield f"- Metrics learned on its embeddings, in float32: {', '.join(card.metrics) or 'none'}."
    yield "\n## Scores\n"
    yield (
        f"On {data.test_persons} test persons of the same data set, protocol `{card.protocol}`, in "
        "percent: of this network and, in brackets, mean ± standard deviation over all trials, "
        "each with a network of its own."
    )
    yield ""
    yield from _table(card.scores)
    yield "\n## What a distance means\n"
    yield (
        f"By pairs of the test persons across cameras. `{card.metric}` is used unless another "
        "distance is asked for. A pair is taken for one person if its distance is below the "
        "threshold."
    )
    yield ""
    yield from _thresholds(card.calibrations)
    yield "\n## Limits\n"
    yield from (f"- {limit}" for limit in card.limits)
    yield f"\n## Licence\n\n{card.licence}"
    yield "\n## Files and versions\n"
    yield from (f"- `{name}`: sha256 `{sha256}`" for name, sha256 in sorted(card.files.items()))
    if making is not None:
        versions = sorted(making.versions.items())
        yield f"- {', '.join(f'{name} {number}' for name, number in versions)}"


def _learned_from(data: Data) -> str:
    learned = f"- Learned from {data.training_persons} of {data.persons}"
    if data.rendered is None:
        return (
            f"{learned} filmed persons of the data set `{data.dataset}` (fingerprint of the frames "
            f"`{data.fingerprint}`)."
        )
    kind = "environment" if data.environment else "data set"
    return (
        f"{learned} rendered persons of the {kind} `{data.name}` (seed {data.rendered['seed']}, "
        f"world `{data.rendered['world']}`, fingerprint of the frames `{data.fingerprint}`)."
    )


def _table(scores: Sequence[Score]) -> Iterator[str]:
    """Write scores as a table: a row for features and metric, a column for each measure."""
    measures = list(dict.fromkeys(each.measure for each in scores))
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for each in scores:
        spread = "" if each.deviation is None else f" ± {100 * each.deviation:.1f}"
        rows.setdefault((each.features, each.metric), {})[each.measure] = (
            f"{100 * each.value:.1f} ({100 * each.mean:.1f}{spread}; {each.trials})"
        )
    yield f"| features | metric | {' | '.join(measures)} |"
    yield f"|---|---|{'---|' * len(measures)}"
    for (features, metric), values in rows.items():
        cells = (values.get(measure, "–") for measure in measures)
        yield f"| {features} | {metric} | {' | '.join(cells)} |"


def _thresholds(calibrations: Sequence[Calibration]) -> Iterator[str]:
    """Write thresholds as a table: a row for each distance and false match rate."""
    yield "| distance | false match rate | threshold | true match rate | pairs: one person, two |"
    yield "|---|---|---|---|---|"
    for each in calibrations:
        for at in each.thresholds:
            yield (
                f"| {each.metric} | {100 * at.false_match_rate:g} % | {at.distance:.4g} | "
                f"{100 * at.true_match_rate:.1f} % | {each.genuine}, {each.impostor} |"
            )


def _preparation(backbone: Mapping[str, Any]) -> dict[str, Any]:
    kept = {"trained": FROZEN} | backbone
    return {name: kept[name] for name in PREPARED_BY} | {"weights": kept["weights"]["sha256"]}
