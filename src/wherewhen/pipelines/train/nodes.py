"""Nodes of `train`."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from wherewhen import pretrained
from wherewhen.attention_measures import cell_shares
from wherewhen.devices import usable_device
from wherewhen.execution.config import ExecutionConfig
from wherewhen.execution.engine import engine_of
from wherewhen.features.backbones.parts import FROZEN
from wherewhen.files import Workspace
from wherewhen.model.config import NetworkConfig
from wherewhen.pipelines.extract.nodes import weights_from_root
from wherewhen.pipelines.extract.parameters import ExtractParameters
from wherewhen.pipelines.truth import truths_of
from wherewhen.pipelines.types import Network, Root
from wherewhen.project import from_root
from wherewhen.tracking import MetricLog
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.splits import hold_out, trial_number
from wherewhen.training.config import TrainingConfig

if TYPE_CHECKING:
    from wherewhen.features.trunk import Trunk
    from wherewhen.training.guidance import Guide

Config = TypeVar("Config", NetworkConfig, TrainingConfig)

VALIDATION_PERSONS = 2
"""Minimum number of validation persons: negative pairs need two."""


def initialise(
    cubes: CubeReader,
    split: pd.DataFrame,
    config: NetworkConfig,
    seed_by_trial: bool,
    backbone: str,
    extract: ExtractParameters,
) -> Network:
    """Build the network and calibrate it on the training cubes."""
    from wherewhen.model.siamese import build_network
    from wherewhen.training.loop import calibrate

    config = _seeded(config, split, seed_by_trial)
    trunk = _trunk(backbone, extract)
    *grid, channels = cubes.shape if trunk is None else trunk.gives
    network = build_network(config, channels, tuple(grid), trunk)
    learners = split[split.role == "train"].tracklet.to_list()
    calibrate(network, cubes, learners)
    return network


def fit(
    initial: Network,
    cubes: CubeReader,
    split: pd.DataFrame,
    checkpoints: Workspace,
    config: TrainingConfig,
    seed_by_trial: bool,
    device: str = "auto",
    execution: ExecutionConfig = ExecutionConfig(),  # noqa: B008
    frames: pd.DataFrame | None = None,
    people: Root | None = None,
) -> tuple[Network, pd.DataFrame]:
    """Train from the last checkpoint if there is one, and log metrics to MLflow.

    `frames` and `people` are given where the training is guided by what rendered frames show.
    """
    from wherewhen.training.loop import train

    config = _seeded(config, split, seed_by_trial)
    learners, held_out = _with_validation(split, config.validation_fraction, config.seed)
    network = copy.deepcopy(initial)  # train works in place
    with MetricLog(prefix=split.trial.iloc[0]) as log:
        guide = None if people is None else _guide(learners, frames, people, initial.grid)
        history = train(
            network, cubes, learners, held_out, config, checkpoints.folder, log.record,
            guide=guide, device=device, files=checkpoints.files,
            engine=engine_of(execution, usable_device(device)),
        )  # fmt: skip
        log.complete(history.to_dict("records"))
    return network, history


def start(
    cubes: CubeReader,
    split: pd.DataFrame,
    config: NetworkConfig,
    seed_by_trial: bool,
    backbone: str,
    extract: ExtractParameters,
    path: Path,
) -> Network:
    """Build the network with the weights, statistics and basis of a file.

    If a part of the backbone is trained, and none was in the file, it begins with the backbone's
    weights.
    """
    from wherewhen.model.start import start_from

    trunk = _trunk(backbone, extract)
    begun = _read_fitting("train.start", cubes, path, trunk)
    try:
        return start_from(begun, _seeded(config, split, seed_by_trial), trunk)
    except ValueError as error:
        raise ValueError(
            f"train.network does not fit {from_root(path)}, where train.start begins: {error}"
        ) from error


def borrow(cubes: CubeReader, path: Path) -> Network:
    """Load a network that was trained elsewhere, and check that it fits the cubes (Table VIII)."""
    return _read_fitting("train.network_from", cubes, path)


def _trunk(trained: str, extract: ExtractParameters) -> "Trunk | None":
    """Build what is trained of the backbone, if anything is."""
    if trained == FROZEN:
        return None
    from wherewhen.features.backbones import build_trunk

    return build_trunk(extract.backbone, weights_from_root(extract), trained, extract.size)


def _read_fitting(
    parameter: str, cubes: CubeReader, path: Path, trunk: "Trunk | None" = None
) -> Network:
    """Read a network's file, and check that it fits the cubes; the pretrained one also by its card.

    A network without trained layers of a backbone has to fit the cubes behind the trunk, if one is
    given.

    That one must not have learned from the people in the cubes.
    """
    from wherewhen.model.files import read_network

    path = from_root(path)
    if path.parent == pretrained.FOLDER:
        try:
            pretrained.load_card().require_cubes(cubes.identity)
        except pretrained.PretrainedError as error:
            raise ValueError(f"{parameter}: {error}") from error
    network = read_network(path).eval()
    own = network.trunk
    if own is not None and trunk is not None and own.spec != trunk.spec:
        raise ValueError(
            f"{parameter}: {path} was trained with {own.spec.trained} of {own.spec.backbone} "
            f"(weights {own.spec.weights_sha256[:8]}), and train.backbone is {trunk.spec.trained} "
            f"of {trunk.spec.backbone} (weights {trunk.spec.weights_sha256[:8]}): set "
            "train.backbone and extract to what it was trained with"
        )
    given = cubes.shape if trunk is None or own is not None else trunk.gives
    if network.takes != given:
        taken, made = (" x ".join(map(str, each)) for each in (network.takes, given))
        raise ValueError(
            f"{parameter}: {path} was trained on cubes of {taken}, and these are of {made} "
            "(height, width, channels). Extract with the backbone that it was trained with, and "
            "set train.backbone as it was"
        )
    return network


def _guide(
    learners: pd.DataFrame, frames: pd.DataFrame, people: Root, grid: tuple[int, int]
) -> "Guide":
    """Read what the frames of training tracklets show, as shares of the cubes' cells."""
    from wherewhen.training.guidance import Guide

    truths = truths_of(set(learners.tracklet), frames, people)
    return Guide(
        {name: cell_shares(truth.visible, *grid) for name, truth in truths.items()},
        {name: np.nan_to_num(truth.visible_share) for name, truth in truths.items()},
    )


def _seeded(config: Config, split: pd.DataFrame, by_trial: bool) -> Config:
    """Add the trial's number to the seed, if asked to."""
    shift = trial_number(split.trial.iloc[0]) if by_trial else 0
    return config.model_copy(update={"seed": config.seed + shift})


def _with_validation(
    split: pd.DataFrame, fraction: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split the training tracklets into learners and validation persons."""
    training = split[split.role == "train"]
    if fraction > 0:
        fraction = max(fraction, VALIDATION_PERSONS / training.person.nunique())
    _, held_out = hold_out(training.person, fraction, seed)
    validates = training.person.isin(held_out)
    return training[~validates], training[validates]
