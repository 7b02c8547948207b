"""Read and write splits in files: iLIDS-VID's official list, torchreid's JSON, and tables.

Splits that are read are checked against the tracklets, so that the list of another data set is not
used by mistake.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.tracklets import ROLES
from wherewhen.tracklets.files import (
    FileError,
    displayed,
    expand_home,
    open_file,
    read_csv,
    read_text,
    shortened,
)
from wherewhen.tracklets.folders import find_folder, listed
from wherewhen.tracklets.matlab import whole_numbers
from wherewhen.tracklets.names import normalised
from wherewhen.tracklets.parquet_files import read_parquet
from wherewhen.tracklets.readers import ilids_vid
from wherewhen.tracklets.schema import SPLITS, listed_rows, validate
from wherewhen.tracklets.splits import (
    COLUMNS,
    assert_persons_disjoint,
    fixed_splits,
    has_fixed_split,
    split_fingerprint,
    splits_of,
    take_trials,
    trial_name,
)

LS_SET = "ls_set"
"""The variable of iLIDS-VID's list."""

_TRIAL = re.compile(r"trial_[0-9]{2,}")
_EXPECTED = (
    "expected a table (.parquet, .csv) that the stage split wrote, or torchreid's .json; correct "
    "split.path"
)
_USE = "Use the whole table as the stage split wrote it"
_log = logging.getLogger(__name__)


def official_splits(
    tracklets: pd.DataFrame,
    root: Path | str,
    trials: int,
    seed: int = 0,
    protocol: str = "official",
) -> tuple[pd.DataFrame, str] | None:
    """Return the official splits of a data set, if it has any.

    Parameters
    ----------
    tracklets : pandas.DataFrame
        The data set (`schema.TRACKLETS`).
    root : path
        Its folder, which is searched for iLIDS-VID's list.
    trials, seed, protocol
        As for `fixed_splits`.

    Returns
    -------
    tuple of pandas.DataFrame and str, or None
        `schema.SPLITS` and their source in words; None if there are no official splits.

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
    """Read the tested persons of iLIDS-VID's official splits.

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
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file has no such matrix of whole numbers, or a row does not name every person once.
    """
    names = sorted(set(persons))
    again = "copy it again from the archive of iLIDS-VID"
    rows = whole_numbers(Path(path), LS_SET, again)
    if rows.ndim != 2 or rows.shape[1] != len(names) or not len(rows):
        raise ValueError(
            f"{path}: {LS_SET} is {' x '.join(map(str, rows.shape))}, expected trials x "
            f"{len(names)} persons. Its numbers count the sorted folders, so all of them must be "
            "there: ingest the whole data set, or draw the splits"
        )
    tested = []
    for trial, row in enumerate(rows.tolist()):
        if sorted(row) != list(range(1, len(names) + 1)):
            raise ValueError(
                f"{path}: row {trial + 1} of {LS_SET} does not name everybody once: expected the "
                f"numbers 1 to {len(names)}, each one time; {again}"
            )
        tested.append(sorted(names[place - 1] for place in row[: len(names) // 2]))
    return tested


def to_torchreid(splits: pd.DataFrame) -> list[dict[str, list[str]]]:
    """Convert splits to the form of torchreid's `splits.json` and `splits_prid2011.json`.

    It has one object a trial with the persons that train and those that are tested, in the order of
    their labels. A tested person is probe in the first camera and gallery in the second.

    Parameters
    ----------
    splits : pandas.DataFrame
        `schema.SPLITS` between two cameras.

    Returns
    -------
    list of dict
        ``{"train": [person, ...], "test": [person, ...]}`` a trial, names sorted. Persons seen by
        one camera have no place in this form; a warning names them.

    Raises
    ------
    ValueError
        If there are not exactly two cameras, or a tracklet has two roles.

    See Also
    --------
    from_torchreid : The inverse.
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
        cameras_of = split.groupby("person")["camera"].transform("nunique")
        left_out |= set(split.loc[cameras_of < 2, "person"])
        split = split[cameras_of == 2]
        persons = {role: sorted(set(rows["person"])) for role, rows in split.groupby("role")}
        listing.append({"train": persons.get("train", []), "test": persons.get("probe", [])})
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
    """Convert splits from torchreid's form for iLIDS-VID and PRID 2011.

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
        `schema.SPLITS`. Persons on neither side of a trial have no role in it.

    Raises
    ------
    ValueError
        If the form is another, somebody is named twice or on both sides, or a person is not in the
        data set.
    """
    if not isinstance(listing, list) or not listing or not all(map(_is_side_by_side, listing)):
        raise ValueError(
            "no splits in torchreid's form: expected a list of objects with the lists of names "
            '"train" and "test", one a trial'
        )
    known, tested, named = set(tracklets["person"]), [], []
    for number, sides in enumerate(listing):
        train, test = (_once(sides[side], number, side) for side in ("train", "test"))
        if unknown := (train | test) - known:
            raise ValueError(
                f"split {number}: {len(unknown)} persons are not in the data set: {_some(unknown)}."
                " Use the split of this data set, and ingest all of it"
            )
        if both := train & test:
            raise ValueError(
                f"split {number}: {len(both)} persons train and are tested: {_some(both)}. "
                "Expected every person on one side only: correct the file"
            )
        tested.append(test)
        named += [(trial_name(number), person) for person in train | test]
    splits = splits_of(tracklets, tested, probe_camera, gallery_camera)
    rows = pd.MultiIndex.from_frame(splits[["trial", "person"]])
    return splits[rows.isin(named) | (splits["role"] != "train")].reset_index(drop=True)


