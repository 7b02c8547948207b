"""Splits: who trains and who is tested, per trial, deterministic and checked.

A person stands on one side only. The role of a tracklet follows from its person's side and its
camera: probes come from one camera, the gallery from another (Section V-C; paper-decisions,
rows 24 and 26).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.schema import SPLITS, TRACKLETS, validate

COLUMNS = ["trial", "tracklet", "person", "camera", "role"]


def trial_name(index: int) -> str:
    """Name a trial.

    Parameters
    ----------
    index : int
        Its number, from 0.

    Returns
    -------
    str
        For instance ``"trial_00"``.
    """
    return f"trial_{index:02d}"


def draw_splits(
    tracklets: pd.DataFrame,
    trials: int,
    seed: int,
    train_fraction: float = 0.5,
    probe_camera: str | None = None,
    gallery_camera: str | None = None,
) -> pd.DataFrame:
    """Draw for every trial who trains and who is tested.

    Parameters
    ----------
    tracklets : pandas.DataFrame
        The data set (`schema.TRACKLETS`), rows in any order.
    trials : int
        Number of trials. A trial's split does not depend on how many there are.
    seed : int
        The seed, at least 0.
    train_fraction : float
        The share, in [0, 1), of the persons seen by both test cameras that trains.
    probe_camera, gallery_camera : str, optional
        The cameras of probes and gallery; by default the first and the second in sorted order.

    Returns
    -------
    pandas.DataFrame
        `schema.SPLITS`, sorted by trial and tracklet. A person who is not seen by both test cameras
        trains in every trial (as a negative, if seen by one camera) and is never probe or gallery.
        Tracklets of test persons in further cameras have no role and are left out.

    Raises
    ------
    ValueError
        If a parameter is out of range, a camera unknown, or too few persons are seen by both
        cameras to test at least one and train as many as asked.
    """
    validate(tracklets, TRACKLETS)
    if trials < 1:
        raise ValueError(f"trials is {trials}: expected at least 1")
    if not 0 <= train_fraction < 1:
        raise ValueError(f"train_fraction is {train_fraction}: expected at least 0 and below 1")
    probe_camera, gallery_camera = _test_cameras(tracklets, probe_camera, gallery_camera)
    matched = _persons_of(tracklets, probe_camera) & _persons_of(tracklets, gallery_camera)
    training = round(train_fraction * len(matched))
    if len(matched) - training < 1 or (train_fraction > 0 and training < 1):
        raise ValueError(
            f"{len(matched)} persons are seen by both {probe_camera} and {gallery_camera}: too few "
            f"to split with train_fraction {train_fraction}. Expected at least one on each side: "
            "use more persons or another fraction"
        )
    roles = {probe_camera: "probe", gallery_camera: "gallery"}
    names = np.array(sorted(matched), dtype=object)
    splits = []
    for trial in range(trials):
        drawn = np.random.default_rng([seed, trial]).permutation(names)
        tested = set(drawn[training:])
        split = tracklets[["tracklet", "person", "camera"]].copy()
        is_tested = split["person"].isin(tested)
        split["role"] = split["camera"].map(roles).where(is_tested, "train")
        split.insert(0, "trial", trial_name(trial))
        splits.append(split.dropna(subset=["role"]).sort_values("tracklet"))
    table = pd.concat(splits, ignore_index=True)[COLUMNS].astype(str)
    assert_persons_disjoint(table)
    return validate(table, SPLITS)


def split_fingerprint(split: pd.DataFrame) -> str:
    """Name a split by its content.

    Parameters
    ----------
    split : pandas.DataFrame
        `schema.SPLITS`, one trial or several, rows in any order.

    Returns
    -------
    str
        Equal for equal splits on every machine.
    """
    rows = split[COLUMNS].sort_values(COLUMNS).astype(str)
    return fingerprint(rows.to_numpy().tolist())


def assert_persons_disjoint(split: pd.DataFrame) -> None:
    """Check that nobody trains and is tested in the same trial.

    Parameters
    ----------
    split : pandas.DataFrame
        `schema.SPLITS`, one trial or several.

    Raises
    ------
    ValueError
        Naming the trial and the persons on both sides.
    """
    for trial, rows in split.groupby("trial"):
        trains = rows["role"] == "train"
        both = sorted(set(rows.loc[trains, "person"]) & set(rows.loc[~trains, "person"]))
        if both:
            raise ValueError(
                f"{trial}: {len(both)} persons train and are tested: {', '.join(both[:10])}. "
                "Expected every person on one side only: draw the split again"
            )


def hold_out(persons: Iterable[str], fraction: float, seed: int) -> tuple[list[str], list[str]]:
    """Set some training persons aside for validation.

    Parameters
    ----------
    persons : iterable of str
        The training persons; order and repetitions do not matter.
    fraction : float
        The share to set aside, in [0, 1). Above 0 at least one person is set aside.
    seed : int
        The seed, at least 0.

    Returns
    -------
    training, validation : list of str
        Both sorted; together all persons.

    Raises
    ------
    ValueError
        If the fraction is out of range or nobody would be left to train.
    """
    names = sorted(set(persons))
    if not 0 <= fraction < 1:
        raise ValueError(f"the fraction held out is {fraction}: expected at least 0 and below 1")
    held = max(1, round(fraction * len(names))) if fraction > 0 else 0
    if held >= len(names):
        raise ValueError(
            f"holding out a fraction {fraction} of {len(names)} persons leaves none to train: "
            "expected more persons or a smaller fraction"
        )
    drawn = np.random.default_rng(seed).permutation(np.array(names, dtype=object))
    return sorted(drawn[held:]), sorted(drawn[:held])


def _test_cameras(
    tracklets: pd.DataFrame, probe: str | None, gallery: str | None
) -> tuple[str, str]:
    cameras = sorted(set(tracklets["camera"]))
    for parameter, camera in (("probe_camera", probe), ("gallery_camera", gallery)):
        if camera is not None and camera not in cameras:
            raise ValueError(f"{parameter} is {camera!r}: expected one of {', '.join(cameras)}")
    if probe is None:
        probe = next((camera for camera in cameras if camera != gallery), None)
    if gallery is None:
        gallery = next((camera for camera in cameras if camera != probe), None)
    if probe is None or gallery is None or probe == gallery:
        raise ValueError(
            f"probe and gallery need two different cameras: the tracklets have "
            f"{', '.join(cameras) or 'none'}, probe_camera is {probe!r}, gallery_camera {gallery!r}"
        )
    return probe, gallery


def _persons_of(tracklets: pd.DataFrame, camera: str) -> set[str]:
    return set(tracklets.loc[tracklets["camera"] == camera, "person"])
