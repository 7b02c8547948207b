"""Files of fitted metrics: arrays as safetensors, the rest as JSON in the same file's header.

Nothing in such a file is code, and no class is imported by a name that it holds: a step is rebuilt
from `CLASSES` or refused. Distances of a metric that was read equal those of the metric that was
written, to the bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer

from wherewhen.atomic import replacing
from wherewhen.metric_learning.kissme import KISSME
from wherewhen.metric_learning.lfda import LFDA
from wherewhen.metric_learning.pipeline import METRICS, CappedPCA
from wherewhen.metric_learning.rank_svm import RankSVM
from wherewhen.metric_learning.xqda import XQDA

HEADER = "metrics"
"""The only entry of the header: safetensors writes several in an order that changes."""


class MetricsFileError(ValueError):
    """A file that holds no metrics that this version can rebuild, or metrics that fit no file."""


@dataclass(frozen=True)
class Stored:
    """What a file holds of a fitted estimator, apart from the parameters of its constructor.

    Axes are letters, D for the features that come in and E for those that go out; where a letter
    is repeated, the sizes have to agree.

    Attributes
    ----------
    make : type
        The class.
    arrays : mapping of str to str
        Its fitted arrays, float64 and finite, and their axes.
    counts : mapping of str to str
        Its fitted whole numbers: the axis whose size each is, or "" for any number from 0.
    reals : tuple of str
        Its other fitted numbers.
    parts : mapping of str to str
        Its fitted estimators and their classes.
    """

    make: type[BaseEstimator]
    arrays: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, str] = field(default_factory=dict)
    reals: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)


_PAIRS = {"similar_pairs_": "", "dissimilar_pairs_": ""}

CLASSES: dict[str, Stored] = {
    "Normalizer": Stored(Normalizer, counts={"n_features_in_": "D"}),
    "CappedPCA": Stored(
        CappedPCA, counts={"n_features_in_": "D", "dimension_": "E"}, parts={"pca_": "PCA"}
    ),
    "PCA": Stored(
        PCA,
        arrays={
            "components_": "ED",
            "mean_": "D",
            "explained_variance_": "E",
            "explained_variance_ratio_": "E",
            "singular_values_": "E",
        },
        counts={"n_features_in_": "D", "n_components_": "E", "n_samples_": ""},
        reals=("noise_variance_",),
    ),
    "KISSME": Stored(
        KISSME, arrays={"components_": "DD"}, counts={"n_features_in_": "D", **_PAIRS}
    ),
    "LFDA": Stored(
        LFDA, arrays={"components_": "ED", "eigenvalues_": "E"}, counts={"n_features_in_": "D"}
    ),
    "XQDA": Stored(
        XQDA,
        arrays={"components_": "ED", "eigenvalues_": "E"},
        counts={"n_features_in_": "D", **_PAIRS},
    ),
    "RankSVM": Stored(
        RankSVM, arrays={"weights_": "D"}, counts={"n_features_in_": "D", "triplets_": ""}
    ),
}
"""All classes that a file may name. An estimator that is added to the pipelines is added here."""

BEFORE = ("Normalizer", "CappedPCA")
"""Classes of the steps before a metric."""

LAST = tuple(estimator.__name__ for estimator in METRICS.values())
"""Classes of the last step, the metric."""


def write_metrics(metrics: Mapping[str, Pipeline], path: str | Path) -> None:
    """Write fitted metrics into one file; equal metrics make equal files, to the byte.

    Steps that are equal, like the PCA that several metrics share, are stored once. The names of
    features that scikit-learn keeps of data frames are not stored.

    Parameters
    ----------
    metrics : mapping of str to sklearn.pipeline.Pipeline
        As `wherewhen.metric_learning.pipeline.fit_metrics` returns them; their order is kept.
    path : str or Path
        The file, ``.safetensors``; it appears whole or not at all.

    Raises
    ------
    MetricsFileError
        If a step is not of `CLASSES` or not fitted, a parameter is no number, text or None, or an
        array is not finite. Nothing is written then.
    """
    try:
        header, tensors = _described(metrics)
        _rebuilt(header, tensors)  # what reading would refuse is not written
    except _Refused as refused:
        raise MetricsFileError(f"{path}: these metrics can't be stored: {refused}") from refused
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    with replacing(Path(path)) as partial:
        save_file(tensors, partial, metadata={HEADER: text})


def read_metrics(path: str | Path) -> dict[str, Pipeline]:
    """Read fitted metrics; nothing that the file holds is executed or imported.

    Parameters
    ----------
    path : str or Path
        A file of `write_metrics`.

    Returns
    -------
    dict of str to sklearn.pipeline.Pipeline
        The metrics in their order; equal steps are shared.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    MetricsFileError
        If the file is damaged, of another kind, or doesn't fit together.
    """
    try:
        return _rebuilt(*_opened(Path(path)))
    except OSError:
        raise
    # safetensors, JSON and NumPy each raise several kinds of errors for a file of another kind
    except Exception as error:
        raise MetricsFileError(
            f"{path} can't be read as fitted metrics ({error}): expected a file of write_metrics; "
            "delete it and learn the metrics again (stage learn_metric)"
        ) from error


class _Refused(ValueError):
    """What doesn't fit, for a message that names the file."""


