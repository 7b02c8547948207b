"""Draw splits, or derive them from what is fixed: who trains and who is tested in each trial.

A person is on one side only. Between two cameras, the role of a tracklet follows from its person's
side and its camera: probes come from one camera, the gallery from the other (Section V-C; decisions
24 and 26). The tested persons are drawn, or listed in an official file (`split_files`). In MARS the
split of the tracklets is fixed: trials differ by the seeds of training, and the protocol says which
test tracklets are gallery.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pandas as pd

from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.schema import SPLITS, TRACKLETS, validate

COLUMNS = ["trial", "tracklet", "person", "camera", "role"]

FIXED_PROTOCOLS = ("official", "query_excluded", "two_camera")
"""The protocols for which `fixed_splits` gives roles."""


def trial_name(index: int) -> str:
    """Return the name of a trial.

    Examples
    --------
    >>> trial_name(0)
    'trial_00'
    """
    return f"trial_{index:02d}"


def trial_number(name: str) -> int:
    """Return the number of a trial: the inverse of `trial_name`."""
    return int(name.rpartition("_")[2])


def draw_splits(
    tracklets: pd.DataFrame,
    trials: int,
    seed: int,
    train_fraction: float = 0.5,
    probe_camera: str | None = None,
    gallery_camera: str | None = None,
    protocol: str = "single_match",
) -> pd.DataFrame:
    """Draw the training and the tested persons of every trial.

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
    protocol : str
        `two_camera`: each test person's two cameras, and a tracklet of each, are drawn in each
        trial, so `probe_camera` and `gallery_camera` don't count, and whoever is seen by any two
        cameras can be tested. All other protocols test between two cameras.

    Returns
    -------
    pandas.DataFrame
        As from `splits_of`; with `two_camera`, distractors have no role.

    Raises
    ------
    ValueError
        If a parameter is out of range, a camera unknown, or too few persons are seen by both
        cameras to test at least one and train as many as asked.

    See Also
    --------
    splits_of : For tested persons that are known.
    fixed_splits : For data sets with a fixed split.

    Examples
    --------
    >>> rows = [(f"{camera}/{person}", person, camera, 9) for camera in "ab" for person in "pq"]
    >>> tracklets = pd.DataFrame(rows, columns=["tracklet", "person", "camera", "length"])
    >>> draw_splits(tracklets, trials=1, seed=0)[["tracklet", "role"]].to_numpy().tolist()
    [['a/p', 'train'], ['a/q', 'probe'], ['b/p', 'train'], ['b/q', 'gallery']]
    """
    validate(tracklets, TRACKLETS)
    _check_trials(trials)
    if not 0 <= train_fraction < 1:
        raise ValueError(f"train_fraction is {train_fraction}: expected at least 0 and below 1")
    drawn_cameras = protocol == "two_camera"
    if drawn_cameras:
        matched, by = _seen_by_two(tracklets), "any two cameras"
    else:
        cameras = _test_cameras(tracklets, probe_camera, gallery_camera)
        matched, by = _matched(tracklets, *cameras), f"both {' and '.join(cameras)}"
    training = round(train_fraction * len(matched))
    if len(matched) - training < 1 or (train_fraction > 0 and training < 1):
        raise ValueError(
            f"{len(matched)} persons are seen by {by}: too few to split with train_fraction "
            f"{train_fraction}. Expected at least one on each side: use more persons or another "
            "fraction; and the same person must bear the same name in both cameras"
        )
    names = np.array(sorted(matched), dtype=object)
    tested = [
        np.random.default_rng([seed, trial]).permutation(names)[training:]
        for trial in range(trials)
    ]
    if not drawn_cameras:
        return splits_of(tracklets, tested, *cameras)
    splits = []
    for trial, chosen in enumerate(tested):
        subset = pd.Series("train", tracklets.index).mask(tracklets["person"].isin(chosen), "test")
        subset = subset.where(_kinds(tracklets) == "person", "")
        generator = np.random.default_rng([seed, trial, 1])  # 1: cameras, not persons
        roles = _by_subset(tracklets.assign(subset=subset), protocol, generator)
        splits.append(_finish(roles, trial))
    return _together(splits)


def splits_of(
    tracklets: pd.DataFrame,
    tested: Sequence[Collection[str]],
    probe_camera: str | None = None,
    gallery_camera: str | None = None,
) -> pd.DataFrame:
    """Assign roles to tracklets, given the tested persons of each trial.

    Parameters
    ----------
    tracklets : pandas.DataFrame
        The data set (`schema.TRACKLETS`), rows in any order.
    tested : sequence of collections of str
        For each trial the persons who are tested; all others train.
    probe_camera, gallery_camera : str, optional
        The cameras of probes and gallery; by default the first and the second in sorted order.

    Returns
    -------
    pandas.DataFrame
        `schema.SPLITS`, sorted by trial and tracklet. A person who is not seen by both test cameras
        trains in every trial (as a negative, if seen by one camera) and is never probe or gallery.
        Tracklets of test persons in further cameras have no role and are left out. Distractors
        (column `kind`) are gallery in every trial where the gallery's camera saw them, and nothing
        else; junk has no role.

    Raises
    ------
    ValueError
        If a camera is unknown, or a trial tests nobody or somebody who is not a person seen by both
        cameras.
    """
    validate(tracklets, TRACKLETS)
    probe_camera, gallery_camera = _test_cameras(tracklets, probe_camera, gallery_camera)
    matched = _matched(tracklets, probe_camera, gallery_camera)
    splits = []
    for trial, names in enumerate(tested):
        if unknown := sorted(set(names) - matched):
            raise ValueError(
                f"{trial_name(trial)} tests {len(unknown)} persons who are not seen by both "
                f"{probe_camera} and {gallery_camera}: {', '.join(unknown[:10])}. Use the split of "
                "this very data set, and ingest all of it"
            )
        if not len(names):
            raise ValueError(f"{trial_name(trial)} tests nobody: expected at least one person")
        split = _by_cameras(tracklets, set(names), probe_camera, gallery_camera)
        splits.append(_finish(split, trial))
    return _together(splits)


def fixed_splits(
    tracklets: pd.DataFrame, trials: int, seed: int = 0, protocol: str = "official"
) -> pd.DataFrame:
    """Assign roles in a data set with a fixed split and fixed queries, as MARS.

    Parameters
    ----------
    tracklets : pandas.DataFrame
        The data set (`schema.TRACKLETS`) with its columns `subset` and `query`.
    trials : int
        Number of trials. They are equal, to repeat the training with other seeds, except those of
        `two_camera`.
    seed : int
        The seed of `two_camera`.
    protocol : str
        `official` and `query_excluded`: the queries are probes, and all test tracklets, including
        queries, junk and distractors, are gallery, so a tracklet may have two roles. The evaluation
        ignores junk and, for `query_excluded`, the queries. `two_camera`: of every test person seen
        by two cameras, one tracklet is probe and one of another camera gallery, both drawn in each
        trial; the gallery has no others.

    Returns
    -------
    pandas.DataFrame
        `schema.SPLITS`, sorted by trial, tracklet and role.

    Raises
    ------
    ValueError
        If a parameter is out of range, the protocol unknown, or the columns are not there.
    """
    validate(tracklets, TRACKLETS)
    _check_trials(trials)
    if protocol not in FIXED_PROTOCOLS:
        raise ValueError(
            f"protocol {protocol!r} gives no roles in a data set with a fixed split: expected one "
            f"of {', '.join(FIXED_PROTOCOLS)}"
        )
    if not has_fixed_split(tracklets):
        raise ValueError(
            "the tracklets have no columns subset and query: their split is not fixed by the data "
            "set's authors; draw splits, or read one from a file"
        )
    splits = [
        _finish(_by_subset(tracklets, protocol, np.random.default_rng([seed, trial])), trial)
        for trial in range(trials)
    ]
    return _together(splits)


def has_fixed_split(tracklets: pd.DataFrame) -> bool:
    """Whether a table of tracklets has the columns `subset` and `query` of a fixed split."""
    return {"subset", "query"} <= set(tracklets.columns)


def take_trials(splits: pd.DataFrame, trials: int) -> pd.DataFrame:
    """Return the rows of the first trials of a table of splits.

    Raises
    ------
    ValueError
        If there are fewer trials, or they have other names.
    """
    wanted = [trial_name(trial) for trial in range(trials)]
    there = sorted(set(splits["trial"]))
    if missing := [name for name in wanted if name not in there]:
        raise ValueError(
            f"{trials} trials are asked for, but {missing[0]} is not among the {len(there)} given "
            f"({there[0]} to {there[-1]}): ask for as many as there are"
        )
    return splits[splits["trial"].isin(wanted)].reset_index(drop=True)


def split_fingerprint(split: pd.DataFrame) -> str:
    """Return the fingerprint of one trial or several: equal for equal splits on every machine.

    Parameters
    ----------
    split : pandas.DataFrame
        `schema.SPLITS`, rows in any order.
    """
    rows = split[COLUMNS].sort_values(COLUMNS).astype(str)
    return fingerprint(rows.to_numpy().tolist())


def assert_persons_disjoint(split: pd.DataFrame) -> None:
    """Raise a `ValueError` if somebody trains and is tested in the same trial.

    Parameters
    ----------
    split : pandas.DataFrame
        `schema.SPLITS`, one trial or several.
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
    """Draw validation persons from the training persons.

    Parameters
    ----------
    persons : iterable of str
        The training persons; order and repetitions do not matter.
    fraction : float
        The share to hold out, in [0, 1). Above 0 at least one person is held out.
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

    Examples
    --------
    >>> hold_out(["p", "q", "r", "s"], fraction=0.25, seed=0)
    (['p', 'q', 's'], ['r'])
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


def validation_split(
    split: pd.DataFrame,
    fraction: float,
    seed: int,
    protocol: str = "single_match",
    probe_camera: str | None = None,
    gallery_camera: str | None = None,
) -> pd.DataFrame:
    """Split a trial's training persons into training and validation persons, to tune settings.

    The validation persons become probe and gallery. The test persons are not in the result.

    Parameters
    ----------
    split : pandas.DataFrame
        `schema.SPLITS`, of one trial.
    fraction : float
        Share, in (0, 1), of the training persons seen by both test cameras (of two cameras, where
        `protocol` is one of `FIXED_PROTOCOLS`) to hold out.
    seed : int
        The seed of that draw, at least 0.
    protocol : str
        Where it is one of `FIXED_PROTOCOLS`, held-out persons have the roles that `fixed_splits`
        gives to test persons, their first tracklet in every camera being a query, as in MARS;
        otherwise those of `splits_of`.
    probe_camera, gallery_camera : str, optional
        As for `draw_splits`.

    Returns
    -------
    pandas.DataFrame
        `schema.SPLITS`, of the same trial.

    Raises
    ------
    ValueError
        If there are several trials, or too few training persons to hold some out.
    """
    names = sorted(set(split["trial"]))
    if len(names) != 1:
        raise ValueError(
            f"the split holds {len(names)} trials ({', '.join(names[:5])}): expected one"
        )
    (name,) = names
    training = split.loc[split["role"] == "train", ["tracklet", "person", "camera"]]
    if protocol in FIXED_PROTOCOLS:
        matched = _seen_by_two(training)
    else:
        probe_camera, gallery_camera = _test_cameras(training, probe_camera, gallery_camera)
        matched = _matched(training, probe_camera, gallery_camera)
    _, held_out = hold_out(matched, fraction, seed)
    if not held_out:
        raise ValueError(
            f"{name}: nobody is held out of {len(matched)} training persons at a fraction "
            f"{fraction}: expected a fraction above 0"
        )
    if protocol in FIXED_PROTOCOLS:
        tested = training["person"].isin(held_out)
        first = ~training.sort_values("tracklet").duplicated(["person", "camera"])
        training = training.assign(subset=np.where(tested, "test", "train"), query=tested & first)
        derived = _by_subset(training, protocol, np.random.default_rng(seed))
    else:
        derived = _by_cameras(training, set(held_out), probe_camera, gallery_camera)
    return _together([_finish(derived, trial_number(name))])


def _by_cameras(
    tracklets: pd.DataFrame, tested: Collection[str], probe_camera: str, gallery_camera: str
) -> pd.DataFrame:
    """Assign the tested persons' tracklets the roles of their cameras; all others train."""
    roles = {probe_camera: "probe", gallery_camera: "gallery"}
    by_camera, kinds = tracklets["camera"].map(roles), _kinds(tracklets)
    split = tracklets[["tracklet", "person", "camera"]].copy()
    split["role"] = by_camera.where(split["person"].isin(tested), "train")
    split.loc[kinds == "distractor", "role"] = by_camera.where(by_camera == "gallery")
    split.loc[kinds == "junk", "role"] = None
    return split


