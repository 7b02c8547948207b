"""Which pipelines exist (the Kedro side): one a stage, and all of them as the default.

``analyse``, the closer look at a trained network, is no part of the default.

The number of trials, whether people are rendered or read, and what is embedded decide the shape of
the pipelines, so :class:`wherewhen.hooks.ProjectHooks` hands the checked parameters over before
they are built.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from kedro.config import OmegaConfigLoader
from kedro.pipeline import Pipeline

from wherewhen.project import conf_source

if TYPE_CHECKING:
    from wherewhen.pipelines.parameters import Parameters

NAMES = (
    "synthesise",
    "ingest",
    "split",
    "extract",
    "train",
    "embed",
    "learn_metric",
    "evaluate",
    "report",
    "analyse",
    "__default__",
)
"""The stages in the order of the data's way, a closer look, and the sum of the stages."""

_parameters: Parameters | None = None


def configure(parameters: Parameters) -> None:
    """Set the parameters from which :func:`register_pipelines` builds."""
    global _parameters
    _parameters = parameters


def parameters() -> Parameters:
    """Return the parameters of this run, or those of ``conf/base`` when no session has started."""
    from wherewhen.pipelines.parameters import check_parameters

    if _parameters is not None:
        return _parameters
    loader = OmegaConfigLoader(str(conf_source()), base_env="base", default_run_env="base")
    return check_parameters(loader["parameters"])


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
    """Return every stage under its name, in the order of the data's way, and their sum."""
    built = cache(lambda: build_pipelines(parameters()))
    return {name: LazyPipeline(lambda name=name: built()[name]) for name in NAMES}


def build_pipelines(current: Parameters) -> dict[str, Pipeline]:
    """Build what :func:`register_pipelines` returns for these parameters."""
    from wherewhen.pipelines import (
        analyse,
        embed,
        evaluate,
        extract,
        ingest,
        learn_metric,
        report,
        split,
        synthesise,
        train,
    )
    from wherewhen.pipelines.features import of_trained_network

    # Outside its namespace a trial's data set is named with a dot, on purpose.
    warnings.filterwarnings("ignore", message="One or more dataset names contain '.'")
    trials, features = current.split.trial_names, current.embed.features
    trained, borrowed = of_trained_network(features), current.train.network_from is not None
    root = "synthetic_people" if current.ingest.synthetic else "params:ingest.root"
    owners = root if current.split.source in ("official", "auto") else None
    stages = {
        "synthesise": synthesise.create_pipeline(),
        "ingest": ingest.create_pipeline(root),
        "split": split.create_pipeline(trials, current.split.torchreid, owners),
        "extract": extract.create_pipeline(current.extract.tracklets == "train"),
        "train": train.create_pipeline(trials, "untrained" in features, trained, borrowed),
        "embed": embed.create_pipeline(trials, features),
        "learn_metric": learn_metric.create_pipeline(trials, features),
        "evaluate": evaluate.create_pipeline(trials, features),
    }
    made = sum(stages.values(), start=Pipeline([])).all_outputs()
    stages["report"] = report.create_pipeline(trials, made)
    everything = [
        stage for name, stage in stages.items() if name != "synthesise" or current.ingest.synthetic
    ]
    whole = sum(everything, start=Pipeline([]))
    looks = analyse.create_pipeline(trials, "network" in features)
    return {**stages, "analyse": looks, "__default__": whole}
