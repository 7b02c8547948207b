"""The loop: training that goes on after being killed, stops when told to, and names what failed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wherewhen.model.convolution import Execution, full_float32
from wherewhen.model.cubes import CubeReader
from wherewhen.model.siamese import SiameseAttentionNetwork
from wherewhen.model.threads import torch_threads
from wherewhen.tracklets.fingerprint import decisive, fingerprint
from wherewhen.training.checkpoints import Checkpoints
from wherewhen.training.clips import PreloadedCubes, preload
from wherewhen.training.config import TrainingConfig
from wherewhen.training.run import HISTORY, TIMING, Log, Run, TrainingDiverged, history_columns

__all__ = [
    "HISTORY",
    "TIMING",
    "PreloadedCubes",
    "TrainingDiverged",
    "calibrate",
    "history_columns",
    "preload",
    "train",
]

CALIBRATION_FRAMES = 512

logger = logging.getLogger(__name__)


def calibrate(
    network: SiameseAttentionNetwork,
    reader: CubeReader,
    tracklets: list[str],
    frames: int = CALIBRATION_FRAMES,
) -> None:
    """Take the statistics of the network's input from frames spread over training tracklets.

    Deterministic on any number of threads, so the untrained network can be had before training.

    Parameters
    ----------
    network
        Calibrated in place; its standardisation and the start of its projection.
    reader, tracklets
        The training cubes.
    frames
        About how many frames to read.
    """
    tracklets = sorted(tracklets)
    if len(tracklets) > frames:
        chosen = np.linspace(0, len(tracklets) - 1, frames).astype(int)
        tracklets = [tracklets[index] for index in chosen]
    share = -(-frames // len(tracklets))
    lengths = reader.lengths

    def portions() -> Iterator[np.ndarray]:
        for tracklet in tracklets:
            length = lengths[tracklet]
            positions = np.unique(np.linspace(0, length - 1, min(share, length)).astype(int))
            yield np.concatenate([reader.read(tracklet, at, at + 1) for at in positions.tolist()])

    with torch_threads(1):
        network.calibrate(portions())


def train(
    network: SiameseAttentionNetwork,
    cubes: CubeReader,
    training_tracklets: pd.DataFrame,
    validation_tracklets: pd.DataFrame | None,
    config: TrainingConfig,
    checkpoint_folder: Path | str,
    log: Log | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a network in place, or go on where a killed run left off.

    A run that was killed and started again with the same arguments ends with the same weights, to
    the bit, as one that was not (on the same CPU, however many threads it has; on a GPU as far as
    its kernels repeat their sums); a finished run started again returns its result at once. A run
    with other arguments needs another folder.

    Parameters
    ----------
    network
        From `build_network`; calibrated on the training cubes if it is not yet. It stays on the
        device of the training.
    cubes
        Where the cubes are.
    training_tracklets
        Columns ``tracklet, person, camera``.
    validation_tracklets
        The same for held-out persons; None or empty for no validation curve.
    config
        Loss, pairs, optimiser, when to stop and what to keep.
    checkpoint_folder
        Where the checkpoints of this run are kept. Its name tells one run from others.
    log
        Called for every step with its row of the history, without what was not measured: after the
        step, or on a GPU every 20 steps. After a resumption the
        steps since the last checkpoint are logged again.
    progress
        Show a progress bar with the remaining time.

    Returns
    -------
    pandas.DataFrame
        The history, one row a step, columns `history_columns`; NaN stands for what was not
        measured, so between the points of the validation curve.

    Raises
    ------
    ValueError
        If the tracklets allow no pairs, the cubes don't fit the network, or the configuration looks
        at validation persons and there are none.
    TrainingDiverged
        If loss or gradient become NaN or infinite; the last checkpoint stays.
    CheckpointError
        If a checkpoint is damaged, was moved or deleted while another stayed, or is of a run with
        other arguments.
    """
    if validation_tracklets is not None and validation_tracklets.empty:
        validation_tracklets = None
    if validation_tracklets is None and (config.keep == "best" or config.patience is not None):
        raise ValueError(
            f"keep: {config.keep} and patience: {config.patience} look at validation persons, and "
            f"there are none: hold some out (validation_fraction), or keep: last without patience"
        )
    checkpoints = Checkpoints(
        checkpoint_folder, _arguments(network, training_tracklets, validation_tracklets, config)
    )
    device = _device(config.device)
    execution = Execution(config.convolution, config.precision)
    with (
        _on(device),
        _computed_by(network, execution),
        full_float32(),
        torch_threads(config.threads),
    ):
        run = Run(network, cubes, training_tracklets, config, device, progress)
        saved = checkpoints.load()
        if saved is not None:
            run.restore(saved)
            logger.info("training goes on after step %d", run.step)
        if not run.finished:
            run.prepare(validation_tracklets)
            if saved is None:
                if not network.calibrated:
                    tracklets = list(training_tracklets["tracklet"])
                    calibrate(network, run.cubes, tracklets)
                run.start()
            run.go_on(checkpoints, log or (lambda row: None))
        if config.keep == "best":
            run.go_back_to_best(checkpoints)
    network.eval()
    table = pd.DataFrame(run.history, columns=run.columns)
    return table.astype({"step": int, "epoch": int})


def _arguments(
    network: SiameseAttentionNetwork,
    training_tracklets: pd.DataFrame,
    validation_tracklets: pd.DataFrame | None,
    config: TrainingConfig,
) -> str:
    """Name what a checkpoint has to agree on with the run that goes on from it."""

    def rows(table: pd.DataFrame | None) -> list[list[str]]:
        columns = ["tracklet", "person", "camera"]
        return [] if table is None else sorted(table[columns].astype(str).values.tolist())

    return fingerprint(
        [
            [network.config, network.grid, network.channels],
            decisive(config, content=str),
            rows(training_tracklets),
            rows(validation_tracklets),
        ]
    )


@contextmanager
def _on(device: torch.device) -> Iterator[None]:
    """Make a GPU the current one, whose streams and random numbers are meant; keep both states."""
    cuda = device.type == "cuda"
    with (
        torch.random.fork_rng(devices=[device.index] if cuda else []),
        torch.cuda.device(device) if cuda else nullcontext(),
    ):
        yield


@contextmanager
def _computed_by(network: SiameseAttentionNetwork, execution: Execution) -> Iterator[None]:
    """Choose how a network computes for the time being: who embeds with it chooses anew."""
    before = network.execution
    network.execution = execution
    try:
        yield
    finally:
        network.execution = before


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device: {name} asked for, but torch sees no GPU; use auto or cpu")
    device = torch.device(name)
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device
