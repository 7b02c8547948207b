"""Nodes of `analyse`: tables that need the network or its rankings."""

from collections.abc import Sequence

import pandas as pd

from wherewhen.pipelines.types import Network
from wherewhen.reporting.looks import (
    attention_table,
    frame_weight_table,
    high_response,
    least_even,
    with_metric,
)
from wherewhen.reporting.tables import failures
from wherewhen.retrieval.distances import DISTANCES
from wherewhen.retrieval.lengths import length_matrix
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.threads import one_thread
from wherewhen.tracklets.windows import as_windows, windows_by_length

WINDOW = ["tracklet", "start", "stop"]


def measure_lengths(
    network: Network,
    cubes: CubeReader,
    split: pd.DataFrame,
    tracklets: pd.DataFrame,
    batch_size: int,
    dataset: str,
    protocol: str,
    sides: Sequence[int],
    metric: str,
    device: str = "auto",
) -> pd.DataFrame:
    """Evaluate all lengths of probes against all of the gallery; each window is embedded once."""
    from wherewhen.model.encode import encode_tracklets

    lengths = dict(zip(tracklets.tracklet, tracklets.length, strict=True))
    windows = windows_by_length(split, lengths, sides)
    once = windows.drop_duplicates(WINDOW, ignore_index=True)
    vectors = encode_tracklets(
        network, cubes, as_windows(once), batch_size, device=device
    ).embeddings
    once = once.assign(vector=list(vectors))
    embedded = windows.merge(once[[*WINDOW, "vector"]], on=WINDOW, validate="many_to_one")
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
    cubes: CubeReader,
    windows: pd.DataFrame,
    batch_size: int,
    tracklets: int,
    device: str = "auto",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the frame weights of all probes, and the attention maps of the least even ones."""
    from wherewhen.model.encode import encode_tracklets

    probes = windows[windows.role == "probe"]
    seen = encode_tracklets(
        network, cubes, as_windows(probes), batch_size, attention=True, device=device
    )
    shares = [maps.reshape(len(maps), -1) for maps in seen.attention]
    chosen = least_even(shares, tracklets)
    pictured = probes.iloc[chosen]
    attention = attention_table(
        pictured,
        [seen.attention[place] for place in chosen],
        [seen.frame_weights[place] for place in chosen],
        [high_response(cubes.read(window)) for window in as_windows(pictured)],
    )
    return frame_weight_table(probes, seen.frame_weights), attention


def list_failures(rankings: pd.DataFrame, ranked: int | None, metric: str) -> pd.DataFrame:
    """List all probes whose match does not come first, the worst first."""
    return failures(with_metric(rankings, metric), complete=ranked is None)
