"""Nodes of `train`."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from wherewhen import pretrained
from wherewhen.attention_measures import cell_shares
from wherewhen.model.config import NetworkConfig
from wherewhen.pipelines.truth import truths_of
from wherewhen.pipelines.types import Network, Root
from wherewhen.project import from_root
from wherewhen.tracking import MetricLog
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.sizes import times
from wherewhen.tracklets.splits import hold_out, trial_number
from wherewhen.training.config import TrainingConfig

if TYPE_CHECKING:
    from wherewhen.training.guidance import Guide

Config = TypeVar("Config", NetworkConfig, TrainingConfig)

VALIDATION_PERSONS = 2
"""Minimum number of validation persons: negative pairs need two."""


def initialise(
    cubes: CubeReader,
    split: pd.DataFrame,
    config: NetworkConfig,
    seed_by_trial: bool,
) -> Network:
    """Build the network and calibrate it on the training cubes."""
    from wherewhen.model.siamese import build_network
    from wherewhen.training.loop import calibrate

    config = _seeded(config, split, seed_by_trial)
    network = build_network(config, cubes.channels, cubes.grid)
    learners = split[split.role == "train"].tracklet.to_list()
    calibrate(network, cubes, learners)
    return network


def fit(
    initial: Network,
    cubes: CubeReader,
    split: pd.DataFrame,
    checkpoints: Path,
    config: TrainingConfig,
    seed_by_trial: bool,
    device: str = "auto",
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
        guide = None if people is None else _guide(learners, frames, people, cubes.grid)
        history = train(
            network, cubes, learners, held_out, config, checkpoints, log.record,
            guide=guide, device=device,
        )  # fmt: skip
        log.complete(history.to_dict("records"))
    return network, history


def start(
    cubes: CubeReader,
    split: pd.DataFrame,
    config: NetworkConfig,
    seed_by_trial: bool,
    path: Path,
) -> Network:
    """Build the network with the weights, statistics and basis of a file."""
    from wherewhen.model.start import start_from

    trained = _read_fitting("train.start", cubes, path)
    try:
        return start_from(trained, _seeded(config, split, seed_by_trial))
    except ValueError as error:
        raise ValueError(
            f"train.network does not fit {from_root(path)}, where train.start begins: {error}"
        ) from error


def borrow(cubes: CubeReader, path: Path) -> Network:
    """Load a network that was trained elsewhere, and check that it fits the cubes (Table VIII)."""
    return _read_fitting("train.network_from", cubes, path)


def _read_fitting(parameter: str, cubes: CubeReader, path: Path) -> Network:
    """Read a network's file, and check that it fits the cubes; the pretrained one also by its card.

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
    if (network.channels, network.grid) != (cubes.channels, cubes.grid):
        raise ValueError(
            f"{parameter}: {path} was trained on cubes of {network.channels} channels on a "
            f"{times(network.grid)} grid; these have {cubes.channels} on "
            f"{times(cubes.grid)}. Extract with the backbone that it was trained with"
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
