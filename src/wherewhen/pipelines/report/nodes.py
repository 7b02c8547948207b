"""Nodes of `report`: they choose what is shown, the library draws it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wherewhen.features.cube_store import CubeStore
from wherewhen.pipelines.parameters import ReportParameters
from wherewhen.pipelines.types import Figure, Network
from wherewhen.project import from_root
from wherewhen.reporting.pictures import TrackletPictures
from wherewhen.reporting.tables import best_and_worst, summarise

SHOWN = 8
"""Gallery pictures beside a probe."""


def summary_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the scores over the trials."""
    return summarise(scores)


def draw_cmc(scores: pd.DataFrame) -> Figure:
    """Draw the CMC curves of everything that was evaluated."""
    from wherewhen.reporting.figures import cmc_curves

    return cmc_curves(scores)


def draw_training(*histories: pd.DataFrame) -> Figure:
    """Draw the course of training of all trials."""
    from wherewhen.reporting.figures import training_curves

    return training_curves(
        {f"trial_{trial:02d}": history for trial, history in enumerate(histories)}
    )


def draw_attention(
    root: str | Path,
    frames: pd.DataFrame,
    cubes: CubeStore,
    network: Network,
    windows: pd.DataFrame,
    rankings: pd.DataFrame,
    parameters: ReportParameters,
) -> Figure:
    """Lay the network's attention on the frames of some probes and their true matches."""
    from wherewhen.model.encode import encode_tracklets
    from wherewhen.reporting.figures import AttentionStrip, attention_over_time

    shown = _attended(windows, rankings, parameters)
    encodings = encode_tracklets(
        network,
        cubes,
        list(shown[["tracklet", "start", "stop"]].itertuples(index=False, name=None)),
        maps=True,
        progress=False,
    )
    pictures = TrackletPictures(from_root(root), frames)
    strips = [
        AttentionStrip(
            label=f"{row.tracklet} ({row.role})",
            frames=pictures.clip(row.tracklet, row.start, row.stop),
            attention=attention,
            frame_weights=weights,
            positions=np.arange(row.start, row.stop),
        )
        for row, attention, weights in zip(
            shown.itertuples(), encodings.attention, encodings.frame_weights, strict=True
        )
    ]
    trial = rankings.trial.iloc[0]
    return attention_over_time(strips, title=f"Where and when the network looks ({trial})")


def _attended(
    windows: pd.DataFrame, rankings: pd.DataFrame, parameters: ReportParameters
) -> pd.DataFrame:
    """Choose windows: the best ranked probe and its match, then the worst ranked probes."""
    best, worst = best_and_worst(_of_metric(rankings, parameters), parameters.attention_tracklets)
    names = [best.probe.iloc[0], best.gallery.iloc[0], *worst.probe]
    return windows.set_index("tracklet", drop=False).loc[names[: parameters.attention_tracklets]]


def draw_ranked(
    root: str | Path,
    frames: pd.DataFrame,
    rankings: pd.DataFrame,
    parameters: ReportParameters,
) -> tuple[Figure, Figure]:
    """Show the best and the worst ranked probes beside what was retrieved."""
    from wherewhen.reporting.figures import ranked_probes

    chosen = _of_metric(rankings, parameters)
    pictures = TrackletPictures(from_root(root), frames)
    trial = chosen.trial.iloc[0]
    drawn = [
        ranked_probes(
            [_ranked_probe(match, chosen, pictures) for match in matches.itertuples()],
            shown=SHOWN,
            title=f"{which} ranked probes: network + {parameters.metric}, {trial}",
        )
        for which, matches in zip(
            ("Best", "Worst"), best_and_worst(chosen, parameters.probes), strict=True
        )
    ]
    return drawn[0], drawn[1]


def _of_metric(rankings: pd.DataFrame, parameters: ReportParameters) -> pd.DataFrame:
    return rankings[rankings.metric == parameters.metric]


def _ranked_probe(match: Any, rankings: pd.DataFrame, pictures: TrackletPictures) -> Any:
    """Gather the pictures of one probe's ranking."""
    from wherewhen.reporting.figures import RankedProbe

    ranking = rankings[rankings.probe == match.probe].sort_values("rank")
    nearest = ranking.head(SHOWN)
    return RankedProbe(
        label=match.probe,
        picture=pictures.middle(match.probe),
        gallery=[pictures.middle(tracklet) for tracklet in nearest.gallery],
        correct=nearest.correct.to_list(),
        distances=nearest.distance.to_list(),
        match_rank=match.rank,
        match_distance=match.distance,
        gallery_size=len(ranking),
        match_picture=pictures.middle(match.gallery),
    )