def _by_subset(
    tracklets: pd.DataFrame, protocol: str, generator: np.random.Generator
) -> pd.DataFrame:
    """Assign the roles that follow from subset, query and protocol."""
    keys = ["tracklet", "person", "camera"]
    train = tracklets.loc[tracklets["subset"] == "train", keys].assign(role="train")
    test = tracklets[tracklets["subset"] == "test"].reset_index(drop=True)
    if protocol == "two_camera":
        probes, gallery = (test.loc[rows] for rows in _draw_two(_by_camera(test), generator))
    else:
        probes, gallery = test[test["query"]], test
    sides = [train, probes[keys].assign(role="probe"), gallery[keys].assign(role="gallery")]
    return pd.concat(sides)


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


def _check_trials(trials: int) -> None:
    if trials < 1:
        raise ValueError(f"trials is {trials}: expected at least 1")


def _kinds(tracklets: pd.DataFrame) -> pd.Series:
    return tracklets["kind"] if "kind" in tracklets else pd.Series("person", tracklets.index)


def _matched(tracklets: pd.DataFrame, *cameras: str) -> set[str]:
    """Return the persons seen by all these cameras, without junk and distractors."""
    persons = tracklets[_kinds(tracklets) == "person"]
    return set.intersection(
        *(set(persons.loc[persons["camera"] == camera, "person"]) for camera in cameras)
    )


