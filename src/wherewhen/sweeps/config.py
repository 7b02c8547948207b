"""The schema of ``conf/*/sweeps.yml``: which parameters are searched, and by which score."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from wherewhen.experiments.config import (
    ConfigModel,
    ExperimentError,
    Parametrised,
    named,
    nested,
    read_config,
)
from wherewhen.experiments.rows import check_metric, look
from wherewhen.pipelines.parameters import check_name
from wherewhen.presets import overlay
from wherewhen.sessions import Tree, View

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

NOT_SEARCHED = {
    "synthesise": "it decides which people there are",
    "ingest": "it decides which people there are",
    "split": "it decides who is a test person",
    "analyse": "it changes no ranking",
    "report": "it changes no ranking",
    "embed.features": "a sweep judges one kind of features: its `features`",
    "evaluate.fusion": "a sweep judges one kind of features: its `features`",
    "evaluate.dataset": "it is a name",
    "evaluate.protocol": "values under two protocols can't be compared",
    "evaluate.average_precision": "it changes no ranking",
    "evaluate.max_rank": "it changes no ranking",
}
"""Parameters that can't be searched, and why."""


class Range(ConfigModel):
    """An interval of numbers."""

    low: int | float
    """Lower bound, included."""

    high: int | float
    """Upper bound, included. Integers are drawn where both bounds are integers."""

    log: bool = False
    """Sample uniformly on a logarithmic scale."""

    step: int | float | None = None
    """Sample low, low + step, low + 2 step, ... only."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low} and high {self.high}: expected low below high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log: expected low above 0, and no step")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"step is {self.step}: expected more than 0")
        return self

    @property
    def limits(self) -> tuple[Any, ...]:
        """Values that are checked before the sweep starts."""
        return self.low, self.high

    def distribution(self) -> BaseDistribution:
        """Return the Optuna distribution."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if all(isinstance(number, int) for number in (self.low, self.high, self.step or 1)):
            return IntDistribution(self.low, self.high, log=self.log, step=self.step or 1)
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def value(self, drawn: Any) -> Any:
        """Return the parameter's value for a value drawn by Optuna."""
        return drawn


class Choices(ConfigModel):
    """A finite set of values."""

    choices: Annotated[tuple[Any, ...], Field(min_length=2)]
    """Values of any type: numbers, strings, lists, mappings, null."""

    @property
    def limits(self) -> tuple[Any, ...]:
        """Values that are checked before the sweep starts."""
        return self.choices

    def distribution(self) -> BaseDistribution:
        """Return the Optuna distribution; lists and mappings are stored as JSON."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self._stored())

    def value(self, drawn: Any) -> Any:
        """Return the parameter's value for a value drawn by Optuna."""
        return self.choices[self._stored().index(drawn)]

    def _stored(self) -> list[Any]:
        plain = bool | int | float | str | None
        return [each if isinstance(each, plain) else json.dumps(each) for each in self.choices]


def _kind(said: Any) -> str:
    return "choices" if isinstance(said, Choices | Mapping) and "choices" in dict(said) else "range"


SearchSpace = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_kind)
]


class Sampler(ConfigModel):
    """Optuna sampler settings."""

    name: Literal["tpe", "random"] = "tpe"
    """``tpe``: tree-structured Parzen estimator (Bergstra et al., NIPS 2011)."""

    seed: int = Field(0, ge=0)
    """Seed of the proposals, also of an interrupted sweep."""

    startup: int = Field(10, ge=1)
    """Random evaluations before TPE is used."""


class Pruner(ConfigModel):
    """Optuna median pruner settings."""

    startup: int = Field(5, ge=1)
    """Evaluations before any is pruned."""