def _require(holds: Any, message: str) -> None:
    if not holds:
        raise _Refused(message)


# --- from metrics to a header and tensors ---------------------------------------------------------


def _described(metrics: Mapping[str, Pipeline]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Split metrics into the header (see `_rebuilt`) and tensors."""
    known: dict[Any, int] = {}
    steps: list[dict[str, Any]] = []
    tensors: dict[str, np.ndarray] = {}
    listed = []
    for name, metric in metrics.items():
        _require(
            isinstance(metric, Pipeline),
            f"metric {name} is of class {type(metric).__name__}: expected a fitted Pipeline",
        )
        numbers = []
        for step, estimator in metric.steps:
            arrays: dict[str, np.ndarray] = {}
            description = _describe(estimator, f"metric {name}, step {step}", "", arrays)
            content = tuple((key, array.tobytes()) for key, array in arrays.items())
            number = known.setdefault((json.dumps(description), content), len(steps))
            if number == len(steps):
                steps.append(description)
                tensors |= {f"{number}.{key}": array for key, array in arrays.items()}
            numbers.append([step, number])
        listed.append([name, numbers])
    return {"metrics": listed, "steps": steps}, tensors


def _describe(
    estimator: BaseEstimator, where: str, prefix: str, arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Describe a fitted estimator as JSON, and add its arrays, C-contiguous, to `arrays`."""
    name = type(estimator).__name__
    stored = CLASSES.get(name)
    # a subclass is refused, too: it may compute something else
    _require(
        stored is not None and type(estimator) is stored.make,
        f"{where} is of class {name}: expected one of {', '.join(CLASSES)}; add other classes to "
        "wherewhen.metric_learning.files.CLASSES",
    )
    orders = {}
    for attribute in stored.arrays:
        array = _fitted(estimator, attribute, where)
        orders[attribute] = _order(array)
        arrays[prefix + attribute] = np.ascontiguousarray(array)
    return {
        "class": name,
        "parameters": {
            key: _plain(value, f"{where}: parameter {key}")
            for key, value in estimator.get_params(deep=False).items()
        },
        "numbers": {
            attribute: _plain(_fitted(estimator, attribute, where), f"{where}: {attribute}")
            for attribute in (*stored.counts, *stored.reals)
        },
        "orders": orders,
        "parts": {
            attribute: _describe(
                _fitted(estimator, attribute, where),
                f"{where}: {attribute}",
                f"{prefix}{attribute}.",
                arrays,
            )
            for attribute in stored.parts
        },
    }


def _fitted(estimator: BaseEstimator, attribute: str, where: str) -> Any:
    _require(hasattr(estimator, attribute), f"{where} has no {attribute}: fit it first")
    return getattr(estimator, attribute)


def _order(array: np.ndarray) -> str:
    """Tell which axis runs fastest: products of matrices round otherwise in the other order."""
    by_columns = array.ndim == 2 and abs(array.strides[0]) < abs(array.strides[1])
    return "F" if by_columns else "C"


def _plain(value: Any, where: str) -> Any:
    """Return a value that JSON keeps exactly."""
    if isinstance(value, np.generic):
        value = value.item()
    _require(
        value is None or isinstance(value, (bool, int, float, str)),
        f"{where} is {value!r}: expected a number, a text or None, which a file can hold",
    )
    _require(
        not isinstance(value, float) or np.isfinite(value), f"{where} is {value}: expected finite"
    )
    return value


# --- from a header and tensors to metrics ---------------------------------------------------------


def _opened(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    with safe_open(path, framework="numpy") as opened:
        header = (opened.metadata() or {}).get(HEADER)
        _require(header is not None, f"there is no `{HEADER}` in its header")
        names = opened.keys()
        return json.loads(header), {name: opened.get_tensor(name) for name in names}


def _rebuilt(header: Any, tensors: Mapping[str, np.ndarray]) -> dict[str, Pipeline]:
    """Build metrics from a header and tensors.

    The header has ``steps``, a description each, and ``metrics``: names with the names and numbers
    of their steps. The arrays of step 3 are the tensors ``3.ATTRIBUTE``.
    """
    _has_keys(header, ("metrics", "steps"), "the header")
    unused = dict(tensors)
    steps = []
    for number, description in enumerate(header["steps"]):
        sizes: dict[str, int] = {}
        estimator = _estimator(description, f"{number}.", unused, sizes, (*BEFORE, *LAST))
        steps.append((estimator, sizes))
    _require(not unused, f"no step has the tensors {', '.join(sorted(unused))}")
    metrics = {}
    for name, numbers in header["metrics"]:
        _require(
            isinstance(name, str) and name not in metrics,
            f"metric {name!r} is no text, or is there twice",
        )
        metrics[name] = _pipeline(f"metric {name}", numbers, steps)
    return metrics


def _pipeline(where: str, numbers: Any, steps: list[tuple[BaseEstimator, dict]]) -> Pipeline:
    """Chain steps whose sizes fit each other."""
    chosen, features = [], None
    for step, number in numbers:
        _require(
            isinstance(step, str) and isinstance(number, int) and 0 <= number < len(steps),
            f"{where}, step {step!r} is number {number!r}: expected one from 0 to {len(steps) - 1}",
        )
        estimator, sizes = steps[number]
        _require(
            features in (None, sizes["D"]),
            f"{where}, step {step} takes {sizes['D']} features, but the step before gives "
            f"{features}",
        )
        features = sizes.get("E", sizes["D"])
        chosen.append((step, estimator))
    classes = [type(estimator).__name__ for _, estimator in chosen]
    _require(
        classes and set(classes[:-1]) <= set(BEFORE) and classes[-1] in LAST,
        f"{where} has the steps {', '.join(classes) or 'none'}: expected some of "
        f"{', '.join(BEFORE)} and then one of {', '.join(LAST)}",
    )
    _require(
        len(dict(chosen)) == len(chosen), f"{where} has a step twice: expected different names"
    )
    return Pipeline(chosen)


def _estimator(
    description: Any,
    prefix: str,
    unused: dict[str, np.ndarray],
    sizes: dict[str, int],
    allowed: tuple[str, ...],
) -> BaseEstimator:
    """Build a fitted estimator, take its tensors from `unused`, and learn the `sizes` of axes."""
    where = f"step {prefix}".rstrip(".")
    _has_keys(description, ("class", "numbers", "orders", "parameters", "parts"), where)
    name = description["class"]
    _require(
        isinstance(name, str) and name in allowed,
        f"{where} is of class {name!r}: expected one of {', '.join(allowed)}",
    )
    stored = CLASSES[name]
    estimator = stored.make(**_parameters(description["parameters"], stored, where))
    numbers = _numbers(description["numbers"], stored, sizes, where)
    _has_keys(description["orders"], tuple(stored.arrays), f"{where}, orders")
    arrays = {
        attribute: _array(
            f"{prefix}{attribute}", axes, description["orders"][attribute], unused, sizes
        )
        for attribute, axes in stored.arrays.items()
    }
    _has_keys(description["parts"], tuple(stored.parts), f"{where}, parts")
    parts = {
        attribute: _estimator(
            description["parts"][attribute], f"{prefix}{attribute}.", unused, sizes, (part,)
        )
        for attribute, part in stored.parts.items()
    }
    for attribute, value in (numbers | arrays | parts).items():
        setattr(estimator, attribute, value)
    return estimator


def _parameters(found: Any, stored: Stored, where: str) -> dict[str, Any]:
    known = stored.make().get_params(deep=False)
    _require(
        isinstance(found, dict) and set(found) <= set(known),
        f"{where} has parameters that {stored.make.__name__} doesn't know: expected among "
        f"{', '.join(sorted(known))}",
    )
    return {key: _plain(value, f"{where}: parameter {key}") for key, value in found.items()}


def _numbers(found: Any, stored: Stored, sizes: dict[str, int], where: str) -> dict[str, Any]:
    _has_keys(found, (*stored.counts, *stored.reals), f"{where}, numbers")
    for attribute, axis in stored.counts.items():
        count, least = found[attribute], 1 if axis else 0
        _require(
            type(count) is int and count >= least,
            f"{where}: {attribute} is {count!r}: expected a whole number from {least}",
        )
        if axis:
            _agree(sizes, axis, count, f"{where}: {attribute}")
    for attribute in stored.reals:
        value = found[attribute]
        _require(
            type(value) in (int, float) and np.isfinite(value),
            f"{where}: {attribute} is {value!r}: expected a finite number",
        )
    return found


def _array(
    name: str, axes: str, order: Any, unused: dict[str, np.ndarray], sizes: dict[str, int]
) -> np.ndarray:
    """Take an array of the expected kind and shape, in the order that it had in memory."""
    _require(name in unused, f"the tensor {name} is missing")
    array = unused.pop(name)
    _require(array.dtype == np.float64, f"{name} is {array.dtype}: expected float64")
    _require(array.ndim == len(axes), f"{name} has {array.ndim} axes: expected {len(axes)}")
    for axis, size in zip(axes, array.shape, strict=True):
        _agree(sizes, axis, size, f"{name}, shape {array.shape}")
    _require(np.isfinite(array).all(), f"{name} has NaN or infinite values: expected finite ones")
    _require(order in ("C", "F"), f"{name} has the order {order!r}: expected C or F")
    return np.array(array, order=order)


def _agree(sizes: dict[str, int], axis: str, size: int, where: str) -> None:
    expected = sizes.setdefault(axis, size)
    _require(size == expected, f"{where}: {size} along axis {axis}, expected {expected}")
    _require(size, f"{where}: nothing along axis {axis}, expected 1 or more")


def _has_keys(found: Any, keys: tuple[str, ...], where: str) -> None:
    _require(
        isinstance(found, dict) and set(found) == set(keys),
        f"{where} should have {', '.join(sorted(keys)) or 'nothing'}, and nothing else",
    )
