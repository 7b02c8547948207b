"""Labels of persons, cameras and tracklets: any array-like, compared by value and as one type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any


def plain_values(name: str, values: Iterable[Any], length: int) -> list[Any]:
    """Turn an array-like [N] into a list of Python values.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    values : array_like [N]
        A sequence, an array of NumPy, pandas or torch, or a sequence of their scalars.
    length : int
        N, the number of rows or of columns of the distance matrix.

    Raises
    ------
    ValueError
        If there are not N values along one axis.
    """
    if isinstance(values, (str, bytes, Mapping, Set)) or getattr(values, "ndim", 1) != 1:
        found = getattr(values, "shape", None)
        found = type(values).__name__ if found is None else f"of shape {tuple(found)}"
        raise ValueError(f"{name} is {found}: expected a sequence of {length} values")
    listed = values.tolist() if hasattr(values, "tolist") else list(values)
    if len(listed) != length:
        raise ValueError(
            f"{name} has {len(listed)} entries: expected {length}, one for each of them in "
            "distances"
        )
    return [_plain(name, value) for value in listed]


def paired_labels(
    kind: str, probes: Iterable[Any], gallery: Iterable[Any], shape: tuple[int, int]
) -> tuple[list[str] | list[int], list[str] | list[int]]:
    """Return labels of probes and gallery as one type, text or whole numbers.

    Parameters
    ----------
    kind : {"persons", "cameras"}
        What they name, for messages.
    probes, gallery : array_like [P], [G]
        The labels, as for `plain_values`.
    shape : (int, int)
        P and G.

    Returns
    -------
    probes, gallery : list of str or list of int
        Labels that are equal if and only if they mean the same person or camera. A float such as
        -1.0 becomes the integer.

    Raises
    ------
    ValueError
        If a label is missing or neither text nor a whole number, or if some labels are text and
        others are numbers: whether "0001" and 1 are the same is not known here.

    Examples
    --------
    >>> import numpy as np
    >>> paired_labels("persons", [3.0], np.array([3, -1]), (1, 2))
    ([3], [3, -1])
    """
    names = f"probe_{kind}", f"gallery_{kind}"
    sides = [
        [_label(name, value) for value in plain_values(name, values, length)]
        for name, values, length in zip(names, (probes, gallery), shape, strict=True)
    ]
    texts, numbers = (
        [label for side in sides for label in side if isinstance(label, kind)]
        for kind in (str, int)
    )
    if texts and numbers:
        raise ValueError(
            f"{' and '.join(names)} hold both text and numbers, such as "
            f"{texts[0]!r} and {numbers[0]!r}: expected one type on both sides; convert one of them"
        )
    return sides[0], sides[1]


def _plain(name: str, value: Any) -> Any:
    if not hasattr(value, "item"):
        return value
    try:
        return value.item()
    except (ValueError, RuntimeError) as error:  # of NumPy, of torch
        raise ValueError(f"{name} holds {value!r}: expected single values") from error


def _label(name: str, value: Any) -> str | int:
    if isinstance(value, str):
        return value
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    raise ValueError(f"{name} holds {value!r}: expected text or whole numbers")
