"""All measures of one distance matrix, by their names in tables of scores."""

from __future__ import annotations

import numpy as np

from wherewhen.retrieval.average_precision import MEASURES
from wherewhen.retrieval.evaluate import Evaluation, evaluate_task
from wherewhen.retrieval.intervals import bootstrap_means
from wherewhen.retrieval.open_set import equal_error_rate, true_positive_rates
from wherewhen.retrieval.task import Task

RANKS = (1, 5, 10, 20)
"""Ranks of the CMC curve that get an interval."""

COUNTS = ("probes", "probes-without-match", "ties")
"""The measures that are counts; all others are fractions."""

OPEN_SET = {0.01: "tpr@fpr=1%", 0.001: "tpr@fpr=0.1%"}
"""Names of true positive rates by their false positive rate."""


def score(
    task: Task,
    max_rank: int = 20,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Compute all measures of a task.

    Parameters
    ----------
    task : Task
        Distances, names and protocol.
    max_rank : int
        The last rank of the CMC curve.
    confidence, resamples, seed
        Of the intervals: see `intervals.bootstrap_means`; with 0 `resamples` there are none.

    Returns
    -------
    dict of str to float
        ``rank-1`` to ``rank-<max_rank>``, ``mAP`` and ``mAP-trapezoid``; for ranks 1, 5, 10, 20
        and both mAP the ends of their intervals, ``<measure>-low`` and ``<measure>-high``;
        ``tpr@fpr=1%``, ``tpr@fpr=0.1%`` (with at least 100 and 1,000 pairs of two persons) and
        ``eer``; ``probes`` (all), ``probes-without-match`` (in no mean) and ``ties``.

    Raises
    ------
    ValueError
        If the data contradict the protocol or no probe has a true match.

    See Also
    --------
    wherewhen.retrieval.evaluate : Ranks of every probe.

    Examples
    --------
    >>> task = Task([[0.1, 0.3], [0.4, 0.2]], [1, 2], [1, 2], ["a", "a"], ["b", "b"])
    >>> measures = score(task, resamples=0)
    >>> measures["rank-1"], measures["mAP"], measures["eer"]
    (1.0, 1.0, 0.0)
    """
    evaluation = evaluate_task(task, max_rank=max_rank)
    means = _means(evaluation, max_rank)
    measures = evaluation.measures() | {name: float(v.mean()) for name, v in means.items()}
    if resamples:
        ends = bootstrap_means(np.column_stack([*means.values()]), confidence, resamples, seed)
        for end, values in zip(("low", "high"), ends, strict=True):
            measures |= {
                f"{name}-{end}": float(value) for name, value in zip(means, values, strict=True)
            }
    counts = len(evaluation.valid), evaluation.probes_without_match, evaluation.ties
    return measures | _open_set(task) | dict(zip(COUNTS, map(float, counts), strict=True))


def _means(evaluation: Evaluation, max_rank: int) -> dict[str, np.ndarray]:
    """Return the contributions of valid probes to the measures that are means over probes."""
    valid = evaluation.valid
    first = evaluation.first_ranks[valid]
    found = {f"rank-{rank}": (first <= rank) * 1.0 for rank in RANKS if rank <= max_rank}
    return found | {
        name: evaluation.average_precisions_by(definition)[valid]
        for definition, name in MEASURES.items()
    }


def _open_set(task: Task) -> dict[str, float]:
    genuine, impostor = task.pairs()
    if not len(impostor):
        return {}
    rates = true_positive_rates(genuine, impostor, tuple(OPEN_SET))
    measures = {OPEN_SET[rate]: value for rate, value in rates.items()}
    return measures | {"eer": equal_error_rate(genuine, impostor)}
