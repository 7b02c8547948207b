"""Baselines at work: built by name, fitted on a trial's training clips, asked about all clips."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from inspect import signature
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
"""Where the baseline of a name is: ``module:class``, imported when it is asked for."""


def build_baseline(name: str, options: Mapping[str, Any] | None = None) -> Baseline:
    """Build a baseline.

    Parameters
    ----------
    name
        A name of :data:`wherewhen.baselines.BASELINES`.
    options
        What its constructor takes.

    Raises
    ------
    ValueError
        If there is no such baseline, or it does not take one of the options.
    """
    of_class = _class_of(name)
    try:
        return of_class(**(options or {}))
    except TypeError as error:
        raise ValueError(
            f"embed.baselines.{name}: {error}; its options are documented in {of_class.__module__}"
        ) from error


def options_of(name: str) -> list[str]:
    """Name the options of a baseline: what its constructor takes.

    Parameters
    ----------
    name
        A name of :data:`wherewhen.baselines.BASELINES`.

    Raises
    ------
    ValueError
        If there is no such baseline.
    """
    return list(signature(_class_of(name)).parameters)


def _class_of(name: str) -> type[Baseline]:
    if name not in BASELINES:
        raise ValueError(f"no baseline is called {name!r}: {', '.join(BASELINES)} are")
    module, _, of_class = CLASSES[name].partition(":")
    return getattr(import_module(module), of_class)


def describe_windows(
    baseline: Baseline, windows: pd.DataFrame, pictures: TrackletPictures, title: str = ""
) -> list[np.ndarray]:
    """Fit a baseline on the training windows of a trial, and let it describe them all.

    Parameters
    ----------
    baseline
        Is fitted here.
    windows
        Columns ``tracklet, person, camera, role, start, stop``.
    pictures
        Where frames come from.
    title
        Stands before the progress bar.

    Returns
    -------
    list of numpy.ndarray
        float64, [D] each, in the order of the windows.
    """
    clips = [
        Clip(row.tracklet, row.person, row.camera, partial(pictures.clip, row.tracklet, *window))
        for row in windows.itertuples(index=False)
        for window in [(row.start, row.stop)]
    ]
    training = [clip for clip, role in zip(clips, windows.role, strict=True) if role == "train"]
    with one_thread():
        baseline.fit(training)
        described = tqdm(clips, desc=f"describe {title}".strip(), unit="clip")
        return [baseline.describe(clip.frames()) for clip in described]
