"""Resolved rows: the parameters that each row ends up with, and what is finished of it.

A row is a set of parameters over an environment's. What these ask for has identities, like anything
else (`wherewhen.lineage`): rows of any experiments, and plain runs, that ask for the same share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.experiments.config import (
    Experiment,
    ExperimentError,
    Row,
    nested,
)
from wherewhen.lineage.catalog import file_of
from wherewhen.lineage.records import Record
from wherewhen.pipelines.features import of_trained_network, unlearned_metrics
from wherewhen.pipelines.parameters import ParameterError, Parameters
from wherewhen.project import to_root
from wherewhen.sessions import Tree, View, merged
from wherewhen.tracklets.fingerprint import fingerprint

COLUMNS = ["dataset", "protocol", "trial", "features", "metric", "measure", "value"]
"""Of a table of scores."""

OF_THE_TEST = {"synthesise", "ingest", "split", "evaluate"}
"""Groups of ``--params`` that are of the data set tested on, where another is trained on."""


@dataclass(frozen=True)
class Request:
    """What a command is asked for."""

    env: str | None = None
    """The environment, a data set's; None: Kedro's default."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """As of ``--params``: over all that the rows say."""
    trained_on: str | None = None
    """The environment that networks are trained in; None: the same."""
    rows: tuple[str, ...] = ()
    """The rows that matter; none: all."""
    trials: int | None = None
    """The first so many trials; None: all that the environment has."""


@dataclass(frozen=True, eq=False)
class ResolvedRow:
    """A row with all its parameters."""

    experiment: str
    """The experiment's name."""
    row: Row
    """What the file says of it."""
    request: Request
    """What it was resolved for."""
    own: View
    """What it asks for, where its networks are trained in the same environment."""
    source: View | None = None
    """Where its networks are trained, if that is another environment (Table VIII)."""
    contents: dict[Path, str] | None = None
    """What was found at the paths that parameters name, for rows to look there once."""

    @cached_property
    def view(self) -> View:
        """What it asks for; networks of another environment count as they are there now."""
        if self.source is None:
            return self.own
        overrides = merged(self.own.overrides, self._borrowed())
        return look(self.place, self.request.env, overrides, self.contents)

    @property
    def place(self) -> str:
        """Name the row in messages."""
        return f"experiment {self.experiment}, row {self.row.name}"

    @property
    def parameters(self) -> Parameters:
        """The whole tree, typed."""
        return self.view.parameters

    @property
    def trains(self) -> bool:
        """Whether a network is trained for it, here."""
        parameters = self.parameters
        return of_trained_network(parameters.embed.features) and not parameters.train.network_from

    @property
    def wanted(self) -> list[str]:
        """The trials that were asked for."""
        return self.own.parameters.split.trial_names[: self.request.trials]

    @property
    def trials(self) -> list[str]:
        """The trials that are finished: whose scores are there, of all features."""
        is_there = self.view.ledger.is_there
        names = self.own.parameters.split.trial_names
        return [trial for trial in names if all(map(is_there, self.outputs(trial)))]

    @property
    def is_finished(self) -> bool:
        """Whether all trials are finished that were asked for."""
        return set(self.wanted) <= set(self.trials)

    @property
    def identity(self) -> str:
        """Name the scores that it shows, of all finished trials."""
        return fingerprint([self.record(trial).content for trial in self.trials])

    def outputs(self, *trials: str) -> list[str]:
        """Name the scores of trials, by their names in the catalog."""
        features = self.parameters.embed.features
        return [f"{trial}.scores_{name}" for trial in trials for name in features]

    def scores(self) -> pd.DataFrame:
        """Return the scores of all finished trials.

        Returns
        -------
        pandas.DataFrame
            Columns ``dataset, protocol, trial, features, metric, measure, value`` (fractions);
            empty where no trial is finished.
        """
        tables = [self.load(name) for name in self.outputs(*self.trials)]
        return pd.concat(tables)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)

    def shown(self) -> pd.DataFrame:
        """Return the scores that the row shows: of its features and its metric alone."""
        scores = self.scores()
        own = (scores.features == self.row.features) & (scores.metric == self.row.metric)
        return scores[own]

    def load(self, name: str) -> Any:
        """Load an artifact by its name in the catalog: ``trial_00.rankings_network``."""
        return self.view.catalog.load(name)

    def record(self, trial: str) -> Record:
        """Return the record of the scores that it shows of a finished trial."""
        return self.view.ledger.record(f"{trial}.scores_{self.row.features}")

    def network(self, trial: str) -> Record | None:
        """Return the record of the network that a trial's numbers come from; None without one."""
        name, ledger = f"{trial}.network", self.view.ledger
        return ledger.record(name) if ledger.maker(name) and ledger.is_there(name) else None

    def _borrowed(self) -> Tree:
        """Say where the networks of another environment lie, and which cubes they read."""
        ledger, extract = self.source.ledger, self.source.parameters.extract.model_dump(mode="json")
        names = {trial: f"{trial}.network" for trial in self.own.parameters.split.trial_names}
        features = self.own.parameters.embed.features
        return {
            "extract": {name: extract[name] for name in ("backbone", "weights", "precision")},
            "embed": {"features": [name for name in features if of_trained_network([name])]},
            "train": {
                "network_from": {
                    trial: to_root(file_of(ledger.dataset(name), ledger.version(name)))
                    for trial, name in names.items()
                }
            },
        }


