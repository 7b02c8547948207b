"""Nodes of `train`: they choose the rows, the library learns."""

from pathlib import Path

import pandas as pd

from wherewhen.features.cube_store import CubeStore
from wherewhen.pipelines.parameters import TrainParameters
from wherewhen.pipelines.types import Network
from wherewhen.tracking import MetricLog
from wherewhen.tracklets.splits import split_fingerprint


def initialise(cubes: CubeStore, split: pd.DataFrame, parameters: TrainParameters) -> Network:
    """Build the network and fit what it takes from the training cubes' statistics."""
    from wherewhen.training.start import initial_network

    return initial_network(
        parameters.network_config(),
        cubes,
        split[split.role == "train"],
        seed=parameters.training_config().seed,
    )


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
    with MetricLog(prefix=trial) as record:
        return train(
            untrained,
            cubes,
            split[split.role == "train"],
            parameters.training_config(),
            checkpoints,
            record,
            identity={"cubes": cubes.identity, "split": split_fingerprint(split)},
        )
