"""Evaluation by the number of frames of probes and of gallery tracklets (Fig 7)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from wherewhen.retrieval.evaluate import evaluate_task
from wherewhen.retrieval.task import Task


def length_matrix(
    embeddings: pd.DataFrame,
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray],
    protocol: str = "single_match",
) -> pd.DataFrame:
    """Evaluate every length of the probes against every length of the gallery.

    Parameters
    ----------
    embeddings : pandas.DataFrame
        Columns ``frames, tracklet, person, camera, role, start, stop, vector``. For every test
        tracklet one row a length: ``frames`` is the length, [``start``, ``stop``) the window, which
        is shorter where the tracklet is, and ``vector`` its embedding.
    distance : callable
        Maps probes [P, D] and gallery [G, D] to distances [P, G].
    protocol : str
        A key of `protocols.PROTOCOLS`.

    Returns
    -------
    pandas.DataFrame
        One row a pair of lengths: ``probe_frames, gallery_frames, rank-1, mAP`` (fractions), and
        ``probes_shorter, gallery_shorter``, the share of the tracklets with fewer frames, all of
        which were used.

    Raises
    ------
    ValueError
        If a length lacks tracklets that another has, or as for `evaluate`.
    """
    sides = {role: _by_length(embeddings, role) for role in ("probe", "gallery")}
    rows = []
    for probe_frames, probes in sides["probe"].items():
        for gallery_frames, gallery in sides["gallery"].items():
            distances = distance(_matrix(probes), _matrix(gallery))
            task = Task.of_tables(distances, probes, gallery, protocol)
            rows.append(
                {
                    "probe_frames": probe_frames,
                    "gallery_frames": gallery_frames,
                    **evaluate_task(task, max_rank=1).measures(),
                    "probes_shorter": _shorter(probes, probe_frames),
                    "gallery_shorter": _shorter(gallery, gallery_frames),
                }
            )
    return pd.DataFrame(rows)


def _by_length(embeddings: pd.DataFrame, role: str) -> dict[int, pd.DataFrame]:
    of_role = embeddings[embeddings.role == role]
    lengths = {int(frames): rows for frames, rows in of_role.groupby("frames")}
    everybody = set(of_role.tracklet)
    for frames, rows in lengths.items():
        if missing := everybody - set(rows.tracklet):
            raise ValueError(
                f"{role} {min(missing)} is missing among those of {frames} frames: expected every "
                "tracklet once a length, with all its frames where it has no more"
            )
    return lengths


def _matrix(rows: pd.DataFrame) -> np.ndarray:
    return np.stack(rows.vector.to_list()).astype(np.float64)


def _shorter(rows: pd.DataFrame, frames: int) -> float:
    return float((rows.stop - rows.start < frames).mean())
