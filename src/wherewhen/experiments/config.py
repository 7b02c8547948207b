"""What ``conf/*/experiments.yml`` may say: experiments, their rows, and the rows' parameters.

A file holds experiments by name and two names of its own, ``defaults`` and ``overrides``. An
environment's file is laid over ``conf/base``'s entry by entry, row by row (a row is known by its
name; null takes it out). A row's parameters are, each before the next, which wins:

1. the environment's ``parameters*.yml``
2. ``defaults``
3. the experiment's ``parameters``
4. the row's ``parameters``
5. ``overrides``
6. ``--params``

The numbers 2 to 5 are put together here; 1 and 6 in :mod:`wherewhen.experiments.rows`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from wherewhen.environments import config_loader
from wherewhen.experiments.published import methods
from wherewhen.hints import did_you_mean
from wherewhen.presets import overlay
from wherewhen.reporting.figures import FIGURES
from wherewhen.sessions import Tree

DEFAULTS = "defaults"
OVERRIDES = "overrides"


class ExperimentError(ValueError):
    """An experiment that can't be read, is unknown, or can't be run as asked."""


class ConfigModel(BaseModel):
    """A section of a configuration file; unknown entries are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Parametrised(ConfigModel):
    """A section with parameters."""

    parameters: Tree = {}
    """Parameters to set, nested or with dotted names (``preset: paper``)."""

    @field_validator("parameters", mode="before")
    @classmethod
    def _nest(cls, parameters: Any) -> Any:
        return nested(parameters) if isinstance(parameters, Mapping) else parameters


class Row(Parametrised):
    """A row of a table: parameters of a run, and which of its numbers are shown."""

    name: str
    """What the row is called, also in the file."""

    features: str = "network"
    """The features whose scores are shown: ``network``, ``fisher``, ``hog3d``, ..."""

    metric: str = "euclidean"
    """The metric whose scores are shown: ``euclidean``, ``siamese``, ``cosine``, ``kissme``, ..."""

    published: str | None = None
    """The row of the paper's table to compare with, as ``published_results.csv`` names it."""

    quoted: bool = False
    """Not ours to run: the published figures alone are shown, and marked as quoted."""

    note: str = ""
    """What a reader of the table should know of the row."""

    @model_validator(mode="after")
    def _quote_something(self) -> Self:
        if self.quoted and (self.published is None or self.parameters):
            raise ValueError("a quoted row has `published`, and nothing to run")
        return self


