"""The stages: one record each, found in the packages of `wherewhen.pipelines`.

Kedro's `find_pipelines` is not used: it builds all pipelines at every start, without parameters.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from typing import TYPE_CHECKING, Any

from wherewhen import pipelines

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline
    from pydantic import BaseModel


@dataclass(frozen=True)
class Stage:
    """A stage: the constant ``STAGE`` of a package of `wherewhen.pipelines`.

    The package has the module ``pipeline`` with ``create_pipeline``. Modules are imported when they
    are used: at a start, records and the models of parameters alone are read.

    Attributes
    ----------
    name : str
        The name of the package, of the pipeline and of the group of parameters.
    parameters : str
        The pydantic model of the group, as ``module:class``.
    needs : tuple of str
        Stages whose artifacts the stage reads directly; the order of all stages follows.
    arguments : callable
        From the whole tree of parameters, and the names of all data sets that earlier stages make,
        to the arguments of ``create_pipeline``.
    by_name : bool
        Whether the stage runs only if it is named: it is no part of the default pipeline.
    applies : callable
        Whether the default pipeline has a use for the stage, by the whole tree of parameters.

    See Also
    --------
    stages : All records.

    Examples
    --------
    >>> stages()["evaluate"].needs
    ('embed', 'learn_metric')
    >>> stages()["evaluate"].model()().protocol
    'single_match'
    """

    name: str
    parameters: str
    needs: tuple[str, ...] = ()
    arguments: Callable[[Any, Collection[str]], dict[str, Any]] = lambda parameters, made: {}
    by_name: bool = False
    applies: Callable[[Any], bool] = lambda parameters: True

    def model(self) -> type[BaseModel]:
        """Import and return the model of the parameters."""
        return pkgutil.resolve_name(self.parameters)

    def create(self, parameters: Any, made: Collection[str]) -> Pipeline:
        """Create the pipeline for the whole tree of parameters; `made` by earlier stages."""
        create = pkgutil.resolve_name(f"{pipelines.__name__}.{self.name}.pipeline:create_pipeline")
        return create(**self.arguments(parameters, made))


def trials_and_features(parameters: Any, made: Collection[str]) -> dict[str, Any]:
    """Return the `arguments` of a stage with nodes for every trial and kind of features."""
    return {"trials": parameters.split.trial_names, "features": parameters.embed.features}


@cache
def stages() -> dict[str, Stage]:
    """Return the records by name: each after those that it needs, those run by name last."""
    packages = [each.name for each in pkgutil.iter_modules(pipelines.__path__) if each.ispkg]
    found = {name: import_module(f"{pipelines.__name__}.{name}").STAGE for name in packages}
    graph = {name: found[name].needs for name in sorted(found)}
    order = TopologicalSorter(graph).static_order()
    return {name: found[name] for name in sorted(order, key=lambda name: found[name].by_name)}
