"""Splits in files: the owners' list of iLIDS-VID, torchreid's JSON, and tables of our own.

A split that others used is used as it is, never drawn again; what is read is checked against the
tracklets that are there, so that a list of another data set is not taken for this one's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.tracklets.archives import find_folder
from wherewhen.tracklets.readers import ilids_vid
from wherewhen.tracklets.schema import SPLITS, validate
from wherewhen.tracklets.splits import (
    COLUMNS,
    assert_persons_disjoint,
    fixed_splits,
    has_fixed_split,
    split_fingerprint,
    splits_of,
    take_trials,
)

LS_SET = "ls_set"
"""The variable of iLIDS-VID's list."""

_SHOWN = 10
_log = logging.getLogger(__name__)


def official_splits(
    tracklets: pd.DataFrame,
    root: Path | str,
    trials: int,
    seed: int = 0,
    protocol: str = "official",
) -> tuple[pd.DataFrame, str] | None:
    """Split a data set as its owners do, if they do.

    Parameters
    ----------
    tracklets : pandas.DataFrame
        The data set (`schema.TRACKLETS`).
    root : path
        Its folder, where iLIDS-VID's list is looked for.
    trials : int
        Number of trials.
    seed, protocol
        As for `fixed_splits`.

    Returns
    -------
    tuple of pandas.DataFrame and str, or None
        `schema.SPLITS`, and in words where it comes from; None if the owners gave no split.

    Raises
    ------
    ValueError
        If the owners' list does not fit the tracklets, or has fewer trials.
    """
    if has_fixed_split(tracklets):
        return fixed_splits(tracklets, trials, seed, protocol), f"fixed, for protocol {protocol}"
    holder = find_folder(Path(root), [ilids_vid.SPLITS])
    if holder is None:
        return None
    tested = read_ls_set(holder / ilids_vid.SPLITS, tracklets["person"])
    splits = splits_of(tracklets, tested, *ilids_vid.CAMERAS)
    return take_trials(splits, trials), f"official, {Path(ilids_vid.SPLITS).name}"


