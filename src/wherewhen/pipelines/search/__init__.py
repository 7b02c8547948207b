"""Stage `search`: embeddings of all tracklets by a finished model, for an index to search in."""

from wherewhen.pipelines.stages import Stage

STAGE = Stage(
    "search",
    "wherewhen.pipelines.search.parameters:SearchParameters",
    needs=("extract",),
    by_name=True,
)
