"""Nodes of `split`."""

import logging
from typing import Any

import pandas as pd

from wherewhen.pipelines.split.parameters import SplitParameters
from wherewhen.pipelines.types import Root
from wherewhen.project import from_root
from wherewhen.tracklets.readers.ilids_vid import SPLITS
from wherewhen.tracklets.split_files import official_splits, read_splits, to_torchreid
from wherewhen.tracklets.splits import (
    draw_splits,
    split_fingerprint,
    take_trials,
    validation_split,
)

log = logging.getLogger(__name__)


def split(
    tracklets: pd.DataFrame,
    root: Root,
    parameters: SplitParameters,
    protocol: str,
    footage: Root | None = None,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Assign every tracklet its role in all trials; return also source and fingerprints.

    `footage` is not read: it makes the splits depend on the folder that holds an official list.
    """
    splits, source = _splits(tracklets, root, parameters, protocol)
    if parameters.validation is not None:
        splits = _on_validation_persons(splits, parameters, protocol)
        source += ", validation persons in place of test persons"
    log.info("splits: %s", source)
    hashes = {trial: split_fingerprint(rows) for trial, rows in splits.groupby("trial")}
    return splits, {"source": source, "splits": split_fingerprint(splits), **hashes}


def _on_validation_persons(
    splits: pd.DataFrame, parameters: SplitParameters, protocol: str
) -> pd.DataFrame:
    """Replace the test persons of each trial by validation persons."""
    derived = [
        validation_split(
            rows,
            parameters.validation,
            seed=parameters.seed + number,
            protocol=protocol,
            probe_camera=parameters.probe_camera,
            gallery_camera=parameters.gallery_camera,
        )
        for number, (_, rows) in enumerate(splits.groupby("trial"))
    ]
    return pd.concat(derived, ignore_index=True)


def take_trial(splits: pd.DataFrame, trial: str) -> pd.DataFrame:
    """Take the rows of one trial."""
    return splits[splits.trial == trial].reset_index(drop=True)


def export_torchreid(splits: pd.DataFrame) -> list[dict[str, Any]]:
    """Convert splits to torchreid's form."""
    return to_torchreid(splits)


def _splits(
    tracklets: pd.DataFrame, root: Root, parameters: SplitParameters, protocol: str
) -> tuple[pd.DataFrame, str]:
    """Draw or read the splits; return also their source in words."""
    if parameters.source == "file":
        splits = read_splits(from_root(parameters.path), tracklets, parameters.fingerprint)
        return take_trials(splits, parameters.trials), f"file, {parameters.path}"
    if parameters.source != "drawn":
        official = official_splits(
            tracklets, from_root(root), parameters.trials, parameters.seed, protocol
        )
        if official is not None:
            return official
        missing = "this data set comes without a split of its owners"
        if parameters.source == "official":
            raise ValueError(
                f"split.source is official, but {missing} (iLIDS-VID's is the file "
                f"{SPLITS} under the data set's folder): put it there, or set drawn or auto"
            )
        log.warning("%s: splits are drawn from seed %d", missing, parameters.seed)
    splits = draw_splits(
        tracklets,
        trials=parameters.trials,
        seed=parameters.seed,
        train_fraction=parameters.train_fraction,
        probe_camera=parameters.probe_camera,
        gallery_camera=parameters.gallery_camera,
        protocol=protocol,
    )
    return splits, f"drawn, seed {parameters.seed}"
