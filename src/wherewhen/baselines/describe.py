"""Build baselines by name; fit one on a trial's training clips and describe all clips."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from inspect import signature
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from wherewhen.baselines import BASELINES
from wherewhen.baselines.base import Baseline, Clip
from wherewhen.tracklets.pictures import TrackletPictures
from wherewhen.tracklets.threads import one_thread

CLASSES = {
    "hog3d": "wherewhen.baselines.hog3d:HOG3D",
    "fv2d": "wherewhen.baselines.fv2d:FV2D",
    "fv3d": "wherewhen.baselines.fv3d:FV3D",
    "stfv3d": "wherewhen.baselines.stfv3d:STFV3D",
    "colour_lbp": "wherewhen.baselines.colour_lbp:ColourLBP",
    "s_lstm": "wherewhen.baselines.s_lstm:SLSTM",
    "rcn": "wherewhen.baselines.rcn:RCN",
}
"""The class of each baseline, ``module:class``; imported on use."""


def build_baseline(name: str, options: Mapping[str, Any] | None = None) -> Baseline:
    """Build a baseline.

    Parameters
    ----------
    name : str
        One of `wherewhen.baselines.BASELINES`.
    options : mapping, optional
        Arguments of its constructor.

    Raises
    ------
    ValueError
        If the name or an option is unknown.

    Examples
    --------
    >>> build_baseline("hog3d", {"blocks": 2}).blocks
    2
    """
    of_class = _class_of(name)
    try:
        return of_class(**(options or {}))
    except TypeError as error:
        raise ValueError(
            f"embed.baselines.{name}: {error}; its options are documented in {of_class.__module__}"
        ) from error


def options_of(name: str) -> list[str]:
    """Return the names of a baseline's options: the parameters of its constructor."""
    return list(signature(_class_of(name)).parameters)


def _class_of(name: str) -> type[Baseline]:
    if name not in BASELINES:
        raise ValueError(f"no baseline is called {name!r}: {', '.join(BASELINES)} are")
    return resolve_name(CLASSES[name])


def describe_windows(
    baseline: Baseline, windows: pd.DataFrame, pictures: TrackletPictures, title: str = ""
) -> list[np.ndarray]:
    """Fit a baseline on a trial's training windows, and describe all windows.

    Parameters
    ----------
    baseline : Baseline
        Is fitted here.
    windows : pandas.DataFrame
        Columns ``tracklet, person, camera, role, start, stop``.
    pictures : TrackletPictures
        Reads the frames.
    title : str
        Of the progress bar.

    Returns
    -------
    list of numpy.ndarray, float64 [D]
        Vectors in the order of the windows.
    """
    clips = [
        Clip(
            row.tracklet,
            row.person,
            row.camera,
            partial(pictures.clip, row.tracklet, row.start, row.stop),
        )
        for row in windows.itertuples(index=False)
    ]
    training = [clip for clip, role in zip(clips, windows.role, strict=True) if role == "train"]
    with one_thread():
        baseline.fit(training)
        described = tqdm(clips, desc=f"describe {title}".strip(), unit="clip")
        return [baseline.describe(clip.frames()) for clip in described]
