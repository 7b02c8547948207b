"""A trial is a namespace: the same pipeline again, on its own rows of the split table."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, pipeline

SHARED = {"cubes", "cubes_identity", "tracklets", "frames", "frames_root", "synthetic_people"}
"""Data sets made before the split, which all trials read."""


def per_trial(once: Pipeline, trials: Iterable[str]) -> Pipeline:
    """Repeat a pipeline for every trial.

    Parameters
    ----------
    once : Pipeline
        The stage, written for one trial.
    trials : iterable of str
        The namespaces, ``trial_00`` and so on.

    Returns
    -------
    Pipeline
        All of them; everything but parameters and `SHARED` carries the trial's name before a dot.
    """
    inputs = SHARED & once.inputs()
    parameters = {name for name in once.inputs() if name.startswith("params:")}
    return sum(
        (pipeline(once, namespace=trial, inputs=inputs, parameters=parameters) for trial in trials),
        start=Pipeline([]),
    )
