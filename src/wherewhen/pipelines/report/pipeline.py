"""Pipeline of the stage `report`: a table and figures of all trials, pictures of the first."""

from collections.abc import Collection, Sequence

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.figures import figure_nodes
from wherewhen.pipelines.report import nodes


def create_pipeline(trials: Sequence[str], made: Collection[str]) -> Pipeline:
    """Return the stage.

    Parameters
    ----------
    trials : sequence of str
        The trials' namespaces.
    made : collection of str
        The data sets that the stages before make; figures that need others are left out.
    """
    summary = node(nodes.summary_table, "scores", "summary", name="summarise")
    return Pipeline([summary, *figure_nodes("report", made, trials)])
