"""Nodes of `search`."""

from typing import Any

import pandas as pd

from wherewhen.pipelines.search.parameters import SearchParameters
from wherewhen.tracklets.cubes import CubeReader


def embed_gallery(
    cubes: CubeReader, tracklets: pd.DataFrame, parameters: SearchParameters, device: str = "auto"
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Embed all tracklets by a finished model, and measure how far they are from its training."""
    from wherewhen.recogniser import Recogniser

    recogniser = Recogniser.from_pretrained(parameters.model, parameters.metric, device)
    recogniser.card.require_preparation(cubes.identity["backbone"])
    described = recogniser.describe(cubes, frames=parameters.frames, progress=True)
    names = pd.Index(cubes.lengths)
    table = tracklets.set_index("tracklet").loc[names].rename_axis("tracklet").reset_index()
    table["person"] = known_persons(table)
    known = [name for name in ("start", "end") if name in table]
    return (
        table[["tracklet", "person", "camera", "length", *known]].assign(
            vector=list(recogniser.project(described.embeddings).astype("float32"))
        ),
        {
            "model": recogniser.identity,
            "difference": recogniser.difference(described.means),
            "tracklets": len(table),
        },
    )


def known_persons(tracklets: pd.DataFrame) -> pd.Series:
    """Return the person of each tracklet; of junk and distractors its own name.

    Data sets call them all alike, and nobody knows who of them is the same.
    """
    if "kind" not in tracklets:
        return tracklets.person
    return tracklets.person.where(tracklets.kind == "person", tracklets.tracklet)
