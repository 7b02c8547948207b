"""Rows at work: the parameters of each, and what is finished of it.

A row is a set of parameters over an environment's. What it asks for has identities, like anything
else (`wherewhen.lineage`): rows of any experiments, and plain runs, that ask for the same share it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.baselines import BASELINES
from wherewhen.experiments.config import (
    Experiment,
    ExperimentError,
    Row,
    for_both_presets,
    nested,
)
from wherewhen.lineage.ledger import NotMade
from wherewhen.lineage.records import Record
from wherewhen.pipelines.features import of_trained_network, unlearned_metrics
from wherewhen.pipelines.parameters import ParameterError, Parameters
from wherewhen.sessions import Tree, View, merged
from wherewhen.tracklets.fingerprint import fingerprint

COLUMNS = ["dataset", "protocol", "trial", "features", "metric", "measure", "value"]
"""Of a table of scores."""

OF_THE_TEST = {"synthesise", "ingest", "split", "evaluate"}
"""Groups of ``--params`` that are of the data set tested on, where another is trained on."""


@dataclass(frozen=True)
class RowAtWork:
    """A row in an environment."""

    experiment: str
    """The experiment's name."""
    row: Row
    """What the file says of it."""
    env: str | None
    """The environment that it is tested in; None: Kedro's default."""
    overrides: Tree
    """What differs from the environment's parameters, nested."""
    source: View | None = None
    """Where its networks are trained, if that is another environment (Table VIII)."""

    @cached_property
    def view(self) -> View:
        """What it asks for.

        Raises
        ------
        NotMade
            If its networks are trained in another environment, and are not there.
        ExperimentError
            Naming a parameter that is unknown or has an impossible value.
        """
        overrides = merged(self.overrides, self._borrowed())
        return look(f"experiment {self.experiment}, row {self.row.name}", self.env, overrides)

    @property
    def parameters(self) -> Parameters:
        """The whole tree, typed."""
        return self.view.parameters

    @property
    def trains(self) -> bool:
        """Whether a network is trained for it, here."""
        features = self.parameters.embed.features
        return of_trained_network(features) and self.parameters.train.network_from is None

    @property
    def stages(self) -> list[str]:
        """The stages that make its scores."""
        cubes = not set(self.parameters.embed.features) <= set(BASELINES)
        rendered = self.parameters.ingest.synthetic
        return [
            *(["synthesise"] if rendered else []),
            "ingest",
            "split",
            *(["extract"] if cubes else []),
            *("train", "embed", "learn_metric", "evaluate"),
        ]

    @property
    def identity(self) -> str:
        """Name all that its scores follow from, in all trials that are finished."""
        return fingerprint([self.record(trial).content for trial in self.trials])

    @property
    def trials(self) -> list[str]:
        """The trials that are finished: whose scores are there, of all features."""
        try:
            names = self.parameters.split.trial_names
        except NotMade:
            return []
        return [trial for trial in names if all(map(self.view.ledger.is_there, self._of(trial)))]

    @property
    def is_finished(self) -> bool:
        """Whether all trials are."""
        trials = self.trials
        return bool(trials) and trials == self.parameters.split.trial_names

    def scores(self) -> pd.DataFrame:
        """Return the scores of all finished trials.

        Returns
        -------
        pandas.DataFrame
            Columns ``dataset, protocol, trial, features, metric, measure, value`` (fractions);
            empty where no trial is finished.
        """
        tables = [self.load(name) for trial in self.trials for name in self._of(trial)]
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
        """Return the record of a finished trial's scores."""
        return self.view.ledger.record(f"{trial}.scores_{self.row.features}")

    def network(self, trial: str) -> Record | None:
        """Return the record of the network that a trial's numbers come from; None without one."""
        name = f"{trial}.network"
        ledger = self.view.ledger
        return ledger.record(name) if ledger.maker(name) and ledger.is_there(name) else None

    def _of(self, trial: str) -> Iterator[str]:
        return (f"{trial}.scores_{name}" for name in self.parameters.embed.features)

    def _borrowed(self) -> Tree:
        """Say where the networks are that were trained elsewhere, and the cubes that they read."""
        if self.source is None:
            return {}
        extract = self.source.parameters.extract.model_dump(mode="json")
        ledger = self.source.ledger
        networks: dict[str, str] = {}
        for trial in self.source.parameters.split.trial_names:
            ledger.record(f"{trial}.network")
            networks[trial] = Path(ledger.file(f"{trial}.network")).as_posix()
        features = [name for name in self.source.parameters.embed.features
                    if of_trained_network([name])]  # fmt: skip
        return {
            "extract": {name: extract[name] for name in ("backbone", "weights", "precision")},
            "embed": {"features": features},
            "train": {"network_from": networks},
        }


