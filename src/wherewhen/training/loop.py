"""Training of a network, with calibration, checkpoints and resumption."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from wherewhen.devices import deterministic_kernels, usable_device
from wherewhen.execution.engine import LOCAL, Engine
from wherewhen.files import DISK, Files
from wherewhen.model.convolution import Execution, full_float32
from wherewhen.model.siamese import SiameseNetwork
from wherewhen.model.threads import torch_threads
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.fingerprint import decisive, fingerprint
from wherewhen.tracklets.sizes import as_recorded
from wherewhen.tracklets.windows import Window
from wherewhen.training.checkpoints import Checkpoints
from wherewhen.training.clips import preload, reduced
from wherewhen.training.config import TrainingConfig
from wherewhen.training.guidance import Guide
from wherewhen.training.pairs import PairSampler, build_sampler
from wherewhen.training.processes import Group, Leader
from wherewhen.training.run import Log, Run
from wherewhen.training.together import Joined, take_part
from wherewhen.training.validation import Validation

CALIBRATION_FRAMES = 512

logger = logging.getLogger(__name__)


def calibrate(
    network: SiameseNetwork,
    reader: CubeReader,
    tracklets: list[str],
    frames: int = CALIBRATION_FRAMES,
) -> None:
    """Estimate the network's input statistics from frames spread over the training tracklets.

    Deterministic for any number of threads.

    Parameters
    ----------
    network
        Calibrated in place: its statistics, its basis and the initial projection.
    reader, tracklets
        The training cubes.
    frames
        Approximate number of frames to read.
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
            frames = [Window(tracklet, at, at + 1) for at in positions.tolist()]
            yield np.concatenate([reader.read(frame) for frame in frames])

    with torch_threads(1):
        network.calibrate(portions())


class Given(NamedTuple):
    """What the other processes need to take the steps with the first one."""

    network: SiameseNetwork
    cubes: CubeReader
    tracklets: pd.DataFrame
    config: TrainingConfig
    guide: Guide | None
    device: str
    saved: dict[str, Any] | None
    """State to resume from."""


def train(
    network: SiameseNetwork,
    cubes: CubeReader,
    training_tracklets: pd.DataFrame,
    validation_tracklets: pd.DataFrame | None,
    config: TrainingConfig,
    checkpoint_folder: Path | str,
    log: Log | None = None,
    progress: bool = True,
    guide: Guide | None = None,
    device: str = "auto",
    files: Files = DISK,
    engine: Engine = LOCAL,
    group: Joined | None = None,
) -> pd.DataFrame:
    """Train a network in place, or resume from the last checkpoint.

    A run that was killed and is started again with the same arguments ends with bit-identical
    weights (on the same CPU, with any number of threads; on a GPU with ``deterministic``, else as
    far as its kernels are). A finished run returns its result at once. Every run needs its own
    folder.

    With several ``processes`` this one starts the others, and ends them; it alone validates, logs
    and writes. A script has to call it under ``if __name__ == "__main__":``.

    Parameters
    ----------
    network
        From `build_network`; calibrated on the training cubes if it is not yet. It stays on the
        device of the training. If it has a basis, cubes are reduced to it once, rounded to
        float16, and kept; statistics and basis stay as they are.
    cubes
        Cubes of all tracklets.
    training_tracklets
        Columns ``tracklet, person, camera``.
    validation_tracklets
        The same for held-out persons; None or empty for no validation curve.
    config
        Loss, pairs, optimiser, stopping and checkpoints.
    checkpoint_folder
        Folder of this run's checkpoints.
    log
        Called with the row of every step, without what was not measured: after the step, or on a
        GPU every 20 steps. Steps since the last checkpoint are logged again on resumption.
    progress
        Show a progress bar.
    guide
        Knows what the frames of training tracklets show, for ``guidance_weight``.
    device
        Where it trains (`wherewhen.devices.Device`).
    files
        Where checkpoints are kept.
    engine
        Where several ``processes`` train: if it is distributed, its workers, of which the first
        writes into the folder of checkpoints; there is no log before they have ended.
    group
        The group that this process is the first of, if another program has formed it.

    Returns
    -------
    pandas.DataFrame
        The history, one row a step, columns `history_columns`; NaN where nothing was measured.

    Raises
    ------
    ValueError
        If the tracklets allow no pairs, the cubes don't fit the network, there is no such device,
        there are more processes than GPUs or clips in a batch, or `keep` or `patience` need
        validation persons and there are none.
    ProcessDied
        If another process has died; the last checkpoint stays.
    TypeError
        If `cubes` or `guide` can't be pickled for the other processes.
    BatchTooLarge
        If memory does not hold a step; the last checkpoint stays.
    TrainingDiverged
        If loss or gradient become NaN or infinite; the last checkpoint stays.
    CheckpointError
        If a checkpoint is damaged, was moved or deleted while another stayed, or belongs to a run
        with other arguments.
    """
    if validation_tracklets is not None and validation_tracklets.empty:
        validation_tracklets = None
    if validation_tracklets is None and (config.keep == "best" or config.patience is not None):
        raise ValueError(
            f"keep: {config.keep} and patience: {config.patience} look at validation persons, and "
            f"there are none: hold some out (validation_fraction), or keep: last without patience"
        )
    checkpoints = Checkpoints(
        checkpoint_folder,
        _arguments(network, training_tracklets, validation_tracklets, config),
        files,
    )
    elsewhere = engine.distributed and config.processes > 1
    here = 1 if elsewhere or group is not None else config.processes
    place = _indexed(usable_device(device, here))
    with _computing(network, config, place):
        group = group or Leader(config.processes)
        run = Run(network, cubes, training_tracklets, config, place, guide, group)
        saved = checkpoints.load()
        if saved is not None:
            run.load_state_dict(saved)
            logger.info("training goes on after step %d", run.step)
        if elsewhere and not run.finished:
            arguments = {
                "network": network,
                "cubes": cubes,
                "training_tracklets": training_tracklets,
                "validation_tracklets": validation_tracklets,
                "config": config,
                "checkpoint_folder": Path(checkpoint_folder),
                "guide": guide,
                "files": files,
            }
            engine.together(
                take_part, (train, arguments), config.processes, Path(checkpoint_folder, "workers")
            )
            run.load_state_dict(checkpoints.load())
        if not run.finished:
            sampler = _validation_sampler(config, validation_tracklets, cubes)
            if not network.calibrated:
                calibrate(network, cubes, list(training_tracklets["tracklet"]))
            given = Given(network, cubes, training_tracklets, config, guide, device, saved)
            with group.started(_follow, given, on_gpus=place.type == "cuda"):
                cubes = _preloaded(reduced(cubes, network.input), training_tracklets,
                                   validation_tracklets, config, place, progress)  # fmt: skip
                validation = sampler and Validation(network, cubes, sampler, config, place)
                group.connect(place)
                run.advance(cubes, validation, checkpoints, log or (lambda row: None), progress)
        if config.keep == "best":
            run.load_best(checkpoints)
    network.eval()
    table = pd.DataFrame(run.history, columns=run.columns)
    return table.astype({"step": int, "epoch": int})


