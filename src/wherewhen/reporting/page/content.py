"""The one page: what it shows, as plain records that say nothing of how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How far a row of an experiment is."""

    FINISHED = "finished"
    PARTLY = "unfinished"
    FAILED = "failed"
    NOT_RUN = "not run"
    QUOTED = "quoted"


@dataclass(frozen=True)
class Number:
    """One measure of one row, in percent; None where there is nothing to show.

    Parameters
    ----------
    mean : float, optional
        Ours, over the trials.
    deviation : float, optional
        Standard deviation over the trials; None for a single one.
    published : float, optional
        What the paper's table says.
    difference : float, optional
        Ours less the published.
    """

    mean: float | None = None
    deviation: float | None = None
    published: float | None = None
    difference: float | None = None


@dataclass(frozen=True)
class Command:
    """A line for the shell.

    Parameters
    ----------
    purpose : str
        What it does, a few words.
    line : str
        The command itself.
    """

    purpose: str
    line: str


@dataclass(frozen=True)
class Trial:
    """A finished trial, and what identifies it.

    Parameters
    ----------
    name : str
        As ``trial_00``.
    facts : mapping of str to str
        Fingerprints, MLflow run, how long it took.
    """

    name: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A row of an experiment's table, and where its numbers come from.

    Parameters
    ----------
    name : str
        As the table calls it.
    status : Status
        How far it is.
    measures : str
        Which features and metric it is read with, for people.
    trials : sequence of Trial
        Those that are finished.
    numbers : mapping of str to Number
        By measure, as ``rank-1``.
    parameters : mapping of str to object
        Those that differ from the environment's, by dotted name.
    facts : mapping of str to str
        What identifies the numbers of all trials: fingerprints, commit, run.
    commands : sequence of Command
        How to come to the same numbers.
    notes : sequence of str
        What a reader must know of it, for example what failed.
    """

    name: str
    status: Status
    measures: str = ""
    trials: Sequence[Trial] = ()
    numbers: Mapping[str, Number] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[Command] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Curve:
    """A cumulative match characteristic, in percent.

    Parameters
    ----------
    name : str
        The row's.
    ranks : sequence of int
        From 1, rising.
    mean : sequence of float
        At each rank, over the trials.
    deviation : sequence of float
        At each rank; empty for a single trial.
    published : mapping of int to float
        Rank to what the paper says.
    """

    name: str
    ranks: Sequence[int] = ()
    mean: Sequence[float] = ()
    deviation: Sequence[float] = ()
    published: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """The course of a row's training, averaged over its trials.

    Parameters
    ----------
    name : str
        The row's.
    epochs : sequence of int
        Where `loss` was taken.
    loss : sequence of float
        Of training.
    validation_epochs : sequence of int
        Where `validation` was taken.
    validation : sequence of float
        Loss on validation persons; empty where none were held out.
    """

    name: str
    epochs: Sequence[int]
    loss: Sequence[float]
    validation_epochs: Sequence[int] = ()
    validation: Sequence[float] = ()


@dataclass(frozen=True)
class LengthMatrix:
    """How a number depends on how long the two videos are.

    Parameters
    ----------
    name : str
        The row's.
    probe_lengths, gallery_lengths : sequence of int
        In frames.
    percent : sequence of sequence of float
        [probe length, gallery length].
    """

    name: str
    probe_lengths: Sequence[int]
    gallery_lengths: Sequence[int]
    percent: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Picture:
    """A picture file within the page.

    Parameters
    ----------
    data : bytes
        The file.
    media_type : str
        As ``image/png``.
    caption : str
        What stands under it.
    description : str
        What it shows, for those who can't see it.
    """

    data: bytes
    media_type: str
    caption: str
    description: str


@dataclass(frozen=True)
class Experiment:
    """One experiment on one data set.

    Parameters
    ----------
    name : str
        In ``experiments.yml``.
    title : str
        For people.
    asks : str
        The question that it answers, a sentence or two.
    rows : sequence of Row
        In the table's order.
    protocol : str
        Of every number in it.
    curves : sequence of Curve
        CMC, a curve a row.
    histories : sequence of History
        Convergence, a course a row.
    matrices : sequence of LengthMatrix
        Rank-1 over lengths.
    pictures : sequence of Picture
        Figures.
    elsewhere : mapping of str to mapping of str to str
        Row to published figures of other data sets, in percent, by data set: to be looked at, not
        to be subtracted.
    """

    name: str
    title: str
    asks: str = ""
    rows: Sequence[Row] = ()
    protocol: str = ""
    curves: Sequence[Curve] = ()
    histories: Sequence[History] = ()
    matrices: Sequence[LengthMatrix] = ()
    pictures: Sequence[Picture] = ()
    elsewhere: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def measures(self) -> list[str]:
        """Measures that any row has, in the order of their first appearance."""
        return list(dict.fromkeys(measure for row in self.rows for measure in row.numbers))

    @property
    def compared(self) -> list[str]:
        """Measures with a published figure in any row."""
        return [
            measure
            for measure in self.measures
            if any(row.numbers.get(measure, Number()).published is not None for row in self.rows)
        ]


@dataclass(frozen=True)
class Dataset:
    """What was found on one data set.

    Parameters
    ----------
    name : str
        The data set's.
    environment : str
        The environment of the configuration; ``base`` for none.
    facts : mapping of str to str
        What identifies the data: persons, tracklets, fingerprints.
    experiments : sequence of Experiment
        On it.
    """

    name: str
    environment: str
    facts: Mapping[str, str] = field(default_factory=dict)
    experiments: Sequence[Experiment] = ()


@dataclass(frozen=True)
class Page:
    """All of it.

    Parameters
    ----------
    title : str
        Of the page.
    written : str
        When, for people.
    made_with : mapping of str to str
        Machine and versions that wrote the page.
    datasets : sequence of Dataset
        What it reports.
    left_out : sequence of str
        Sentences on what is missing from the page and why.
    """

    title: str
    written: str
    made_with: Mapping[str, str] = field(default_factory=dict)
    datasets: Sequence[Dataset] = ()
    left_out: Sequence[str] = ()
