"""Wires of `report`: tables and curves over all trials, pictures of the first."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.report import nodes


def create_pipeline(trials: Sequence[str]) -> Pipeline:
    """Return the stage.

    Parameters
    ----------
    trials : sequence of str
        The trials' namespaces.
    """
    first = trials[0]
    rankings = f"{first}.rankings_network"
    return Pipeline(
        [
            node(nodes.summary_table, "scores", "summary", name="summarise"),
            node(nodes.draw_cmc, "scores", "cmc_curves", name="draw_cmc_curves"),
            node(
                nodes.draw_training,
                [f"{trial}.history" for trial in trials],
                "training_curves",
                name="draw_training_curves",
            ),
            node(
                nodes.draw_attention,
                [
                    "frames_root",
                    "frames",
                    "cubes",
                    f"{first}.network",
                    f"{first}.windows",
                    rankings,
                    "params:report",
                ],
                "attention_over_time",
                name="draw_attention",
            ),
            node(
                nodes.draw_ranked,
                ["frames_root", "frames", rankings, "params:report"],
                ["best_ranked", "worst_ranked"],
                name="draw_ranked_probes",
            ),
        ]
    )
