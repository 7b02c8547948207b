"""Nodes of `train`: they choose the rows, the library learns."""

import copy
from pathlib import Path

import pandas as pd

from wherewhen.features.cube_store import CubeStore
from wherewhen.pipelines.parameters import TrainParameters
from wherewhen.pipelines.types import Network
from wherewhen.project import from_root
from wherewhen.tracking import MetricLog
from wherewhen.tracklets.splits import hold_out, split_fingerprint

VALIDATION_PERSONS = 2
"""The fewest persons of a validation curve: negative pairs need two."""


def initialise(cubes: CubeStore, split: pd.DataFrame, parameters: TrainParameters) -> Network:
    """Build the network and take the statistics of its input from the training cubes."""
    from wherewhen.model.siamese import build_network
    from wherewhen.training.loop import calibrate

    trial = split.trial.iloc[0]
    training = parameters.training_config(trial)
    network = build_network(parameters.network_config(trial), cubes.channels, cubes.grid)
    learners = split[split.role == "train"].tracklet.to_list()
    calibrate(network, cubes, learners, training.calibration_frames)
    return network


def fit(
    untrained: Network,
    cubes: CubeStore,
    split: pd.DataFrame,
    checkpoints: Path,
    parameters: TrainParameters,
) -> tuple[Network, pd.DataFrame]:
    """Train, from the last checkpoint if there is one, with numbers by step in MLflow."""
    from wherewhen.training.loop import train

    trial = split.trial.iloc[0]
    config = parameters.training_config(trial)
    learners, held_out = _with_validation(split, config.validation_fraction, config.seed)
    network = copy.deepcopy(untrained)  # training works in place
    with MetricLog(prefix=trial) as log:
        history = train(
            network,
            cubes,
            learners,
            held_out,
            config,
            checkpoints,
            log.record,
            identity={"cubes": cubes.key, "split": split_fingerprint(split)},
        )
        log.complete(history.to_dict("records"))
    return network, history


def borrow(cubes: CubeStore, split: pd.DataFrame, parameters: TrainParameters) -> Network:
    """Take a network that was trained elsewhere, if it fits these cubes (Table VIII)."""
    from wherewhen.datasets import saved_network

    path = from_root(parameters.network_from.format(trial=split.trial.iloc[0]))
    network = saved_network(path)
    if (network.channels, network.grid) != (cubes.channels, cubes.grid):
        raise ValueError(
            f"train.network_from: {path} was trained on cubes of {network.channels} channels on a "
            f"{network.grid} x {network.grid} grid; these have {cubes.channels} on "
            f"{cubes.grid} x {cubes.grid}. Extract with the backbone that it was trained with"
        )
    return network


def _with_validation(
    split: pd.DataFrame, fraction: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide the training tracklets: most to learn from, some for the validation curve."""
    training = split[split.role == "train"]
    if fraction > 0:  # one person makes no pair with another
        fraction = max(fraction, VALIDATION_PERSONS / training.person.nunique())
    _, held_out = hold_out(training.person, fraction, seed)
    validates = training.person.isin(held_out)
    return training[~validates], training[validates]
