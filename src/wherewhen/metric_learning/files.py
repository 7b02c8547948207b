"""Files of fitted metrics: fitted attributes as safetensors, parameters as JSON in the header.

No content of a file is executed, and no class is imported by a name in it: steps are rebuilt from
`STEPS` and the registry, or refused. A metric that was written and read computes the same distances
to the bit, unless it was stored in float32.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer

from wherewhen.atomic import replacing
from wherewhen.metric_learning.pca import CappedPCA
from wherewhen.metric_learning.registry import METRICS
from wherewhen.tensor_headers import check_header

HEADER = "metrics"
"""The only entry of the header: safetensors does not keep the order of several."""

LAYOUT = 2
"""Version of the layout described in `_rebuilt`."""

STEPS = {"normalise": Normalizer, "pca": CappedPCA}
"""Classes of the steps before a metric, in their order."""


class MetricsFileError(ValueError):
    """A file does not hold metrics that can be rebuilt, or metrics can't be written."""


def write_metrics(
    metrics: Mapping[str, Pipeline], path: str | Path, precision: str = "float64"
) -> None:
    """Write fitted metrics into one file; equal metrics make equal files, to the byte.

    Equal steps, such as the PCA that several metrics share, are stored once.

    Parameters
    ----------
    metrics : mapping of str to sklearn.pipeline.Pipeline
        The return value of `wherewhen.metric_learning.fit_metrics`; the order is kept.
    path : str or Path
        The file, ``.safetensors``; it is written whole or not at all.
    precision : {"float64", "float32"}
        How numbers are stored; ``float32`` takes half the room and rounds them.

    Raises
    ------
    MetricsFileError
        If a step is unknown or not fitted, a parameter is not a number, text or None, or an array
        is not finite. Nothing is written.

    See Also
    --------
    read_metrics : Reads the file.
    """
    try:
        header, tensors = _described(metrics)
        tensors = {name: _rounded(array, precision) for name, array in tensors.items()}
        _rebuilt(header, tensors)  # the checks of reading
    except MetricsFileError as error:
        raise MetricsFileError(f"{path}: these metrics can't be stored: {error}") from error
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    with replacing(Path(path)) as partial:
        save_file(tensors, partial, metadata={HEADER: text})


def read_metrics(path: str | Path) -> dict[str, Pipeline]:
    """Read fitted metrics, in their order; equal steps are shared.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    MetricsFileError
        If the file is damaged, of another kind or layout, or its parts do not fit together.

    See Also
    --------
    write_metrics : Writes the file.
    """
    try:
        check_header(path)
        with safe_open(path, framework="numpy") as opened:
            header = (opened.metadata() or {}).get(HEADER)
            _require(header is not None, f"there is no `{HEADER}` in its header")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        return _rebuilt(json.loads(header), tensors)
    except OSError:
        raise
    # safetensors, JSON and NumPy each raise several kinds of errors for a file of another kind
    except Exception as error:
        raise MetricsFileError(
            f"{path} can't be read as fitted metrics ({error}): expected a file of write_metrics; "
            "delete it and learn the metrics again (stage learn_metric)"
        ) from error


def _require(holds: Any, message: str) -> None:
    if not holds:
        raise MetricsFileError(message)


def _rounded(array: np.ndarray, precision: str) -> np.ndarray:
    if array.dtype != np.float64 or precision == "float64":
        return array
    with np.errstate(over="ignore"):  # what becomes infinite is refused by name
        return array.astype(precision)


def _classes() -> dict[str, type[BaseEstimator]]:
    return STEPS | {name: kind.estimator() for name, kind in METRICS.items()}


def _axes(estimator: type[BaseEstimator]) -> dict[str, str]:
    """Return the fitted attributes of a class and their axes."""
    return {"n_features_in_": "", **getattr(estimator, "FITTED", {})}


def _described(metrics: Mapping[str, Pipeline]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Split metrics into the header (see `_rebuilt`) and tensors."""
    known: dict[Any, int] = {}
    header: dict[str, Any] = {"layout": LAYOUT, "metrics": [], "steps": []}
    tensors: dict[str, np.ndarray] = {}
    for name, metric in metrics.items():
        _require(
            isinstance(metric, Pipeline),
            f"metric {name} is of class {type(metric).__name__}: expected a fitted Pipeline",
        )
        numbers = []
        for step, estimator in metric.steps:
            where = f"metric {name}, step {step}"
            arrays = _fitted_arrays(step, estimator, where)
            parameters = _plain(estimator.get_params(deep=False), where)
            content = [(key, array.shape, array.tobytes()) for key, array in arrays.items()]
            number = known.setdefault((step, str(parameters), *content), len(known))
            if number == len(header["steps"]):
                header["steps"].append([step, parameters])
                tensors |= {f"{number}.{key}": array for key, array in arrays.items()}
            numbers.append(number)
        header["metrics"].append([name, numbers])
    return header, tensors


def _fitted_arrays(step: str, estimator: BaseEstimator, where: str) -> dict[str, np.ndarray]:
    """Return fitted attributes as C-contiguous arrays, by their name in the file."""
    expected = _classes().get(step)
    # A subclass is refused too: it may compute something else.
    _require(
        type(estimator) is expected,
        f"{where} is of class {type(estimator).__name__}: expected a step of metric_pipeline",
    )
    arrays = {}
    for attribute in _axes(expected):
        _require(hasattr(estimator, attribute), f"{where} has no {attribute}: fit it first")
        array = np.asarray(getattr(estimator, attribute))
        # Matrix products round differently by memory order, so that of columns is kept.
        if array.ndim == 2 and abs(array.strides[0]) < abs(array.strides[1]):
            attribute, array = f"{attribute}.T", array.T
        arrays[attribute] = np.ascontiguousarray(array).reshape(array.shape)
    return arrays


def _plain(parameters: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return parameters as values that JSON keeps exactly."""
    plain = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in parameters.items()
    }
    for key, value in plain.items():
        _require(
            value is None
            or isinstance(value, (bool, int, str))
            or (isinstance(value, float) and np.isfinite(value)),
            f"{where}: parameter {key} is {value!r}: expected a finite number, a text or None, "
            "which a file can hold",
        )
    return plain


