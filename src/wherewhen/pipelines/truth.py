"""What rendered tracklets show, from the tables of a run."""

from collections.abc import Collection

import pandas as pd

from wherewhen.pipelines.types import Root
from wherewhen.project import from_root
from wherewhen.synthetic.truth import Truth, read_truths


def truths_of(tracklets: Collection[str], frames: pd.DataFrame, people: Root) -> dict[str, Truth]:
    """Read the truth of tracklets of the table `frames`, beside the rendered people."""
    ordered = frames[frames.tracklet.isin(tracklets)].sort_values(["tracklet", "position"])
    groups = ordered.groupby("tracklet", sort=False)
    firsts = zip(groups.path.first().items(), groups.size(), strict=True)
    return read_truths(from_root(people), {name: (path, n) for (name, path), n in firsts})