def _follow(group: Group, given: Given) -> None:
    """Take the steps of the first process with it, in another process."""
    network, cubes, tracklets, config, guide, device, saved = given
    place = _indexed(usable_device(device))  # it sees one GPU
    with _computing(network, config, place):
        run = Run(network, cubes, tracklets, config, place, guide, group)
        if saved is not None:
            run.load_state_dict(saved)
        cubes = _preloaded(reduced(cubes, network.input), tracklets, None, config, place, False)
        group.connect(place)
        run.follow(cubes)


def _validation_sampler(
    config: TrainingConfig, tracklets: pd.DataFrame | None, cubes: CubeReader
) -> PairSampler | None:
    if tracklets is None:
        return None
    try:
        return build_sampler(config, tracklets, cubes.lengths)
    except ValueError as error:
        raise ValueError(f"validation: {error}; or set validation_fraction to 0") from error


def _preloaded(
    cubes: CubeReader,
    training: pd.DataFrame,
    validation: pd.DataFrame | None,
    config: TrainingConfig,
    device: torch.device,
    progress: bool,
) -> CubeReader:
    """Keep the cubes in memory if they fit: training tracklets in all variants, others plain."""
    needed = [
        cubes.whole(tracklet, variant)
        for tracklet in sorted(training["tracklet"])
        for variant in range(cubes.variants)
    ]
    if validation is not None:
        needed += [cubes.whole(tracklet) for tracklet in sorted(validation["tracklet"])]
    return preload(
        cubes,
        needed,
        config.preload_gigabytes / config.processes,
        progress,
        device,
        config.preload_device_share,
    )


def _arguments(
    network: SiameseNetwork,
    training_tracklets: pd.DataFrame,
    validation_tracklets: pd.DataFrame | None,
    config: TrainingConfig,
) -> str:
    """Fingerprint of the arguments on which a checkpoint and a resumed run have to agree."""

    def rows(table: pd.DataFrame | None) -> list[list[str]]:
        columns = ["tracklet", "person", "camera"]
        return [] if table is None else sorted(table[columns].astype(str).values.tolist())

    return fingerprint(
        [
            [network.config, as_recorded(network.grid), network.channels, *_trunk(network)],
            decisive(config, content=str),
            rows(training_tracklets),
            rows(validation_tracklets),
        ]
    )


def _trunk(network: SiameseNetwork) -> list[dict[str, str]]:
    """Say what is trained of the backbone, if anything is; as in the prints of earlier versions."""
    return [] if network.trunk is None else [network.trunk.spec.model_dump()]


@contextmanager
def _computing(
    network: SiameseNetwork, config: TrainingConfig, place: torch.device
) -> Iterator[None]:
    """Compute as a configuration says; what that changes is restored afterwards."""
    execution = Execution(config.convolution, config.precision)
    with (
        _on(place),
        _computed_by(network, execution),
        full_float32(),
        torch_threads(config.threads),
        deterministic_kernels() if config.deterministic else nullcontext(),
    ):
        yield


@contextmanager
def _on(device: torch.device) -> Iterator[None]:
    """Make a GPU the current device; restore the states of the random generators afterwards."""
    cuda = device.type == "cuda"
    with (
        torch.random.fork_rng(devices=[device.index] if cuda else []),
        torch.cuda.device(device) if cuda else nullcontext(),
    ):
        yield


@contextmanager
def _computed_by(network: SiameseNetwork, execution: Execution) -> Iterator[None]:
    """Set a network's execution for the duration of the training."""
    before = network.execution
    network.execution = execution
    try:
        yield
    finally:
        network.execution = before


def _indexed(name: str) -> torch.device:
    """Return a device, a GPU with its number."""
    device = torch.device(name)
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device
