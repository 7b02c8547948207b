"""Resolved rows: the parameters of each row, and what of it is finished.

A row is a set of overrides of an environment's parameters. Its artifacts have identities
(`wherewhen.lineage`), so that rows of any experiments, and plain runs, share what they have in
common.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.describe import as_params
from wherewhen.experiments.config import Experiment, ExperimentError, Row, nested
from wherewhen.lineage.catalog import file_of
from wherewhen.lineage.records import Record, flat
from wherewhen.metric_learning.fused_names import FUSION
from wherewhen.pipelines.embed.features import of_trained_network, unlearned_metrics
from wherewhen.pipelines.parameters import ParameterError, Parameters
from wherewhen.presets import overlay
from wherewhen.project import to_root
from wherewhen.reporting.checks import SCORE_COLUMNS
from wherewhen.retrieval.re_ranking import SUFFIX
from wherewhen.sessions import Tree, View, environment_parameters, run
from wherewhen.tracking import Description, described
from wherewhen.tracklets.fingerprint import fingerprint

OF_THE_TEST = {"synthesise", "ingest", "split", "evaluate"}
"""Groups of ``--params`` that apply to the tested data set only, with ``--trained-on``."""


@dataclass(frozen=True)
class Request:
    """Options of the commands ``kedro experiment ...``."""

    env: str | None = None
    """The environment, one per data set; None: Kedro's default."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of ``--params``; they win over the rows'."""
    trained_on: str | None = None
    """The environment in which networks are trained; None: the same."""
    rows: tuple[str, ...] = ()
    """Names of rows; empty: all."""
    trials: int | None = None
    """Number of trials, from the first; None: all trials of the environment."""


@dataclass(frozen=True, eq=False)
class ResolvedRow:
    """A row with all its parameters."""

    experiment: str
    """Name of the experiment."""
    row: Row
    """The row in the configuration."""
    request: Request
    """The options that it was resolved with."""
    own: View
    """The artifacts it asks for, with networks trained in the same environment."""
    source: View | None = None
    """Where its networks are trained, if that is another environment (Table VIII)."""
    contents: dict[Path, str] | None = None
    """Content hashes of the paths in parameters, shared by the rows of an experiment."""

    @cached_property
    def view(self) -> View:
        """The artifacts it asks for; networks of another environment are taken as they are now."""
        if self.source is None:
            return self.own
        overrides = overlay(self.own.overrides, self._borrowed())
        return look(self.place, self.request.env, overrides, self.contents)

    @property
    def place(self) -> str:
        """Experiment and row, for messages."""
        return f"experiment {self.experiment}, row {self.row.name}"

    @property
    def parameters(self) -> Parameters:
        """All parameters, typed."""
        return self.view.parameters

    @property
    def trains(self) -> bool:
        """Whether a network is trained for it in its own environment."""
        parameters = self.parameters
        return of_trained_network(parameters.embed.features) and not parameters.train.network_from

    @property
    def wanted(self) -> list[str]:
        """Names of the requested trials."""
        return self.own.parameters.split.trial_names[: self.request.trials]

    @property
    def trials(self) -> list[str]:
        """Names of the finished trials: all their scores are there and up to date."""
        is_there = self.view.ledger.is_there
        names = self.own.parameters.split.trial_names
        return [trial for trial in names if all(map(is_there, self.outputs(trial)))]

    @property
    def is_finished(self) -> bool:
        """Whether all requested trials are finished."""
        return set(self.wanted) <= set(self.trials)

    @property
    def identity(self) -> str:
        """Fingerprint of the scores that it shows, over all finished trials."""
        return fingerprint([self.record(trial).content for trial in self.trials])

    def outputs(self, *trials: str) -> list[str]:
        """Return the catalog names of the scores of trials."""
        scored = self.parameters.scored
        return [f"{trial}.scores_{name}" for trial in trials for name in scored]

    def scores(self) -> pd.DataFrame:
        """Return the scores of all finished trials.

        Returns
        -------
        pandas.DataFrame
            Columns ``dataset, protocol, trial, features, metric, measure, value`` (fractions);
            empty where no trial is finished.
        """
        tables = [self.load(name) for name in self.outputs(*self.trials)]
        columns = list(SCORE_COLUMNS)
        return pd.concat(tables)[columns] if tables else pd.DataFrame(columns=columns)

    def shown(self) -> pd.DataFrame:
        """Return the scores of the features and the metric that the row shows."""
        scores = self.scores()
        own = (scores.features == self.row.features) & (scores.metric == self.row.metric)
        return scores[own]

    def load(self, name: str) -> Any:
        """Load an artifact by its catalog name, such as ``trial_00.rankings_network``."""
        return self.view.catalog.load(name)

    def record(self, trial: str) -> Record:
        """Return the record of the scores that it shows of a finished trial."""
        return self.view.ledger.record(f"{trial}.scores_{self.row.features}")

    def network(self, trial: str) -> Record | None:
        """Return the record of a trial's network; None if it uses none."""
        name, ledger = f"{trial}.network", self.view.ledger
        return ledger.record(name) if ledger.maker(name) and ledger.is_there(name) else None

    def differing_parameters(self) -> dict[str, Any]:
        """Return the parameters that differ from the environment's, by dotted name."""
        environment = flat(environment_parameters(self.request.env))
        overrides = flat(self.view.overrides).items()
        missing = object()
        return {name: value for name, value in overrides if environment.get(name, missing) != value}

    def experiment_command(self, trials: int | None = None) -> str:
        """Return the command that runs the row, in the first trials or in all."""
        request = self.request
        words = ["experiment", "run", self.experiment, "--rows", self.row.name]
        words += ["--env", request.env] if request.env else []
        words += ["--trained-on", request.trained_on] if request.trained_on else []
        words += ["--trials", str(trials)] if trials else []
        return _kedro(words, request.params)

    def plain_command(self, *trials: str) -> str:
        """Return the ``kedro run`` that makes the row's scores in some trials."""
        words = ["run", *(["--env", self.request.env] if self.request.env else [])]
        words += ["--to-outputs", ",".join(self.outputs(*trials))]
        return _kedro(words, self.view.overrides)

    def _borrowed(self) -> Tree:
        """Return the overrides that take networks, and the cubes for them, from the source."""
        ledger, extract = self.source.ledger, self.source.parameters.extract.model_dump(mode="json")
        names = {trial: f"{trial}.network" for trial in self.own.parameters.split.trial_names}
        features = self.own.parameters.embed.features
        return {
            "extract": {
                name: extract[name] for name in ("backbone", "size", "weights", "precision")
            },
            "embed": {"features": [name for name in features if of_trained_network([name])]},
            "evaluate": {"fusion": None},  # its parts may be of the features that are left out
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
    """Resolve the parameters of an experiment's rows.

    Parameters
    ----------
    experiment : Experiment
        Of the request's environment.
    request : Request
        Options of the command.
    contents : dict of Path to str, optional
        Content hashes of the paths in parameters, shared by several experiments.

    Returns
    -------
    dict of str to ResolvedRow
        By the row's name, in the table's order, without quoted rows.

    Raises
    ------
    ExperimentError
        Naming the row with an impossible parameter, or if ``--trained-on`` is missing.
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
    """Return the view of an environment with overrides.

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


def make(
    view: View,
    outputs: Sequence[str],
    description: Description,
    stages: Sequence[str] = ("__default__",),
) -> None:
    """Run a session for artifacts; it makes what is missing of them and of what they follow from.

    Parameters
    ----------
    view : View
        Environment and overrides of the session; it is refreshed afterwards.
    outputs : sequence of str
        Catalog names.
    description : Description
        Name and tags of the MLflow run.
    stages : sequence of str
        Names of pipelines.
    """
    with described(description):
        run(view.env, view.overrides, stages, to_outputs=list(outputs))
    view.ledger.refresh()


def make_missing(view: View, outputs: Sequence[str], *arguments: Any) -> None:
    """Run a session as `make` does, unless all artifacts are there."""
    if not all(map(view.ledger.is_there, outputs)):
        make(view, outputs, *arguments)


def check_metric(place: str, features: str, metric: str, parameters: Parameters) -> None:
    """Refuse a metric by which features are not measured.

    Raises
    ------
    ExperimentError
        Naming the metrics that there are.
    """
    if features == FUSION:
        made = {parameters.evaluate.fusion.name}
    else:
        made = {*parameters.learn_metric.metrics} | unlearned_metrics(features)
        if parameters.evaluate.re_ranking is not None:
            made |= {f"{name}{SUFFIX}" for name in made - {"siamese"}}
    if metric not in made:
        raise ExperimentError(
            f"{place}: metric is {metric}, but {features} are measured by "
            f"{', '.join(sorted(made))} (learn_metric.metrics, evaluate.re_ranking, "
            "evaluate.fusion)"
        )


def _resolve(experiment: str, row: Row, request: Request, contents: dict[Path, str]) -> ResolvedRow:
    place = f"experiment {experiment}, row {row.name}"
    given = nested(request.params)
    source = None
    if request.trained_on is not None:
        common = {name: value for name, value in given.items() if name not in OF_THE_TEST}
        overrides = overlay(row.parameters, common)
        source = look(f"{place}, training", request.trained_on, overrides, contents)
    own = look(place, request.env, overlay(row.parameters, given), contents)
    resolved = ResolvedRow(experiment, row, request, own, source, contents)
    _check_shown(resolved)
    _check_trials(resolved)
    return resolved


def _check_shown(resolved: ResolvedRow) -> None:
    """Refuse a row that shows features or a metric that its parameters do not make."""
    row, parameters, place = resolved.row, resolved.own.parameters, resolved.place
    if row.features not in parameters.scored:
        raise ExperimentError(
            f"{place}: shows the features {row.features}, but embed.features are "
            f"{', '.join(parameters.embed.features)}, and evaluate.fusion is "
            f"{'set' if FUSION in parameters.scored else 'null'}"
        )
    check_metric(place, row.features, row.metric, parameters)
    trained = row.features != FUSION and of_trained_network([row.features])
    if resolved.source is not None and not trained:
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


def _kedro(words: Sequence[str], params: Mapping[str, Any]) -> str:
    given = ["--params", as_params(params)] if params else []
    return shlex.join(["uv", "run", "kedro", *words, *given])
