"""The data of the page, as records without any layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isnan, nan
from typing import Any


class Status(StrEnum):
    """State of a row of an experiment."""

    FINISHED = "finished"
    PARTLY = "unfinished"
    FAILED = "failed"
    NOT_RUN = "not run"
    QUOTED = "quoted"


@dataclass(frozen=True)
class Number:
    """One measure of one row, over the trials and in the paper, in percent; NaN: no value."""

    mean: float = nan
    deviation: float = nan
    published: float = nan
    difference: float = nan
    """Ours less the published value."""


@dataclass(frozen=True)
class Row:
    """A row of an experiment's table, and the origin of its numbers."""

    name: str
    status: Status
    measures: str = ""
    """Features and metric, for people."""
    trials: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Finished trial to what identifies it: fingerprints, MLflow run, time."""
    numbers: Mapping[str, Number] = field(default_factory=dict)
    """By measure, as ``rank-1``."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Those that differ from the environment's, by dotted name."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What identifies the numbers of all trials: fingerprints, commit, run."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Purpose to the command line that makes the numbers again."""
    notes: Sequence[str] = ()
    """Remarks for the reader, such as what failed."""


@dataclass(frozen=True)
class Plot:
    """An interactive plot."""

    heading: str
    caption: str
    description: str
    """What it shows, for screen readers."""
    drawing: Mapping[str, Any]
    """``data`` and ``layout`` of plotly.js."""


@dataclass(frozen=True)
class Picture:
    """A PNG file within the page."""

    data: bytes
    caption: str
    description: str
    """What it shows, for screen readers."""


@dataclass(frozen=True)
class Experiment:
    """One experiment on one data set."""

    name: str
    """As the commands name it."""
    title: str
    asks: str = ""
    """The question that it answers."""
    rows: Sequence[Row] = ()
    """In the table's order."""
    protocol: str = ""
    plots: Sequence[Plot] = ()
    pictures: Sequence[Picture] = ()
    elsewhere: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Row to published figures on other data sets, by data set; not to be subtracted from ours."""

    @property
    def measures(self) -> list[str]:
        """Measures that any row has, in the order of their first appearance."""
        return list(dict.fromkeys(measure for row in self.rows for measure in row.numbers))

    @property
    def compared(self) -> set[str]:
        """Measures of which any row has a published value."""
        numbers = [item for row in self.rows for item in row.numbers.items()]
        return {measure for measure, number in numbers if not isnan(number.published)}

    def best(self, measure: str) -> set[str]:
        """Name the rows with the greatest mean as printed; none where fewer than two have one."""
        means = {row.name: row.numbers.get(measure, Number()).mean for row in self.rows}
        printed = {name: round(mean, 1) for name, mean in means.items() if not isnan(mean)}
        if len(printed) < 2:
            return set()
        return {name for name, mean in printed.items() if mean == max(printed.values())}

    @property
    def progress(self) -> str:
        """State of its rows: ``"9 of 12 rows finished, 1 failed"``."""
        states = [row.status for row in self.rows if row.status is not Status.QUOTED]
        if not states:
            return "published figures only"
        text = f"{states.count(Status.FINISHED)} of {len(states)} rows finished"
        others = (Status.PARTLY, Status.FAILED, Status.NOT_RUN)
        return ", ".join([text, *(f"{states.count(s)} {s}" for s in others if s in states)])


@dataclass(frozen=True)
class Dataset:
    """The experiments on one data set."""

    name: str
    environment: str
    """Environment of the configuration; ``base`` for none."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Size and fingerprint."""
    experiments: Sequence[Experiment] = ()


@dataclass(frozen=True)
class Page:
    """The whole page."""

    title: str
    written: str
    """Time of writing, for people."""
    made_with: Mapping[str, str] = field(default_factory=dict)
    """Machine and versions that wrote the page."""
    datasets: Sequence[Dataset] = ()
    left_out: Sequence[str] = ()
    """Sentences on what is missing from the page and why."""
