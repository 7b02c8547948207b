"""Nodes of `analyse`: tables that need the network or its rankings, and their pictures."""

from collections.abc import Sequence

import pandas as pd

from wherewhen.features.cube_store import CubeStore
from wherewhen.pipelines.types import Figure, Network, Root
from wherewhen.project import from_root
from wherewhen.reporting.looks import (
    attention_table,
    frame_weight_table,
    high_response,
    least_even,
)
from wherewhen.reporting.pictures import failure_pictures, strips_of_table, weighted_clips
from wherewhen.reporting.style import describe
from wherewhen.reporting.tables import failures
from wherewhen.retrieval.distances import DISTANCES
from wherewhen.retrieval.lengths import length_matrix
from wherewhen.tracklets.pictures import TrackletPictures
from wherewhen.tracklets.threads import one_thread
from wherewhen.tracklets.windows import as_clips, windows_by_length

CLIP = ["tracklet", "start", "stop"]


def measure_lengths(
    network: Network,
    cubes: CubeStore,
    split: pd.DataFrame,
    tracklets: pd.DataFrame,
    batch_size: int,
    dataset: str,
    protocol: str,
    sides: Sequence[int],
    metric: str,
) -> pd.DataFrame:
    """Evaluate all lengths of probes against all of the gallery; each clip is embedded once."""
    from wherewhen.model.encode import encode_tracklets

    lengths = dict(zip(tracklets.tracklet, tracklets.length, strict=True))
    windows = windows_by_length(split, lengths, sides)
    once = windows.drop_duplicates(CLIP, ignore_index=True)
    vectors = encode_tracklets(network, cubes, as_clips(once), batch_size).embeddings
    once = once.assign(vector=list(vectors))
    embedded = windows.merge(once[[*CLIP, "vector"]], on=CLIP, validate="many_to_one")
    with one_thread():
        matrix = length_matrix(embedded, DISTANCES[metric], protocol)
    names = {
        "dataset": dataset,
        "protocol": protocol,
        "trial": split.trial.iloc[0],
        "features": "network",
        "metric": metric,
    }
    return pd.concat([pd.DataFrame(names, index=matrix.index), matrix], axis=1)


def look(
    network: Network,
    cubes: CubeStore,
    windows: pd.DataFrame,
    batch_size: int,
    tracklets: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Note when the network looks at all probes, and where, at those of the least even attention.

    Some probes are pictured; to take the least even ones is to show what attention does at most.
    """
    from wherewhen.model.encode import encode_tracklets

    probes = windows[windows.role == "probe"]
    seen = encode_tracklets(network, cubes, as_clips(probes), batch_size, attention=True)
    shares = [maps.reshape(len(maps), -1) for maps in seen.attention]
    chosen = least_even(shares, tracklets)
    pictured = probes.iloc[chosen]
    attention = attention_table(
        pictured,
        [seen.attention[place] for place in chosen],
        [seen.frame_weights[place] for place in chosen],
        [high_response(cubes.read(*clip)) for clip in as_clips(pictured)],
    )
    return frame_weight_table(probes, seen.frame_weights), attention


def list_failures(rankings: pd.DataFrame, ranked: int | None, metric: str) -> pd.DataFrame:
    """List all probes whose match does not come first, the worst first."""
    return failures(rankings[rankings.metric == metric], complete=ranked is None)


def draw_lengths(matrix: pd.DataFrame, title: str = "") -> Figure:
    """Draw rank-1 over the lengths of probes and gallery."""
    from wherewhen.reporting.figures import length_map

    where = f"{matrix.dataset.iloc[0]}, protocol {matrix.protocol.iloc[0]}"
    return length_map(matrix, title=title or f"Rank-1 over lengths, {where}")


def draw_frame_weights(
    root: Root,
    frames: pd.DataFrame,
    weights: pd.DataFrame,
    tracklets: int,
    title: str = "",
) -> Figure:
    """Draw the weights of the frames of the probes that have the least even ones."""
    from wherewhen.reporting.figures import frame_weights_over_time

    clips = [rows for _, rows in weights.groupby("tracklet", sort=False)]
    chosen = least_even([rows.weight.to_numpy() for rows in clips], tracklets)
    shown = pd.concat([clips[place] for place in chosen])
    return frame_weights_over_time(
        weighted_clips(shown, _pictures(root, frames)),
        title=title or f"When the network looks, {weights.trial.iloc[0]}",
        facts=f"the {len(chosen)} of {len(clips)} probes whose frames are weighted least evenly",
    )


def draw_attention(
    root: Root, frames: pd.DataFrame, attention: pd.DataFrame, title: str = ""
) -> Figure:
    """Draw where the network looks, and what its backbone answers to."""
    from wherewhen.reporting.figures import attention_over_time

    trial = attention.trial.iloc[0]
    return attention_over_time(
        strips_of_table(attention, _pictures(root, frames)),
        title=title or f"Where the network looks, probes of the least even attention, {trial}",
    )


def draw_failures(
    root: Root,
    frames: pd.DataFrame,
    failed: pd.DataFrame,
    rankings: pd.DataFrame,
    metric: str,
    number: int,
    title: str = "",
) -> Figure:
    """Draw the worst failures beside what was retrieved and the true match."""
    from wherewhen.reporting.figures import failed_probes

    judged = rankings[rankings.metric == metric]
    shown = failed.head(number)
    what = f"{describe('network', metric)}, {judged.trial.iloc[0]}"
    return failed_probes(
        failure_pictures(shown, _pictures(root, frames)),
        title=title or f"Failures, {what}",
        facts=f"the worst {len(shown)} of {len(failed)} failures "
        f"among {judged.probe[judged.correct].nunique()} probes",
    )


def _pictures(root: Root, frames: pd.DataFrame) -> TrackletPictures:
    return TrackletPictures(from_root(root), frames)
