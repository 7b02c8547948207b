"""Pipeline of the stage `assemble`."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline, node

from wherewhen.pipelines.assemble import nodes
from wherewhen.pipelines.trials import per_trial


def create_pipeline(
    trials: Sequence[str], features: Sequence[str], rendered: bool = False, started: bool = False
) -> Pipeline:
    """Return the stage for all trials.

    Parameters
    ----------
    trials : sequence of str
        The trials' namespaces; none if no network is trained.
    features : sequence of str
        Kinds of features, whose scores stand on the card.
    rendered : bool
        Whether people are rendered.
    started : bool
        Whether training started from the weights of a file.
    """
    once = Pipeline(
        [
            node(
                nodes.assemble,
                [
                    "learned_from",
                    "network",
                    "metrics_network",
                    "embeddings_network",
                    "cubes",
                    "cubes_identity",
                    "split",
                    "params:extract",
                    "params:embed.frames",
                    "params:evaluate.protocol",
                    "params:assemble.metric",
                    *(f"scores_{name}" for name in features),
                ],
                "model",
                name="assemble",
            )
        ]
    )
    return per_trial(once, trials) + Pipeline(
        [_describe(trial, rendered, started) for trial in trials]
    )


def _describe(trial: str, rendered: bool, started: bool) -> Node:
    """Make the node that says what one trial's network has learned from."""
    known = ["tracklets", "ingest_report", f"{trial}.split", "params:evaluate.dataset"]
    return node(
        nodes.describe_rendered if rendered else nodes.describe_filmed,
        [
            *known,
            *(["params:synthesise"] if rendered else []),
            *([f"params:train.start.{trial}"] if started else []),
        ],
        f"{trial}.learned_from",
        name="describe_training",
        namespace=trial,
    )
