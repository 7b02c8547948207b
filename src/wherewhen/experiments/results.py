"""What is finished of an experiment, for its table, its figures and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd

from wherewhen.experiments.config import Experiment, Row
from wherewhen.experiments.published import curve, figures
from wherewhen.experiments.rows import Request, ResolvedRow, make_missing, resolve
from wherewhen.lineage.ledger import parameter
from wherewhen.project import from_root
from wherewhen.sessions import View
from wherewhen.tracking import Description


@dataclass(frozen=True, eq=False)
class Results:
    """An experiment's rows and their finished trials."""

    experiment: Experiment
    """Of the request's environment."""
    request: Request
    """Options of the command."""
    rows: Mapping[str, ResolvedRow]
    """By the row's name, quoted rows left out."""
    dataset: str
    """The data set tested on."""

    @classmethod
    def of(
        cls, experiment: Experiment, request: Request, contents: dict[Path, str] | None = None
    ) -> Self:
        """Resolve an experiment's rows; see :func:`wherewhen.experiments.rows.resolve`."""
        rows = resolve(experiment, request, contents)
        return cls(experiment, request, rows, View.of(request.env).dataset)

    @cached_property
    def trials(self) -> dict[str, list[str]]:
        """Names of the finished trials of each row that has any."""
        found = {name: row.trials for name, row in self.rows.items()}
        return {name: trials for name, trials in found.items() if trials}

    @property
    def name(self) -> str:
        """Arguments of the commands that show it."""
        source = self.request.trained_on
        return self.experiment.name + (f" --trained-on {source}" if source else "")

    @property
    def folder(self) -> Path:
        """Folder of its figures."""
        return from_root(f"data/08_reporting/{self.dataset}/experiments/{self.experiment.name}")

    def scores(self) -> dict[str, pd.DataFrame]:
        """Return the scores that each row shows."""
        return {name: self.rows[name].shown() for name in self.trials}

    @property
    def trained(self) -> list[str]:
        """Rows for which networks were trained; of rows that share their networks, the first."""
        of_networks: dict[tuple[str, ...], str] = {}
        for name, trials in self.trials.items():
            row = self.rows[name]
            if row.trains:
                of_networks.setdefault(tuple(row.network(trial).content for trial in trials), name)
        return list(of_networks.values())

    def published(self) -> dict[str, dict[int, float]]:
        """Return published CMC curves of quoted rows on this data set, as fractions by rank."""
        curves = {
            row.name: curve(figures(self.experiment.table, row.published, self.dataset))
            for row in self.experiment.rows
            if row.quoted
        }
        return {name: points for name, points in curves.items() if points}

    def by_row(self, need: str) -> Mapping[str, Any]:
        """Return what a figure of the experiment needs, by the rows with finished trials.

        Histories are those of :attr:`trained` alone.

        Parameters
        ----------
        need : str
            See :class:`wherewhen.reporting.figures.record.FigureKind`.
        """
        if need == "scores":
            return self.scores()
        if need == "published":
            return self.published()
        rows = self.trained if need.endswith(".history") else self.trials
        return {name: self._of_row(name, need) for name in rows}

    def of_trial(self, row: str, trial: str, need: str) -> Any:
        """Return an artifact of a trial, made now by ``analyse`` if it is missing, or a parameter.

        Parameters
        ----------
        row, trial : str
            Their names.
        need : str
            As ``length_matrix`` or ``params:analyse.tracklets``.
        """
        if need.startswith("params:"):
            return parameter(self.rows[row].parameters, need)
        view, name = self.rows[row].view, f"{trial}.{need}"
        described = Description(f"{self.experiment.name} · {row} · {trial} · {need}")
        make_missing(view, [name], described, ["analyse"])
        return view.catalog.load(name)

    def _of_row(self, name: str, need: str) -> Any:
        row = self.rows[name]
        if need.startswith("params:"):
            return parameter(row.parameters, need)
        return {trial: row.load(need.format(trials=trial)) for trial in self.trials[name]}


def published_figures(
    experiment: Experiment, row: Row, dataset: str, resolved: ResolvedRow | None
) -> pd.DataFrame:
    """Return the published figures of a row; see :func:`wherewhen.experiments.published.figures`.

    There are none where the published networks were trained on another data set than the row's.
    """
    theirs = figures(experiment.table, row.published, dataset)
    source = resolved.source if resolved else None
    if source and experiment.published_from not in (None, source.dataset):
        return theirs.iloc[:0]
    return theirs