class Sweep(Parametrised):
    """A hyperparameter search, judged on validation persons."""

    name: str
    """Name on the command line."""

    title: str = ""
    """One line for people."""

    search: Annotated[dict[str, SearchSpace], Field(min_length=1)]
    """Search space by the parameter's path (``train.training.learning_rate``)."""

    features: str = "network"
    """Features whose scores are judged."""

    metric: str = "cosine"
    """Metric whose scores are judged."""

    measure: str = "mAP"
    """Objective: ``rank-1``, ``mAP``, ``eer``, ..."""

    direction: Literal["maximize", "minimize"] = "maximize"
    """Optuna study direction."""

    trials: int = Field(1, ge=1)
    """Splits over which the objective is averaged."""

    validation: float = Field(0.25, gt=0, lt=1)
    """Fraction of a split's training persons that are held out as validation persons."""

    evaluations: int = Field(20, ge=1)
    """Evaluations in total."""

    sampler: Sampler = Sampler()
    """Optuna sampler."""

    pruner: Pruner | None = None
    """Optuna pruner; null: evaluations always use all splits."""

    @model_validator(mode="after")
    def _check_paths(self) -> Self:
        for path in self.search:
            check_name(path)
            for refused, reason in NOT_SEARCHED.items():
                if path == refused or path.startswith(f"{refused}."):
                    raise ValueError(f"{path} can't be searched: {reason}")
        nested(dict.fromkeys(self.search))  # refuses a group beside one of its own parameters
        return self

    @property
    def definition(self) -> dict[str, Any]:
        """The settings that identify a study, as plain values."""
        return self.model_dump(mode="json", exclude={"title", "evaluations", "pruner"})

    def values(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters' values by path for the values drawn by Optuna."""
        return {path: space.value(drawn[path]) for path, space in self.search.items()}


def load_sweeps(env: str | None = None) -> dict[str, Sweep]:
    """Read the sweeps of an environment.

    Parameters
    ----------
    env : str, optional
        The environment; None: Kedro's default.

    Raises
    ------
    ExperimentError
        Naming the sweep and the entry that can't be used, with the nearest known parameter.
    """
    tree = read_config(env, "sweeps")
    return {name: read_sweep(name, said) for name, said in tree.items() if said is not None}


def read_sweep(name: str, said: Any) -> Sweep:
    """Validate one sweep; raises as `load_sweeps`."""
    if not isinstance(said, Mapping):
        raise ExperimentError(f"sweep {name}: expected a mapping with `search`, got {said!r}")
    with named(f"sweep {name}"):
        return Sweep.model_validate({**said, "name": name})


def evaluation_view(sweep: Sweep, env: str | None, values: Mapping[str, Any], given: Tree) -> View:
    """Resolve and check the parameters of one evaluation.

    Parameters
    ----------
    sweep : Sweep
        Only its features are computed, and only its validation persons are tested. Bootstrap
        intervals are switched off.
    env : str, optional
        The environment.
    values : mapping
        Values of the searched parameters, by path.
    given : dict
        Parameters of ``--params``, nested.

    Raises
    ------
    ExperimentError
        Naming the parameter with an impossible value.
    """
    own = {
        "embed": {"features": [sweep.features]},
        "evaluate": {"resamples": 0, "fusion": None},
        "split": {"trials": sweep.trials, "validation": sweep.validation},
    }
    overrides = overlay(sweep.parameters, given, nested(values), own)
    return look(f"sweep {sweep.name}", env, overrides)


def check_search(sweep: Sweep, env: str | None, given: Tree) -> View:
    """Check every bound and every choice against the parameters, before anything runs.

    Returns
    -------
    View
        What all evaluations have in common: the sweep's parameters without the searched ones.

    Raises
    ------
    ExperimentError
        Naming the parameter, the value and what was expected; or the features or the metric that
        are not computed.
    """
    for path, space in sweep.search.items():
        for value in space.limits:
            evaluation_view(sweep, env, {path: value}, given)
    common = evaluation_view(sweep, env, {}, given)
    check_metric(f"sweep {sweep.name}", sweep.features, sweep.metric, common.parameters)
    return common
