"""Pipeline registry (the Kedro side): a pipeline for each stage, and the default one.

The number of trials, whether people are rendered or read, and what is embedded decide the shape of
the pipelines, so :class:`wherewhen.hooks.ProjectHooks` hands the checked parameters over before
they are built.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from kedro.pipeline import Pipeline

from wherewhen.environments import config_loader
from wherewhen.pipelines.stages import stages

if TYPE_CHECKING:
    from wherewhen.pipelines.parameters import Parameters

_parameters: Parameters | None = None


def configure(parameters: Parameters) -> None:
    """Set the parameters from which :func:`register_pipelines` builds."""
    global _parameters
    _parameters = parameters


def parameters() -> Parameters:
    """Return the parameters of this run, or those of ``conf/base`` when no session has started."""
    from wherewhen.pipelines.parameters import check_parameters

    return _parameters or check_parameters(config_loader("base")["parameters"])


class LazyPipeline(Pipeline):
    """A pipeline that is built when something of it is asked for.

    Kedro asks for all pipelines when it lists their names; to build them means to import pandas and
    scipy, which takes longer than everything else that such a command does.
    """

    def __init__(self, build: Callable[[], Pipeline]) -> None:
        self._build = build

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_build" not in self.__dict__:  # while a copy is made
            raise AttributeError(name)
        self.__dict__ = dict(self._build().__dict__)
        return getattr(self, name)


def register_pipelines() -> dict[str, Pipeline]:
    """Return the pipeline of every stage in the order of the stages, and the default."""
    built = cache(lambda: build_pipelines(parameters()))
    names = (*stages(), "__default__")
    return {name: LazyPipeline(lambda name=name: built()[name]) for name in names}


def build_pipelines(current: Parameters) -> dict[str, Pipeline]:
    """Build what :func:`register_pipelines` returns for these parameters."""
    # Outside its namespace a trial's data set is named with a dot, on purpose.
    warnings.filterwarnings("ignore", message="One or more dataset names contain '.'")
    built: dict[str, Pipeline] = {}
    made: set[str] = set()
    for name, stage in stages().items():
        built[name] = stage.create(current, made)
        made |= built[name].all_outputs()
    default = [
        built[name]
        for name, stage in stages().items()
        if not stage.by_name and stage.applies(current)
    ]
    return {**built, "__default__": sum(default, start=Pipeline([]))}