def _seen_by_two(tracklets: pd.DataFrame) -> set[str]:
    """Return the persons seen by two cameras or more, without junk and distractors."""
    persons = tracklets[_kinds(tracklets) == "person"]
    cameras = persons.groupby("person")["camera"].nunique()
    return set(cameras.index[cameras > 1])


def _by_camera(test: pd.DataFrame) -> list[list[np.ndarray]]:
    """List the rows of every camera for each test person seen by two cameras or more."""
    persons = test[_kinds(test) == "person"].sort_values("tracklet")
    cameras: dict[str, list[np.ndarray]] = {}
    for (person, _), rows in persons.groupby(["person", "camera"], sort=True).groups.items():
        cameras.setdefault(person, []).append(rows.to_numpy())
    several = [rows for rows in cameras.values() if len(rows) > 1]
    if not several:
        raise ValueError(
            "protocol two_camera: no test person is seen by two cameras; use another protocol"
        )
    return several


def _draw_two(
    several: list[list[np.ndarray]], generator: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Draw a person's two cameras, in order, and a tracklet from each."""
    probes, gallery = [], []
    for cameras in several:
        first, second = generator.permutation(len(cameras))[:2]
        probes.append(generator.choice(cameras[first]))
        gallery.append(generator.choice(cameras[second]))
    return probes, gallery


def _finish(split: pd.DataFrame, trial: int) -> pd.DataFrame:
    split.insert(0, "trial", trial_name(trial))
    return split.dropna(subset=["role"]).sort_values(["tracklet", "role"])


def _together(splits: Sequence[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(splits, ignore_index=True)[COLUMNS].astype(str)
    assert_persons_disjoint(table)
    return validate(table, SPLITS)
