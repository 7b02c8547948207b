"""Nodes of `report`: they choose what is shown, the library draws it."""

import pandas as pd

from wherewhen.features.cube_store import CubeStore
from wherewhen.pipelines.types import Figure, Network, Root
from wherewhen.project import from_root
from wherewhen.reporting.pictures import attention_strips, rank_pictures
from wherewhen.reporting.style import describe
from wherewhen.reporting.tables import best_and_worst, summarise
from wherewhen.tracklets.pictures import TrackletPictures
from wherewhen.tracklets.splits import trial_name
from wherewhen.tracklets.windows import as_clips


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

    return training_curves({trial_name(trial): history for trial, history in enumerate(histories)})


def draw_attention(
    root: Root,
    frames: pd.DataFrame,
    cubes: CubeStore,
    network: Network,
    windows: pd.DataFrame,
    rankings: pd.DataFrame,
    metric: str,
    tracklets: int,
) -> Figure:
    """Lay the network's attention on the frames of some probes and their true matches."""
    from wherewhen.model.encode import encode_tracklets
    from wherewhen.reporting.figures import attention_over_time

    best, worst = best_and_worst(rankings[rankings.metric == metric], tracklets)
    names = [best.probe.iloc[0], best.gallery.iloc[0], *worst.probe]
    shown = windows.set_index("tracklet", drop=False).loc[names[:tracklets]]
    encodings = encode_tracklets(network, cubes, as_clips(shown), progress=False, attention=True)
    pictures = TrackletPictures(from_root(root), frames)
    return attention_over_time(
        attention_strips(shown, encodings.attention, encodings.frame_weights, pictures),
        title=f"Where and when the network looks, {rankings.trial.iloc[0]}",
    )


def draw_ranked(
    root: Root,
    frames: pd.DataFrame,
    rankings: pd.DataFrame,
    metric: str,
    probes: int,
) -> tuple[Figure, Figure]:
    """Show the best and the worst ranked probes beside what was retrieved."""
    from wherewhen.reporting.figures import ranked_probes

    chosen = rankings[rankings.metric == metric]
    pictures = TrackletPictures(from_root(root), frames)
    what = f"{describe('network', metric)}, {chosen.trial.iloc[0]}"
    best, worst = (
        ranked_probes(rank_pictures(matches, chosen, pictures), title=f"{which}, {what}")
        for which, matches in zip(
            ("Best ranked", "Worst ranked"),
            best_and_worst(chosen, probes),
            strict=True,
        )
    )
    return best, worst
