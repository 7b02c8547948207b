"""Wires of `report`: tables and curves over all trials, pictures of the first."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.report import nodes


def create_pipeline(trials: Sequence[str], trained: bool = True, embedded: bool = True) -> Pipeline:
    """Return the stage.

    Parameters
    ----------
    trials : sequence of str
        The trials' namespaces.
    trained : bool
        Whether a network is trained, whose course can be drawn.
    embedded : bool
        Whether a network's embeddings are ranked, which can be pictured.
    """
    of_scores = [
        node(nodes.summary_table, "scores", "summary", name="summarise"),
        node(nodes.draw_cmc, "scores", "cmc_curves", name="draw_cmc_curves"),
    ]
    of_training = node(
        nodes.draw_training,
        [f"{trial}.history" for trial in trials],
        "training_curves",
        name="draw_training_curves",
    )
    return Pipeline(
        [
            *of_scores,
            *([of_training] if trained else []),
            *(_pictures(trials[0]) if embedded else []),
        ]
    )


def _pictures(trial: str) -> list:
    """Wire the pictures of one trial."""
    rankings = f"{trial}.rankings_network"
    return [
        node(
            nodes.draw_attention,
            [
                "frames_root",
                "frames",
                "cubes",
                f"{trial}.network",
                f"{trial}.windows",
                rankings,
                "params:report.metric",
                "params:report.attention_tracklets",
            ],
            "attention_over_time",
            name="draw_attention",
        ),
        node(
            nodes.draw_ranked,
            [
                "frames_root",
                "frames",
                rankings,
                "params:report.metric",
                "params:report.probes",
            ],
            ["best_ranked", "worst_ranked"],
            name="draw_ranked_probes",
        ),
    ]
