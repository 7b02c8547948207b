"""The data of the page, as records without any layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import pandas as pd


class Status(StrEnum):
    """State of a row of an experiment."""

    FINISHED = "finished"
    PARTLY = "unfinished"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Row:
    """The origin of a row's numbers."""

    name: str
    status: Status
    remark: str = ""
    """What keeps it from being finished."""
    measures: str = ""
    """Features and metric, for people."""
    trials: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Finished trial to what identifies it: fingerprints, MLflow run, time."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Those that differ from the environment's, by dotted name."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What identifies the numbers of all trials: fingerprints, commit, run."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Purpose to the command line that makes the numbers again."""

    @property
    def state(self) -> str:
        """Trials and state: ``"3 trials"``, ``"1 trial, unfinished"``, ``"failed"``."""
        trials = "1 trial" if len(self.trials) == 1 else f"{len(self.trials)} trials"
        if self.status is Status.FINISHED:
            return trials
        return f"{trials}, {self.status}" if self.trials else self.status


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
    asks: str
    """The question that it answers; may be empty."""
    numbers: pd.DataFrame
    """Columns ``row, measure, mean, deviation, published, difference``; percent, NaN: no value."""
    notes: Sequence[str] = ()
    """Sentences under the numbers: protocol, sources, misprints."""
    rows: Sequence[Row] = ()
    """In the table's order; rows of `numbers` that are not here are quoted."""
    pictures: Sequence[Picture] = ()
    elsewhere: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Row to published figures on other data sets, by data set; not to be subtracted from ours."""

    @property
    def progress(self) -> str:
        """State of its rows: ``"9 of 12 rows finished, 1 failed"``."""
        states = [row.status for row in self.rows]
        text = f"{states.count(Status.FINISHED)} of {len(states)} rows finished"
        others = (Status.PARTLY, Status.FAILED, Status.NOT_RUN)
        return ", ".join([text, *(f"{states.count(s)} {s}" for s in others if s in states)])


@dataclass(frozen=True)
class Dataset:
    """The experiments on one data set."""

    name: str
    environment: str
    """Environment of the configuration; ``base`` for none."""
    facts: Mapping[str, str]
    """Size and fingerprint."""
    experiments: Sequence[Experiment]


@dataclass(frozen=True)
class Page:
    """The whole page."""

    written: str
    """Time of writing, for people."""
    made_with: Mapping[str, str]
    """Machine and versions that wrote the page."""
    datasets: Sequence[Dataset]
    left_out: Sequence[str] = ()
    """Sentences on what is missing from the page and why."""