def read_ls_set(path: Path | str, persons: Iterable[str]) -> list[list[str]]:
    """Read who is tested in each of iLIDS-VID's official splits.

    Parameters
    ----------
    path : path
        ``train_test_splits_ilidsvid.mat``, with a variable ``ls_set`` [trials, persons]: in each
        row, all persons by their place, from 1, among the sorted folders.
    persons : iterable of str
        The names of all persons' folders, in any order.

    Returns
    -------
    list of list of str
        For each trial the tested persons, sorted: the first half of a row (Wang et al., ECCV 2014).

    Raises
    ------
    ValueError
        If the file can't be read, has no such variable, another number of persons than there are,
        or a row that does not name everybody once.
    """
    from scipy.io import loadmat

    names = sorted(set(persons))
    try:
        variables = loadmat(path)
    except Exception as error:  # whatever scipy raises on a file that is none
        raise ValueError(
            f"{path}: no MATLAB file of version 5 to 7.2 ({error}). Copy it again from the archive"
        ) from error
    if LS_SET not in variables:
        found = ", ".join(name for name in variables if not name.startswith("__")) or "none"
        raise ValueError(f"{path}: no variable {LS_SET}; found: {found}. Is it iLIDS-VID's file?")
    rows = variables[LS_SET]
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise ValueError(
            f"{path}: {LS_SET} is {' x '.join(map(str, rows.shape))}, expected trials x "
            f"{len(names)} persons. Its numbers count the sorted folders, so all of them must be "
            "there: ingest the whole data set, or draw the splits"
        )
    tested = []
    for trial, row in enumerate(rows.astype(int).tolist()):
        if sorted(row) != list(range(1, len(names) + 1)):
            raise ValueError(
                f"{path}: row {trial + 1} of {LS_SET} does not name everybody once: expected the "
                f"numbers 1 to {len(names)}, each one time"
            )
        tested.append(sorted(names[place - 1] for place in row[: len(names) // 2]))
    return tested


def to_torchreid(splits: pd.DataFrame) -> list[dict[str, list[str]]]:
    """Write splits in the form that torchreid keeps for iLIDS-VID and PRID 2011.

    Its readers of these two sets look into `splits.json` and `splits_prid2011.json` for one object
    a trial: the persons' folders that train and those that are tested, in the order that gives them
    their labels. Cameras do not stand there: all of a trained person's cameras train, and a tested
    person is probe in the first and gallery in the second.

    Parameters
    ----------
    splits : pandas.DataFrame
        `schema.SPLITS` between two cameras.

    Returns
    -------
    list of dict
        ``{"train": [person, ...], "test": [person, ...]}`` a trial, names sorted.

    Raises
    ------
    ValueError
        If there are not exactly two cameras, or a tracklet has two roles: this form can't say so.
    """
    cameras = sorted(set(splits["camera"]))
    if len(cameras) != 2 or splits.duplicated(["trial", "tracklet"]).any():
        raise ValueError(
            f"these splits have {len(cameras)} cameras ({', '.join(cameras)}): torchreid's JSON "
            "says which persons train and are tested between two cameras, and no more. For MARS it "
            "reads the owners' .mat files itself"
        )
    listing, left_out = [], set()
    for _, split in splits.groupby("trial", sort=True):
        in_both = split.groupby("person")["camera"].nunique() == 2
        single = set(in_both.index[~in_both])
        train = set(split.loc[split["role"] == "train", "person"])
        test = set(split.loc[split["role"] == "probe", "person"])
        left_out |= single & set(split["person"])
        listing.append({"train": sorted(train - single), "test": sorted(test - single)})
    if left_out:
        _log.warning(
            "%d persons seen by one camera alone (distractors, too) are not in torchreid's form, "
            "which has no place for them: %s",
            len(left_out),
            _some(left_out),
        )
    return listing


def from_torchreid(
    listing: Any,
    tracklets: pd.DataFrame,
    probe_camera: str | None = None,
    gallery_camera: str | None = None,
) -> pd.DataFrame:
    """Read splits from torchreid's form for iLIDS-VID and PRID 2011.

    Parameters
    ----------
    listing : list of dict
        As from `to_torchreid`.
    tracklets : pandas.DataFrame
        The data set (`schema.TRACKLETS`).
    probe_camera, gallery_camera : str, optional
        As for `splits_of`; the default is torchreid's.

    Returns
    -------
    pandas.DataFrame
        `schema.SPLITS`. Who is on neither side of a trial has no role in it.

    Raises
    ------
    ValueError
        If the form is another, somebody is on both sides, or a person is not in the data set.
    """
    if not isinstance(listing, list) or not listing or not all(map(_is_side_by_side, listing)):
        raise ValueError(
            "no splits in torchreid's form: expected a list of objects with the lists of names "
            '"train" and "test", one a trial'
        )
    known = set(tracklets["person"])
    trials = []
    for number, sides in enumerate(listing):
        train, test = set(sides["train"]), set(sides["test"])
        if unknown := (train | test) - known:
            raise ValueError(
                f"split {number}: {len(unknown)} persons are not in the data set: {_some(unknown)}."
                " Use the split of this data set, and ingest all of it"
            )
        if both := train & test:
            raise ValueError(f"split {number}: train and are tested: {_some(both)}")
        trials.append((train | test, test))
    splits = splits_of(tracklets, [test for _, test in trials], probe_camera, gallery_camera)
    nobodies = pd.Series(False, splits.index)
    for (named, _), (_, rows) in zip(trials, splits.groupby("trial", sort=True), strict=True):
        unnamed = rows.index[~rows["person"].isin(named) & (rows["role"] == "train")]
        nobodies[unnamed] = True
    return splits[~nobodies].reset_index(drop=True)


def read_splits(
    path: Path | str, tracklets: pd.DataFrame, fingerprint: str | None = None
) -> pd.DataFrame:
    """Use splits that were written before.

    Parameters
    ----------
    path : path
        A table of `schema.SPLITS` (``.parquet`` or ``.csv``) or torchreid's form (``.json``).
    tracklets : pandas.DataFrame
        The data set (`schema.TRACKLETS`).
    fingerprint : str, optional
        The name that the splits must have, from `split_fingerprint`.

    Returns
    -------
    pandas.DataFrame
        `schema.SPLITS`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If its ending or its content is no split of these tracklets, a person stands on both sides,
        or it has another fingerprint.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no splits at {path}: expected a table (.parquet, .csv) that the stage split wrote, "
            "or torchreid's .json; correct split.path"
        )
    readers = {".parquet": pd.read_parquet, ".csv": _read_csv}
    if path.suffix == ".json":
        try:
            splits = from_torchreid(json.loads(path.read_text(encoding="utf-8")), tracklets)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    elif path.suffix in readers:
        splits = _of_these(readers[path.suffix](path), tracklets, path)
    else:
        raise ValueError(f"{path}: expected a file that ends in .parquet, .csv or .json")
    found = split_fingerprint(splits)
    if fingerprint is not None and found != fingerprint:
        raise ValueError(
            f"{path}: these splits are {found}, expected {fingerprint}: the file or the data set "
            "is another one; correct split.path or split.fingerprint"
        )
    return splits


def _is_side_by_side(sides: Any) -> bool:
    return isinstance(sides, dict) and all(
        isinstance(sides.get(side), list) and all(isinstance(name, str) for name in sides[side])
        for side in ("train", "test")
    )


def _read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _of_these(splits: pd.DataFrame, tracklets: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Hold every row to the tracklet that it names."""
    validate(splits, SPLITS)
    splits = splits[COLUMNS].reset_index(drop=True)
    keys = ["tracklet", "person", "camera"]
    known = splits[keys].merge(tracklets[keys], on=keys, how="left", indicator=True)
    strange = splits.loc[(known["_merge"] == "left_only").to_numpy(), "tracklet"]
    if not strange.empty:
        raise ValueError(
            f"{path}: {strange.nunique()} tracklets are not in the data set, or bear another "
            f"person or camera there: {_some(strange)}. Use the splits of this data set"
        )
    assert_persons_disjoint(splits)
    return splits


def _some(names: Iterable[str]) -> str:
    listed: Sequence[str] = sorted(set(names))
    return ", ".join(listed[:_SHOWN]) + (" ..." if len(listed) > _SHOWN else "")