def _rebuilt(header: Any, tensors: Mapping[str, np.ndarray]) -> dict[str, Pipeline]:
    """Build metrics from a header and tensors.

    The header has ``layout``; ``steps``, a list of names and parameters; and ``metrics``, a list of
    names and the indices of their steps. The attributes of step 3 are the tensors ``3.ATTRIBUTE``,
    or ``3.ATTRIBUTE.T``, transposed, for an array in Fortran order.
    """
    _require(
        header.get("layout") == LAYOUT,
        f"it was written by another version of wherewhen, in layout {header.get('layout', 1)} and "
        f"not {LAYOUT}",
    )
    unused = dict(tensors)
    steps = [
        (name, _estimator(number, name, parameters, unused))
        for number, (name, parameters) in enumerate(header["steps"])
    ]
    _require(not unused, f"no step has the tensors {', '.join(sorted(unused))}")
    metrics: dict[str, Pipeline] = {}
    for name, numbers in header["metrics"]:
        _require(
            isinstance(name, str) and name not in metrics,
            f"metric {name!r} is no text, or is there twice",
        )
        _require(
            all(type(number) is int and 0 <= number < len(steps) for number in numbers),
            f"metric {name} has the steps {numbers}: expected from 0 to {len(steps) - 1}",
        )
        metrics[name] = _pipeline(f"metric {name}", [steps[number] for number in numbers])
    return metrics


def _pipeline(where: str, steps: list[tuple[str, BaseEstimator]]) -> Pipeline:
    names = [name for name, _ in steps]
    _require(
        names
        and names[-1] in METRICS
        and names[:-1] == [name for name in STEPS if name in names[:-1]],
        f"{where} has the steps {', '.join(names) or 'none'}: expected some of "
        f"{', '.join(STEPS)} and then one of {', '.join(METRICS)}",
    )
    features = steps[0][1].n_features_in_
    for name, estimator in steps:
        _require(
            estimator.n_features_in_ == features,
            f"{where}, step {name} takes {estimator.n_features_in_} features, but the step before "
            f"gives {features}",
        )
        features = len(getattr(estimator, "components_", range(features)))
    return Pipeline(steps)


def _estimator(
    number: int, name: Any, parameters: Any, unused: dict[str, np.ndarray]
) -> BaseEstimator:
    """Build a fitted estimator and take its tensors from `unused`."""
    classes = _classes()
    _require(
        isinstance(name, str) and name in classes,
        f"step {number} is {name!r}: expected one of {', '.join(classes)}",
    )
    estimator = classes[name]().set_params(**_plain(parameters, f"step {number}"))
    sizes: dict[str, int] = {}
    for attribute, axes in _axes(classes[name]).items():
        value = _taken(f"{number}.{attribute}", axes, unused, sizes)
        if attribute == "n_features_in_":
            sizes["D"] = value
        setattr(estimator, attribute, value)
    return estimator


def _taken(
    name: str, axes: str, unused: dict[str, np.ndarray], sizes: dict[str, int]
) -> np.ndarray | int:
    """Take an attribute's tensor and check it; `sizes` has those of the axes that are known."""
    transposed = f"{name}.T" in unused
    _require(transposed or name in unused, f"the tensor {name} is missing")
    array = unused.pop(f"{name}.T").T if transposed else unused.pop(name)
    dtypes = ("float64", "float32") if axes else ("int64",)
    _require(
        array.dtype in dtypes and array.ndim == len(axes),
        f"{name} is {array.dtype} with {array.ndim} axes: expected {dtypes[0]} with {len(axes)}",
    )
    if not axes:
        _require(array >= 0, f"{name} is {array}: expected a whole number from 0")
        return int(array)
    expected = tuple(sizes.setdefault(*each) for each in zip(axes, array.shape, strict=True))
    _require(
        array.shape == expected and array.size,
        f"{name} has shape {array.shape}: expected {expected}, nothing empty",
    )
    _require(np.isfinite(array).all(), f"{name} has NaN or infinite values: expected finite ones")
    return np.array(array, dtype=np.float64, order="K")