def rows_of(
    experiment: Experiment,
    env: str | None = None,
    params: Mapping[str, Any] | None = None,
    trained_on: str | None = None,
    rows: Collection[str] = (),
    trials: int | None = None,
) -> dict[str, RowAtWork]:
    """Work out what the rows of an experiment ask for.

    Parameters
    ----------
    experiment : Experiment
        Of that environment.
    env : str, optional
        Where it is run; None: Kedro's default.
    params : mapping, optional
        As of ``--params``: over all that the rows say.
    trained_on : str, optional
        The environment that networks are trained in; None: the same.
    rows : collection of str
        The rows that matter; none: all.
    trials : int, optional
        How many; None: as many as the environment says.

    Returns
    -------
    dict of str to RowAtWork
        By the row's name, in the table's order, quoted rows left out.

    Raises
    ------
    ExperimentError
        Naming the row with an impossible parameter, or if it isn't said where to train.
    """
    if experiment.cross_dataset and trained_on is None:
        raise ExperimentError(
            f"experiment {experiment.name} is trained on one data set and tested on another: say "
            "where to train, --trained-on ENV"
        )
    given = for_both_presets(nested(params or {}))
    number = {"split": {"trials": trials}} if trials else {}
    found: dict[str, RowAtWork] = {}
    for row in experiment.only(tuple(rows)).rows:
        if row.quoted:
            continue
        where = f"experiment {experiment.name}, row {row.name}"
        source = None
        if trained_on is not None:
            common = {name: value for name, value in given.items() if name not in OF_THE_TEST}
            parameters = merged(row.parameters, common, number)
            source = look(f"{where}, training", trained_on, parameters)
            _check_trains(where, source)
        overrides = merged(row.parameters, given, number)
        found[row.name] = RowAtWork(experiment.name, row, env, overrides, source)
        _check_shown(where, row, look(where, env, overrides).parameters)
    return found


def look(where: str, env: str | None, overrides: Tree) -> View:
    """Look at an environment with other parameters.

    Parameters
    ----------
    where : str
        Whose parameters these are, for the message.
    env, overrides
        See `View.of`.

    Raises
    ------
    ExperimentError
        If a parameter is unknown or has an impossible value.
    """
    try:
        return View.of(env, overrides)
    except ParameterError as error:
        raise ExperimentError(f"{where}: {error}") from None


def metrics_of(features: str, parameters: Parameters) -> set[str]:
    """Name the metrics by which features are measured, re-ranked ones apart."""
    return {*parameters.learn_metric.metrics} | unlearned_metrics(features)


def _check_trains(where: str, source: View) -> None:
    if not of_trained_network(source.parameters.embed.features):
        raise ExperimentError(
            f"{where}: {', '.join(source.parameters.embed.features)} train no network, so there is "
            "none to take from elsewhere; leave the row out (--rows), or quote it"
        )


def _check_shown(where: str, row: Row, parameters: Parameters) -> None:
    """Refuse a row that shows features or a metric that its parameters do not make."""
    features = parameters.embed.features
    if row.features not in features:
        raise ExperimentError(
            f"{where}: shows the features {row.features}, but embed.features are "
            f"{', '.join(features)}"
        )
    made = metrics_of(row.features, parameters)
    if row.metric.removesuffix("-re-ranked") not in made:
        raise ExperimentError(
            f"{where}: shows the metric {row.metric}, but {row.features} are measured by "
            f"{', '.join(sorted(made))} (learn_metric.metrics)"
        )
