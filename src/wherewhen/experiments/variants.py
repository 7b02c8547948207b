"""Variants: a row's parameters, and the name of the folders that its results lie in.

A variant is named by a hash of the parameters that decide its numbers, and of nothing else. Rows of
different tables that ask for the same therefore share one training, and a run with other workers,
another number of trials or other pictures does not start again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherewhen.baselines import BASELINES
from wherewhen.experiments.config import (
    Experiment,
    ExperimentError,
    Row,
    Tree,
    config_loader,
    for_both_presets,
    merged,
    nested,
)
from wherewhen.pipelines.features import of_trained_network, unlearned_metrics
from wherewhen.pipelines.parameters import ParameterError, Parameters, check_parameters
from wherewhen.project import project_root
from wherewhen.tracklets.fingerprint import fingerprint

HOW_ONLY = {
    "synthesise": {"workers"},
    "ingest": {"check", "unpack_to", "workers"},
    "split": {"torchreid", "trials"},
    "extract": {"batch_size", "budget_gib", "device", "readers", "tracklets", "verify"},
    "embed": {"batch_size"},
    "training": {
        "checkpoint_every",
        "checkpoint_seconds",
        "cuda_graph",
        "device",
        "look_every",
        "preload_device_share",
        "preload_gigabytes",
        "roofline",
    },
}
"""Parameters of each group that say how something is done and not what comes out."""

OF_THE_TEST = {"synthesise", "ingest", "split", "evaluate"}
"""Groups of ``--params`` that are of the data set tested on, where another is trained on."""


@dataclass(frozen=True)
class Variant:
    """A set of parameters of which trials are run.

    Attributes
    ----------
    env
        The environment that is run in; None: Kedro's default.
    dataset
        What the environment calls its data set: the folder under each layer of ``data/``.
    overrides
        What differs from the environment's parameters, nested; without ``variant``.
    parameters
        The whole tree that results, typed.
    key
        The variant's name, 16 hexadecimal digits.
    source
        Where the network is trained, if that is another environment (Table VIII).
    """

    env: str | None
    dataset: str
    overrides: Tree
    parameters: Parameters
    key: str
    source: Variant | None = field(default=None)

    @property
    def runtime(self) -> Tree:
        """What a Kedro session is given: the overrides, and the variant's name."""
        return {**self.overrides, "variant": self.key}

    @property
    def trains(self) -> bool:
        """Whether a network is trained for it, here."""
        borrowed = self.parameters.train.network_from is not None
        return of_trained_network(self.parameters.embed.features) and not borrowed

    @property
    def needs_cubes(self) -> bool:
        """Whether any of its features is made of cubes."""
        return needs_cubes(self.parameters)


