"""Pipeline of the stage `evaluate`."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from wherewhen.metric_learning.fused_names import FUSION
from wherewhen.pipelines.embed.features import FEATURES
from wherewhen.pipelines.evaluate import fusion as fusing
from wherewhen.pipelines.evaluate import nodes
from wherewhen.pipelines.evaluate.parameters import FusionParameters
from wherewhen.pipelines.trials import per_trial


def create_pipeline(
    trials: Sequence[str], features: Sequence[str], fusion: FusionParameters | None = None
) -> Pipeline:
    """Return the stage for all trials, and what puts them together."""
    once = Pipeline([_score(name) for name in features])
    scored = list(features)
    if fusion is not None:
        once += _fuse(fusion)
        scored.append(FUSION)
    outputs = [f"{trial}.{{}}_{name}" for trial in trials for name in scored]
    collect = node(
        nodes.collect,
        [name.format(table) for table in ("scores", "rankings") for name in outputs],
        ["scores", "rankings"],
        name="collect_scores",
    )
    together = Pipeline([collect])
    reliabilities = [
        f"{trial}.reliability_{name}"
        for trial in trials
        for name in features
        if FEATURES[name].network
    ]
    if reliabilities:
        together += Pipeline(
            [
                node(
                    nodes.collect_reliability,
                    reliabilities,
                    "reliability",
                    name="collect_reliability",
                )
            ]
        )
    return per_trial(once, trials) + together


def _score(features: str) -> object:
    """Wire the scoring of one kind of features; a network's have its own similarity besides."""
    kind = FEATURES[features]
    if kind.network:
        function = partial(nodes.score_network, features=features)
    else:
        function = partial(nodes.score_vectors, features=features, by_euclidean=kind.euclidean)
    logits, reliability = (
        [f"{name}_{features}"] if kind.network else [] for name in ("logits", "reliability")
    )
    return node(
        update_wrapper(function, function.func),
        [
            f"embeddings_{features}",
            f"metrics_{features}",
            *logits,
            "params:evaluate",
            "params:learn_metric.centre",
        ],
        [f"scores_{features}", f"rankings_{features}", *reliability],
        name=f"score_{features}",
    )


def _fuse(fusion: FusionParameters) -> Pipeline:
    """Wire the scoring of a fusion, and before it the choice of its weights."""
    given = [
        "params:evaluate.fusion",
        "params:learn_metric.centre",
        *(f"embeddings_{name}" for name in fusion.features),
        *(f"metrics_{name}" for name in fusion.learned_on),
    ]
    return Pipeline(
        [
            node(fusing.weigh, given, "fusion_weights", name="weigh_fusion"),
            node(
                fusing.score_fusion,
                ["fusion_weights", "params:evaluate", *given],
                ["scores_fusion", "rankings_fusion"],
                name="score_fusion",
            ),
        ]
    )
