"""What ``conf/*/sweeps.yml`` may say: which parameters are searched, and who judges them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from wherewhen.experiments.config import (
    ExperimentError,
    named,
    nested,
    read_config,
)
from wherewhen.experiments.rows import look, metrics_of
from wherewhen.pipelines.parameters import check_name
from wherewhen.sessions import Tree, View, merged

NOT_SEARCHED = {
    "synthesise": "it decides which people there are",
    "ingest": "it decides which people there are",
    "split": "it decides who is a test person",
    "analyse": "it changes no ranking",
    "report": "it changes no ranking",
    "embed.features": "a sweep judges one kind of features: its `features`",
    "evaluate.dataset": "it is a name",
    "evaluate.protocol": "values under two protocols can't be compared",
    "evaluate.average_precision": "it changes no ranking",
    "evaluate.max_rank": "it changes no ranking",
}
"""Parameters over which evaluations could not be compared, and why."""

Scalar = bool | int | float | str | None


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Range(_Model):
    """Numbers between two bounds."""

    low: int | float
    """The least."""

    high: int | float
    """The most. Where both bounds are whole numbers, so is what is drawn."""

    log: bool = False
    """Draw evenly on the scale of the logarithm."""

    step: int | float | None = None
    """Draw low, low + step, ... alone."""

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
    def tried(self) -> list[Any]:
        """Values that have to be possible."""
        return [self.low, self.high]

    def distribution(self) -> Any:
        """Return Optuna's form."""
        from optuna.distributions import FloatDistribution, IntDistribution

        numbers = [self.low, self.high] + ([] if self.step is None else [self.step])
        if all(isinstance(number, int) for number in numbers):
            return IntDistribution(self.low, self.high, log=self.log, step=self.step or 1)
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def value(self, drawn: Any) -> Any:
        """Return a parameter's value of what Optuna drew."""
        return drawn


class Choices(_Model):
    """One of several values."""

    choices: Annotated[tuple[Any, ...], Field(min_length=2)]
    """Of any form: numbers, words, lists, mappings, null."""

    @property
    def tried(self) -> list[Any]:
        """Values that have to be possible."""
        return list(self.choices)

    def distribution(self) -> Any:
        """Return Optuna's form: it stores words and numbers alone, lists go as JSON."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([_stored(choice) for choice in self.choices])

    def value(self, drawn: Any) -> Any:
        """Return the choice that Optuna drew."""
        stored = [_stored(choice) for choice in self.choices]
        return self.choices[stored.index(drawn)]


def _stored(choice: Any) -> Scalar:
    return choice if isinstance(choice, Scalar) else json.dumps(choice)


def _form(said: Any) -> str:
    return "choices" if isinstance(said, Choices | Mapping) and "choices" in dict(said) else "range"


Where = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_form)
]


class Sampler(_Model):
    """Who proposes the next values."""

    name: Literal["tpe", "random"] = "tpe"
    """``tpe``: the tree-structured Parzen estimator (Bergstra et al., NIPS 2011)."""

    seed: int = Field(0, ge=0)
    """Equal seeds, equal proposals, however often the sweep is interrupted."""

    startup: int = Field(10, ge=1)
    """Evaluations at random before TPE learns from them."""


class Pruner(_Model):
    """Who gives an evaluation up before all its trials are judged."""

    name: Literal["median"] = "median"
    """Below the median of the earlier evaluations after as many trials."""

    startup: int = Field(5, ge=1)
    """Evaluations that nobody gives up."""


class Sweep(_Model):
    """A search for parameters, judged on validation persons."""

    name: str
    """What the commands call it."""

    title: str = ""
    """One line for people."""

    search: Annotated[dict[str, Where], Field(min_length=1)]
    """By the parameter's path (``train.training.learning_rate``): where to search."""

    parameters: Tree = {}
    """What all evaluations change of the environment's parameters; nested, or with dots."""

    features: str = "network"
    """The features whose scores are judged."""

    metric: str = "cosine"
    """The metric whose scores are judged."""

    measure: str = "mAP"
    """The judge: ``rank-1``, ``mAP``, ``eer``, ..."""

    direction: Literal["maximize", "minimize"] = "maximize"
    """What is better."""

    trials: int = Field(1, ge=1)
    """Of so many trials the validation persons judge an evaluation, by their mean."""

    validation: float = Field(0.25, gt=0, lt=1)
    """Share of a trial's training persons that are held out for judging."""

    evaluations: int = Field(20, ge=1)
    """Settings to judge, all in all."""

    sampler: Sampler = Sampler()
    """Who proposes."""

    pruner: Pruner | None = None
    """Who gives up; null: nobody."""

    @field_validator("parameters", mode="before")
    @classmethod
    def _nest(cls, parameters: Any) -> Any:
        return nested(parameters) if isinstance(parameters, Mapping) else parameters

    @model_validator(mode="after")
    def _search_among_parameters(self) -> Self:
        for path in self.search:
            check_name(path)
            for refused, reason in NOT_SEARCHED.items():
                if path == refused or path.startswith(f"{refused}."):
                    raise ValueError(f"{path} can't be searched: {reason}")
        nested(dict.fromkeys(self.search))  # nothing twice, no group beside its own parameter
        return self

    @property
    def definition(self) -> dict[str, Any]:
        """What has to stay for evaluations to belong to one search, as plain values."""
        return self.model_dump(mode="json", exclude={"title", "evaluations", "pruner"})

    def values(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters' values, by path, of what Optuna drew."""
        return {path: where.value(drawn[path]) for path, where in self.search.items()}


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
    """Type what the file says of a sweep.

    Raises
    ------
    ExperimentError
        As `load_sweeps`.
    """
    if not isinstance(said, Mapping):
        raise ExperimentError(f"sweep {name}: expected a mapping with `search`, got {said!r}")
    with named(f"sweep {name}"):
        return Sweep.model_validate({**said, "name": name})


def setting(sweep: Sweep, env: str | None, values: Mapping[str, Any], given: Tree) -> View:
    """Put an evaluation's parameters together, and check them.

    Parameters
    ----------
    sweep : Sweep
        Its features are the only ones made, its validation persons the only ones tested;
        intervals, which nobody looks at, are left out.
    env : str, optional
        The environment.
    values : mapping
        By path.
    given : dict
        Nested; as of ``--params``.

    Raises
    ------
    ExperimentError
        Naming the parameter with an impossible value.
    """
    own = {
        "embed": {"features": [sweep.features]},
        "evaluate": {"resamples": 0},
        "split": {"trials": sweep.trials, "validation": sweep.validation},
    }
    parts = (sweep.parameters, given, nested(values), own)
    return look(f"sweep {sweep.name}", env, merged(*parts))


def check_search(sweep: Sweep, env: str | None, given: Tree) -> View:
    """Try every bound and every choice on the whole tree of parameters, before anything runs.

    Returns
    -------
    View
        What all evaluations have in common: the sweep's parameters with none of the searched.

    Raises
    ------
    ExperimentError
        Naming the parameter, the value and what was expected; or the features or the metric that
        are not made.
    """
    for path, where in sweep.search.items():
        for value in where.tried:
            setting(sweep, env, {path: value}, given)
    common = setting(sweep, env, {}, given)
    made = metrics_of(sweep.features, common.parameters)
    if sweep.metric.removesuffix("-re-ranked") not in made:
        raise ExperimentError(
            f"sweep {sweep.name}: judges the metric {sweep.metric}, but {sweep.features} are "
            f"measured by {', '.join(sorted(made))} (learn_metric.metrics)"
        )
    return common
