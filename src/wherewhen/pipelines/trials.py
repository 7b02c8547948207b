"""A trial is a namespace: the same pipeline again, on its own rows of the split table."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, pipeline


def per_trial(once: Pipeline, trials: Iterable[str], shared: set[str]) -> Pipeline:
    """Repeat a pipeline for every trial.

    Parameters
    ----------
    once : Pipeline
        The stage, written for one trial.
    trials : iterable of str
        The namespaces, ``trial_00`` and so on.
    shared : set of str
        The inputs that all trials read: data sets made before the split, and parameters.

    Returns
    -------
    Pipeline
        All of them; everything that is not shared carries the trial's name before a dot.
    """
    inputs = {name for name in shared if not name.startswith("params:")}
    parameters = shared - inputs
    return sum(
        (pipeline(once, namespace=trial, inputs=inputs, parameters=parameters) for trial in trials),
        start=Pipeline([]),
    )