class Experiment(Parametrised):
    """A table: rows to run, and the published table to read them beside."""

    name: str
    """What the commands call it."""

    title: str
    """One line for people."""

    asks: str = ""
    """The question that it answers, a sentence for people."""

    table: str | None = None
    """The paper's table, ``III`` to ``VIII``."""

    figure: str | None = None
    """The figure that `kedro experiment figures` draws (``wherewhen.reporting.figures.FIGURES``);
    null: CMC curves of all rows."""

    published_from: str | None = None
    """The data set that the published figures were trained on, if not the one of the test."""

    cross_dataset: bool = False
    """Rows are trained in another environment: it has to be said which (``--trained-on``)."""

    rows: tuple[Row, ...]
    """In the order of the table; their parameters hold the experiment's, too."""

    @field_validator("figure")
    @classmethod
    def _know_figure(cls, figure: str | None) -> str | None:
        known = [name for name, kind in FIGURES.items() if kind.stage != "report"]
        if figure is not None and figure not in known:
            hint = did_you_mean(figure, known, f"there are {', '.join(known)}")
            raise ValueError(f"no figure is called {figure!r}; {hint}")
        return figure

    @model_validator(mode="after")
    def _compare_with_what_is_there(self) -> Self:
        known = methods(self.table) if self.table else []
        for row in self.rows:
            if row.published is not None and row.published not in known:
                there = f"table {self.table} has {', '.join(known)}" if known else "no `table`"
                raise ValueError(f"row {row.name}: published is {row.published!r}, but {there}")
        return self

    def row(self, name: str) -> Row:
        """Return a row by its name.

        Raises
        ------
        ExperimentError
            If there is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise ExperimentError(
            f"experiment {self.name} has no row {name!r}; it has "
            + ", ".join(repr(row.name) for row in self.rows)
        )

    def only(self, names: tuple[str, ...]) -> Experiment:
        """Return the experiment with these rows alone; with all where none is named."""
        if not names:
            return self
        chosen = {self.row(name).name for name in names}
        return self.model_copy(
            update={"rows": tuple(row for row in self.rows if row.name in chosen)}
        )


def load_experiments(env: str | None = None) -> dict[str, Experiment]:
    """Read the experiments of an environment.

    Parameters
    ----------
    env : str, optional
        The environment; None: Kedro's default.

    Returns
    -------
    dict of str to Experiment
        By name, in the files' order.

    Raises
    ------
    ExperimentError
        Naming the experiment, the row and the entry that can't be used.
    """
    return read_experiments(read_config(env, "experiments"))


def read_config(env: str | None, name: str) -> Tree:
    """Read a file of this project's own: ``experiments.yml`` or ``sweeps.yml``, merged softly.

    Raises
    ------
    ExperimentError
        If there is none.
    """
    from kedro.config import MissingConfigException

    patterns = [f"{name}*", f"{name}*/**", f"**/{name}*"]
    try:
        return config_loader(env, **{name: patterns})[name]
    except MissingConfigException:
        raise ExperimentError(f"there is no conf/base/{name}.yml") from None


def read_experiments(tree: Mapping[str, Any]) -> dict[str, Experiment]:
    """Type what the files of experiments say.

    Parameters
    ----------
    tree : mapping
        Experiments by name, ``defaults``, ``overrides``; merged over the environments.

    Returns
    -------
    dict of str to Experiment
        By name; each row's parameters hold all that precedes and follows them.

    Raises
    ------
    ExperimentError
        As `load_experiments`.
    """
    first, last = (_parametrised(name, tree.get(name)) for name in (DEFAULTS, OVERRIDES))
    return {
        name: _experiment(name, said, first, last)
        for name, said in tree.items()
        if name not in (DEFAULTS, OVERRIDES) and said is not None
    }


def choose(known: Mapping[str, Any], name: str, kind: str = "experiment") -> Any:
    """Return an experiment or a sweep by its name, or say which there are."""
    if name not in known:
        raise ExperimentError(f"no {kind} {name}: there are {', '.join(known)}")
    return known[name]


def nested(parameters: Mapping[str, Any]) -> Tree:
    """Spell parameters as nested mappings.

    Parameters
    ----------
    parameters : mapping
        Nested, or with dots in their names, or both.

    Returns
    -------
    dict
        Nested.

    Raises
    ------
    ExperimentError
        If a parameter is given twice, in two spellings.
    """
    tree: Tree = {}
    for name, value in parameters.items():
        path = str(name).split(".")
        value = nested(value) if isinstance(value, Mapping) else value
        for part in reversed(path[1:]):
            value = {part: value}
        if _overlap(tree, {path[0]: value}):
            raise ExperimentError(f"{name} is given twice, in two spellings: keep one")
        tree = overlay(tree, {path[0]: value})
    return tree


def _overlap(left: Any, right: Any) -> bool:
    """Whether two trees set the same parameter."""
    if not (isinstance(left, Mapping) and isinstance(right, Mapping)):
        return True
    return any(name in left and _overlap(left[name], value) for name, value in right.items())


def _parametrised(name: str, said: Any) -> Tree:
    with named(name):
        return Parametrised.model_validate(said or {}).parameters


def _experiment(name: str, said: Any, first: Tree, last: Tree) -> Experiment:
    with named(f"experiment {name}"):
        if not isinstance(said, Mapping):
            raise ExperimentError(f"expected a mapping with `title` and `rows`, got {said!r}")
        own = Parametrised(parameters=said.get("parameters") or {}).parameters
        rows = [
            _row(name, of, row, first, own, last)
            for of, row in (said.get("rows") or {}).items()
            if row is not None
        ]
        return Experiment.model_validate({**said, "name": name, "rows": rows, "parameters": own})


def _row(experiment: str, name: str, said: Any, first: Tree, own: Tree, last: Tree) -> Row:
    with named(f"experiment {experiment}, row {name}"):
        if not isinstance(said, Mapping):
            raise ExperimentError(f"expected a mapping, got {said!r}; {{}} for a row that says all")
        row = Row.model_validate({**said, "name": name})
        if row.quoted:
            return row
        whole = overlay(first, own, row.parameters, last)
        return row.model_copy(update={"parameters": whole})


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put the name of what is read before the messages about it."""
    try:
        yield
    except ValidationError as error:
        faults = "\n".join(
            f"- {'.'.join(map(str, fault['loc'])) or 'as a whole'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ExperimentError(f"{name}:\n{faults}") from None
    except ExperimentError as error:
        raise ExperimentError(f"{name}: {error}") from None
