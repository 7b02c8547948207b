"""What the Kedro side tells MLflow beyond parameters and files: numbers by step, and models."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

import mlflow
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient
from mlflow.utils.time import get_current_time_millis

Record = Mapping[str, float]

BATCH = 500
"""Metrics in one request, half of what MLflow takes at most."""


class MetricLog:
    """Sends training records to the active MLflow run, in batches; to nobody when there is none.

    Parameters
    ----------
    prefix : str
        Put before every metric's name with a dot: the trial, ``trial_00.loss``.
    """

    def __init__(self, prefix: str) -> None:
        run = mlflow.active_run()
        self._prefix = prefix
        self._run_id = run.info.run_id if run else None
        self._pending: list[Metric] = []
        self._steps: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def record(self, values: Record) -> None:
        """Take the values of one step: ``step`` and any number of finite metrics."""
        if self._run_id is None:
            return
        now, step = get_current_time_millis(), int(values["step"])
        self._steps.add(step)
        self._pending += [
            Metric(f"{self._prefix}.{name}", float(value), now, step)
            for name, value in values.items()
            if name != "step" and math.isfinite(value)
        ]
        if len(self._pending) >= BATCH:
            self.flush()

    def complete(self, history: Iterable[Record]) -> None:
        """Send the steps of a history that this run did not see: those before a resumption."""
        for values in history:
            if int(values["step"]) not in self._steps:
                self.record(values)

    def flush(self) -> None:
        """Send what is pending."""
        while self._run_id and self._pending:
            MlflowClient().log_batch(self._run_id, metrics=self._pending[:BATCH])
            del self._pending[:BATCH]


def log_network(weights: Path, name: str) -> None:
    """Log a saved network as an MLflow model that maps clips of cubes to embeddings.

    Parameters
    ----------
    weights : Path
        The file that :class:`wherewhen.datasets.NetworkDataset` wrote.
    name : str
        The model's name within the run.
    """
    import warnings

    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    from wherewhen.datasets import read_network_header

    header = read_network_header(weights)
    grid, channels = header["grid"], header["channels"]
    clips = TensorSpec(np.dtype("float32"), (-1, -1, grid, grid, channels))
    embeddings = TensorSpec(np.dtype("float32"), (-1, -1))
    with warnings.catch_warnings(record=True):
        # MLflow would like an input example, which is megabytes, and type hints, which can't say
        # the shapes: the signature does.
        mlflow.pyfunc.log_model(
            name=name,
            python_model=str(Path(__file__).with_name("mlflow_model.py")),
            artifacts={"network": str(weights)},
            signature=ModelSignature(inputs=Schema([clips]), outputs=Schema([embeddings])),
            pip_requirements=["wherewhen", "torch", "safetensors"],
        )