def resolve(
    experiment: Experiment, request: Request, contents: dict[Path, str] | None = None
) -> dict[str, ResolvedRow]:
    """Put together the parameters of an experiment's rows.

    Parameters
    ----------
    experiment : Experiment
        Of the request's environment.
    request : Request
        What is asked for.
    contents : dict of Path to str, optional
        What was found at the paths that parameters name; shared by the rows in any case.

    Returns
    -------
    dict of str to ResolvedRow
        By the row's name, in the table's order, quoted rows left out.

    Raises
    ------
    ExperimentError
        Naming the row with an impossible parameter, or if it isn't said where to train.
    """
    if experiment.cross_dataset and request.trained_on is None:
        raise ExperimentError(
            f"experiment {experiment.name} is trained on one data set and tested on another: say "
            "where to train, --trained-on ENV"
        )
    rows = [row for row in experiment.only(request.rows).rows if not row.quoted]
    shared = {} if contents is None else contents
    return {row.name: _resolve(experiment.name, row, request, shared) for row in rows}


def look(
    place: str, env: str | None, overrides: Tree, contents: dict[Path, str] | None = None
) -> View:
    """Look at an environment with other parameters.

    Parameters
    ----------
    place : str
        Whose parameters these are, for the message.
    env, overrides, contents
        See `View.of`.

    Raises
    ------
    ExperimentError
        If a parameter is unknown or has an impossible value.
    """
    try:
        return View.of(env, overrides, contents)
    except ParameterError as error:
        raise ExperimentError(f"{place}: {error}") from None


def metrics_of(features: str, parameters: Parameters) -> set[str]:
    """Name the metrics by which features are measured, re-ranked ones apart."""
    return {*parameters.learn_metric.metrics} | unlearned_metrics(features)


def _resolve(experiment: str, row: Row, request: Request, contents: dict[Path, str]) -> ResolvedRow:
    place = f"experiment {experiment}, row {row.name}"
    given = nested(request.params)
    source = None
    if request.trained_on is not None:
        common = {name: value for name, value in given.items() if name not in OF_THE_TEST}
        overrides = merged(row.parameters, common)
        source = look(f"{place}, training", request.trained_on, overrides, contents)
    own = look(place, request.env, merged(row.parameters, given), contents)
    resolved = ResolvedRow(experiment, row, request, own, source, contents)
    _check_shown(resolved)
    _check_trials(resolved)
    return resolved


def _check_shown(resolved: ResolvedRow) -> None:
    """Refuse a row that shows features or a metric that its parameters do not make."""
    row, parameters, place = resolved.row, resolved.own.parameters, resolved.place
    features = parameters.embed.features
    if row.features not in features:
        raise ExperimentError(
            f"{place}: shows the features {row.features}, but embed.features are "
            f"{', '.join(features)}"
        )
    made = metrics_of(row.features, parameters)
    if row.metric.removesuffix("-re-ranked") not in made:
        raise ExperimentError(
            f"{place}: shows the metric {row.metric}, but {row.features} are measured by "
            f"{', '.join(sorted(made))} (learn_metric.metrics)"
        )
    if resolved.source is not None and not of_trained_network([row.features]):
        raise ExperimentError(
            f"{place}: {row.features} train no network, so there is none to take from elsewhere; "
            "leave the row out (--rows), or quote it"
        )


def _check_trials(resolved: ResolvedRow) -> None:
    """Refuse more trials than there are, here or where networks are trained."""
    request, source = resolved.request, resolved.source
    number = resolved.own.parameters.split.trials
    if request.trials is not None and request.trials > number:
        raise ExperimentError(
            f"--trials {request.trials}: there are {number} (split.trials); for more of them give "
            f"--params split.trials={request.trials}, to `show` as well"
        )
    there = number if source is None else source.parameters.split.trials
    if len(resolved.wanted) > there:
        raise ExperimentError(
            f"{resolved.place}: is to be tested in {len(resolved.wanted)} trials, but in "
            f"{request.trained_on} networks are trained in {there}: give --trials {there}"
        )
