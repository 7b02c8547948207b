"""Pipeline of the stage `split`."""

from collections.abc import Iterable
from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.split import nodes


def create_pipeline(
    trials: Iterable[str], torchreid: bool = False, footage: str | None = None
) -> Pipeline:
    """Return the stage: a table of all trials, and one for each trial.

    Parameters
    ----------
    trials : iterable of str
        The trials' namespaces.
    torchreid : bool
        Whether the splits are exported to torchreid's form.
    footage : str, optional
        Catalog entry of the footage, if it may hold an official list, on which splits then depend.
    """
    read = ["tracklets", "frames_root", "params:split", "params:evaluate.protocol"]
    read += [footage] if footage else []
    split = node(nodes.split, read, ["splits", "split_fingerprints"], name="split")
    export = node(nodes.export_torchreid, "splits", "torchreid_splits", name="export_torchreid")
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
    return Pipeline([split, *takes, *([export] if torchreid else [])])