def read_splits(
    path: Path | str, tracklets: pd.DataFrame, fingerprint: str | None = None
) -> pd.DataFrame:
    """Read splits from a file.

    Parameters
    ----------
    path : path
        A table of `schema.SPLITS` (``.parquet`` or ``.csv``) or torchreid's form (``.json``).
    tracklets : pandas.DataFrame
        The data set (`schema.TRACKLETS`).
    fingerprint : str, optional
        The expected `split_fingerprint`.

    Returns
    -------
    pandas.DataFrame
        `schema.SPLITS`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it can't be read or is no split of these tracklets; if a row occurs twice, a person is on
        both sides, or a trial has another name than `trial_name` gives, no probe or no gallery; or
        if the fingerprint differs.
    """
    path = expand_home(path)
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".csv", ".json"):
        raise ValueError(f"{displayed(path)}: expected a file that ends in .parquet, .csv or .json")
    try:
        if suffix == ".json":
            splits = from_torchreid(_read_json(path), tracklets)
        else:
            splits = _checked(_read_table(path, suffix), tracklets)
    except FileError:
        raise  # names the file already
    except ValueError as error:
        raise ValueError(f"{displayed(path)}: {error}") from error
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


def _read_json(path: Path) -> Any:
    text = normalised(read_text(path, "splits", _EXPECTED))
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except RecursionError as error:
        raise FileError(
            f"splits {displayed(path)}: lists or objects are nested too deeply; {_EXPECTED}"
        ) from error
    except ValueError as error:
        raise FileError(f"splits {displayed(path)}: not JSON ({error}); {_EXPECTED}") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object with a repeated key, of which json would keep the last value."""
    names = [name for name, _ in pairs]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"an object has {shortened(twice[0])} twice")
    return dict(pairs)


def _read_table(path: Path, suffix: str) -> pd.DataFrame:
    """Read a table; its index names the rows by their line in a text, or from 0."""
    if suffix == ".csv":
        return read_csv(path, "splits", _EXPECTED).rename_axis("line")
    with open_file(path, "splits", _EXPECTED) as file:
        try:
            return read_parquet(file).reset_index(drop=True).rename_axis("row")
        except Exception as error:  # pyarrow's and pandas', by the kind of damage
            cause = (str(error) or type(error).__name__).splitlines()[0]
            raise FileError(
                f"splits {displayed(path)}: no Parquet table ({cause}); {_EXPECTED}"
            ) from error


def _checked(splits: pd.DataFrame, tracklets: pd.DataFrame) -> pd.DataFrame:
    """Check a table's columns and rows, and compare every row with its tracklet."""
    there = [str(column) for column in splits.columns]
    if missing := [column for column in COLUMNS if there.count(column) != 1]:
        raise ValueError(
            f"no column {', '.join(missing)}, or several. Expected {', '.join(COLUMNS)}; it has "
            f"{shortened(', '.join(there))}. {_USE}"
        )
    if splits.empty:
        raise ValueError(f"has no rows, expected one a tracklet and trial. {_USE}")
    splits = splits[COLUMNS].astype(object)
    for column in COLUMNS:
        other = splits[column].map(lambda value: not isinstance(value, str))
        _refuse(splits[other], f"{column} is not text", [column])
        splits[column] = splits[column].map(normalised)
    splits = splits.astype(str)
    for column in COLUMNS:
        _refuse(splits[splits[column] == ""], f"{column} is empty", COLUMNS)
    _refuse(splits[~splits["role"].isin(ROLES)], f"role is none of {', '.join(ROLES)}", ["role"])
    odd = ~splits["trial"].str.fullmatch(_TRIAL)
    _refuse(splits[odd], f"trial is not named as {trial_name(0)}, {trial_name(1)}, ...", ["trial"])
    keys = ["trial", "tracklet", "role"]
    again = splits[splits.duplicated(keys)]
    _refuse(again, "trial, tracklet and role have occurred before", keys)

    keys = ["tracklet", "person", "camera"]
    known = splits[keys].merge(tracklets[keys], on=keys, how="left", indicator=True)
    strange = splits.loc[(known["_merge"] == "left_only").to_numpy(), "tracklet"]
    if not strange.empty:
        raise ValueError(
            f"{strange.nunique()} tracklets are not in the data set, or bear another person or "
            f"camera there: {_some(strange)}. Use the splits of this data set"
        )
    assert_persons_disjoint(splits)
    _check_trials(splits)
    return validate(splits.reset_index(drop=True), SPLITS)


def _check_trials(splits: pd.DataFrame) -> None:
    """Refuse gaps in the trials' numbers, and trials without probes or gallery."""
    trials = set(splits["trial"])
    wanted = [trial_name(trial) for trial in range(len(trials))]
    if missing := [name for name in wanted if name not in trials]:
        raise ValueError(
            f"has {len(trials)} trials, but no {missing[0]}: expected {wanted[0]} to {wanted[-1]}; "
            f"it has {_some(trials)}. {_USE}"
        )
    for role in ("probe", "gallery"):
        if without := trials - set(splits.loc[splits["role"] == role, "trial"]):
            raise ValueError(
                f"no row has the role {role} in {_some(without)}: expected probes and a gallery in "
                f"every trial. {_USE}"
            )


def _refuse(rows: pd.DataFrame, fault: str, columns: Sequence[str]) -> None:
    if not rows.empty:
        raise ValueError(f"{fault}: {listed_rows(rows, columns)}. {_USE}")


def _once(names: Sequence[str], number: int, side: str) -> set[str]:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(
            f"split {number}: {len(twice)} persons stand twice in {side}: {_some(twice)}. Expected "
            "everybody once: correct the file"
        )
    return set(names)


def _some(names: Iterable[str]) -> str:
    return listed([displayed(name) for name in sorted(set(names))])
