r"""Learned metrics on few people: the paper's values beside chosen ones, on the same vectors.

On the vectors of an environment, which a run with ``--pipelines embed`` leaves behind::

    uv run kedro run --env development --pipelines synthesise,ingest,split,extract,train,embed
    uv run python benchmarks/metrics.py --features network row_pooled --trials 6

Every row is the mean and the standard deviation over trials of rank-1, with the mAP in brackets;
the last column is what rank-1 and mAP have gained over the row ``fixed``, trial by trial. A row is
a change of the parameters of ``learn_metric``. Settings of the environment's run are given again
as ``--params``, as in `kedro run`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import _record
import pandas as pd

from wherewhen.commands import parse_params
from wherewhen.pipelines.evaluate.nodes import score_vectors
from wherewhen.pipelines.evaluate.parameters import EvaluateParameters
from wherewhen.pipelines.learn_metric.nodes import learn
from wherewhen.pipelines.learn_metric.parameters import LearnMetricParameters
from wherewhen.sessions import View

CHOSEN: dict[str, Any] = {"kissme": {"shrinkage": "auto"}, "lfda": {"shrinkage": "auto"}}
VARIANTS: dict[str, dict[str, Any]] = {
    "fixed": {"dimension": 150, "kissme": {"shrinkage": 0.01}, "lfda": {"shrinkage": 0.01}},
    "chosen": CHOSEN,
    "dimension chosen": {"kissme": {"shrinkage": 0.01}, "lfda": {"shrinkage": 0.01}},
    "shrinkage chosen": {"dimension": 150, **CHOSEN},
    "chosen, cameras centred": {**CHOSEN, "centre": "camera"},
}
"""Parameters of `learn_metric` by the row's name; the first row is what others are held against."""

MEASURES = ("rank-1", "mAP")


def score(embeddings: pd.DataFrame, features: str, variant: str) -> pd.DataFrame:
    """Learn the metrics of one trial as a variant says, and return its scores."""
    parameters = LearnMetricParameters(**VARIANTS[variant])
    metrics, settings = learn(embeddings, parameters)
    for kind, used in settings[settings.chosen].groupby("metric"):
        values = f"{used.dimension.item():.0f}, {used.shrinkage.item():.3g}"
        sys.stderr.write(f"{embeddings.trial.iloc[0]}, {features}, {kind}, {variant}: {values}\n")
    judge = EvaluateParameters(resamples=0)
    scores, _ = score_vectors(embeddings, metrics, judge, parameters.centre, features=features)
    return scores[scores.measure.isin(MEASURES)].assign(variant=variant)


def table(scores: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| features | metric | | trials | rank-1 (mAP) | gained |"
    yield "|---" * 6 + "|"
    first = next(iter(VARIANTS))
    for (features, metric), rows in scores.groupby(["features", "metric"], sort=False):
        values = rows.pivot(index="variant", columns=["measure", "trial"], values="value") * 100
        for variant in [each for each in VARIANTS if each in values.index]:
            rank_1, mean_ap = (values.loc[variant, each].to_numpy() for each in MEASURES)
            gains = [(values.loc[variant, each] - values.loc[first, each]) for each in MEASURES]
            gained = ", ".join(_record.spread(each.to_numpy(), "+") for each in gains)
            found = f"{_record.spread(rank_1)} ({mean_ap.mean():.1f})"
            yield (
                f"| {features} | {metric} | {variant} | {len(rank_1)} | {found} | "
                f"{gained if variant != first else ''} |"
            )


def main() -> None:
    """Score all variants on the chosen trials."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="development", help="an environment in conf/")
    parser.add_argument("--features", nargs="+", default=["network", "row_pooled"])
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--variants", nargs="+", default=[*VARIANTS], choices=[*VARIANTS])
    parser.add_argument("--params", default="", help="those that the environment was run with")
    arguments = parser.parse_args()

    view = View.of(arguments.dataset, parse_params(arguments.params))
    trials = view.parameters.split.trial_names[: arguments.trials]
    variants = dict.fromkeys([next(iter(VARIANTS)), *arguments.variants])
    scores = [
        score(view.catalog.load(f"{trial}.embeddings_{features}"), features, variant)
        for features in arguments.features
        for trial in trials
        for variant in variants
    ]
    sys.stdout.write("\n".join(table(pd.concat(scores))) + "\n")


if __name__ == "__main__":
    main()