def variants_of(
    experiment: Experiment,
    env: str | None = None,
    params: Mapping[str, Any] | None = None,
    trained_on: str | None = None,
    rows: Collection[str] = (),
    root: Path | None = None,
) -> dict[str, Variant]:
    """Work out what the rows of an experiment run.

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
    root : Path, optional
        The project's root; None: that of the working directory.

    Returns
    -------
    dict of str to Variant
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
    here = (env, _tree(env, root))
    there = (trained_on, _tree(trained_on, root)) if trained_on is not None else None
    wanted = {row.name for row in experiment.only(tuple(rows)).rows if not row.quoted}
    needed = wanted | {row.network_of for row in experiment.rows if row.name in wanted}
    variants: dict[str, Variant] = {}
    for row in experiment.rows:
        if row.name not in needed:
            continue
        where = f"experiment {experiment.name}, row {row.name}"
        overrides = merged(row.parameters, given)
        if there is not None:
            common = merged(row.parameters, _without(given, OF_THE_TEST))
            source = variant(f"{where}, training", *there, common)
        else:
            source = variants[row.network_of] if row.network_of else None
        variants[row.name] = variant(where, *here, overrides)
        if source is not None:
            variants[row.name] = _borrowing(where, variants[row.name], here, source)
        _check_shown(where, row, variants[row.name].parameters)
    return {name: variant for name, variant in variants.items() if name in wanted}


def variant(
    where: str, env: str | None, tree: Tree, overrides: Tree, source: Variant | None = None
) -> Variant:
    """Name what an environment's parameters with overrides are a variant of.

    Parameters
    ----------
    where : str
        Whose overrides these are, for the message.
    env, tree
        The environment, and its merged parameters.
    overrides : dict
        Nested.
    source : Variant, optional
        What trains the network.

    Raises
    ------
    ExperimentError
        If a parameter is unknown or has an impossible value.
    """
    if "variant" in overrides:
        raise ExperimentError(f"{where}: `variant` is not to be set, it follows from the rest")
    try:
        parameters = check_parameters(merged(tree, overrides))
    except ParameterError as error:
        raise ExperimentError(f"{where}: {error}") from None
    decisive = decisive_parameters(parameters)
    key = fingerprint(decisive if source is None else {**decisive, "source": source.key})
    return Variant(env, parameters.evaluate.dataset, overrides, parameters, key, source)


def decisive_parameters(parameters: Parameters) -> Tree:
    """Return the parameters that decide a variant's numbers, as plain values.

    Of the presets the chosen one counts, with its defaults. What no feature needs (a network's
    training, for a baseline from raw frames) does not count.
    """
    tree = parameters.model_dump(mode="json", by_alias=True)
    features = parameters.embed.features
    groups = ["ingest", "split", "embed", "learn_metric", "evaluate"]
    groups += ["synthesise"] * parameters.ingest.synthetic
    groups += ["extract"] * needs_cubes(parameters)
    chosen = {group: _without(tree[group], HOW_ONLY.get(group, set())) for group in groups}
    if "fisher" not in features:
        del chosen["embed"]["fisher"]
    options = chosen["embed"]["baselines"]
    chosen["embed"]["baselines"] = {name: options[name] for name in options if name in features}
    if "untrained" in features or of_trained_network(features):
        train = parameters.train
        training = train.training_config().model_dump(mode="json")
        chosen["train"] = {
            "network": train.network_config().model_dump(mode="json"),
            "training": _without(training, HOW_ONLY["training"]),
            "seed_by_trial": train.seed_by_trial,
        }
        if train.network_from is not None:  # nothing is trained
            chosen["train"] = {"network_from": train.network_from}
    return chosen


def needs_cubes(parameters: Parameters) -> bool:
    """Whether any of the features is made of cubes."""
    return not set(parameters.embed.features) <= set(BASELINES)


def _without(group: Tree, names: set[str]) -> Tree:
    return {name: value for name, value in group.items() if name not in names}


def _tree(env: str | None, root: Path | None) -> Tree:
    """Return an environment's merged parameters."""
    return config_loader(env, root)["parameters"]


def _borrowing(
    where: str, alone: Variant, here: tuple[str | None, Tree], source: Variant
) -> Variant:
    """Let a variant take the networks that another trains, on the cubes of the same backbone."""
    features = [name for name in alone.parameters.embed.features if of_trained_network([name])]
    if not features:
        raise ExperimentError(
            f"{where}: {', '.join(alone.parameters.embed.features)} train no network, so there is "
            "none to take from elsewhere; leave the row out (--rows), or quote it"
        )
    extract = source.parameters.extract.model_dump(mode="json")
    network = f"data/06_models/{source.dataset}/variants/{source.key}/{{trial}}/network.safetensors"
    borrowed = {
        "extract": {name: extract[name] for name in ("backbone", "weights", "precision")},
        "embed": {"features": features},
        "train": {"network_from": network},
    }
    return variant(where, *here, merged(alone.overrides, borrowed), source)


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


def metrics_of(features: str, parameters: Parameters) -> set[str]:
    """Name the metrics by which features are measured, re-ranked ones apart."""
    return {*parameters.learn_metric.metrics} | unlearned_metrics(features)


def run_variant(variant: Variant, stages: list[str], trials: int, **which: Any) -> None:
    """Run stages of a variant in a Kedro session of its own.

    Parameters
    ----------
    variant : Variant
        Whose parameters are given.
    stages : list of str
        Names of pipelines.
    trials : int
        How many there are; 0: as many as the environment says.
    **which
        What of them: ``namespaces``, ``to_outputs``, as `KedroSession.run` takes it.
    """
    from kedro.framework.session import KedroSession

    given = dict(variant.runtime)
    if trials:
        given["split"] = {**variant.overrides.get("split", {}), "trials": trials}
    with KedroSession.create(
        project_path=project_root(), env=variant.env, runtime_params=given
    ) as session:
        session.run(pipeline_names=stages, **which)
