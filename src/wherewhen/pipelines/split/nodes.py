"""Nodes of `split`."""

import pandas as pd

from wherewhen.pipelines.parameters import SplitParameters
from wherewhen.tracklets.splits import draw_splits, split_fingerprint


def draw(
    tracklets: pd.DataFrame, parameters: SplitParameters
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Draw the splits of all trials, and name each by its hash."""
    splits = draw_splits(
        tracklets,
        trials=parameters.trials,
        seed=parameters.seed,
        train_fraction=parameters.train_fraction,
    )
    hashes = {trial: split_fingerprint(split) for trial, split in splits.groupby("trial")}
    return splits, {"splits": split_fingerprint(splits), **hashes}


def take_trial(splits: pd.DataFrame, trial: str) -> pd.DataFrame:
    """Take the rows of one trial."""
    return splits[splits.trial == trial].reset_index(drop=True)
