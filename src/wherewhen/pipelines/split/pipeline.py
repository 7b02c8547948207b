"""Wires of `split`."""

from collections.abc import Iterable
from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.split import nodes


def create_pipeline(
    trials: Iterable[str], torchreid: bool = False, footage: str | None = None
) -> Pipeline:
    """Return the stage: one table of all trials, and from it one a trial.

    Parameters
    ----------
    trials : iterable of str
        The trials' namespaces.
    torchreid : bool
        Whether the splits are exported to torchreid's form.
    footage : str, optional
        What holds the data set's folder or archive, if the owners' list is looked for in it: the
        splits then follow from it, too.
    """
    split = node(
        nodes.split,
        [
            "tracklets",
            "frames_root",
            "params:split",
            "params:evaluate.protocol",
            *([footage] if footage else []),
        ],
        ["splits", "split_fingerprints"],
        name="split",
    )
    exports = [
        node(nodes.export_torchreid, "splits", "torchreid_splits", name="export_torchreid"),
    ]
    takes = [
        node(
            update_wrapper(partial(nodes.take_trial, trial=trial), nodes.take_trial),
            "splits",
            f"{trial}.split",
            name="take_trial",
            namespace=trial,
        )
        for trial in trials
    ]
    return Pipeline([split, *takes, *(exports if torchreid else [])])
