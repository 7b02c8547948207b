"""Batches that memory does not hold; importing this does not import torch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Part = TypeVar("Part")

log = logging.getLogger(__name__)

_SAID = (
    "can't allocate memory",  # torch on a CPU
    "could not create a memory object",  # oneDNN
    "CUBLAS_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)
"""What libraries that know no error of memory say by a RuntimeError."""


def is_exhausted(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, of the machine or of a GPU.

    Examples
    --------
    >>> is_exhausted(MemoryError()), is_exhausted(RuntimeError("DefaultCPUAllocator: can't "
    ...     "allocate memory: you tried to allocate 64 bytes")), is_exhausted(RuntimeError("other"))
    (True, True, False)
    """
    if isinstance(error, MemoryError):  # NumPy's are, too
        return True
    if not isinstance(error, RuntimeError):
        return False
    import torch

    return isinstance(error, torch.OutOfMemoryError) or any(each in str(error) for each in _SAID)


class WithinMemory(Generic[Part]):
    """Computes batches in parts that memory holds: halves of them whenever it does not.

    Parameters
    ----------
    compute : callable
        From slices of the batch's sequences to what it makes of them, each item by itself.
    too_large : callable
        From one item's sequences to what to say if memory does not hold even that.

    Examples
    --------
    >>> def total(items):
    ...     if len(items) > 2:
    ...         raise MemoryError
    ...     return sum(items)
    >>> WithinMemory(total, str)([1, 2, 3, 4, 5])
    [3, 7, 5]
    """

    def __init__(self, compute: Callable[..., Part], too_large: Callable[..., str]) -> None:
        self._compute, self._too_large = compute, too_large
        self._most: int | None = None

    def __call__(self, *batch: Any) -> list[Part]:
        """Compute a batch; return what was made of its parts, in order.

        Raises
        ------
        MemoryError
            If there is no room for a single item.
        """
        items = len(batch[0])
        while True:
            size = min(self._most or items, items)
            try:
                return [
                    self._compute(*(each[first : first + size] for each in batch))
                    for first in range(0, items, size)
                ]
            except Exception as error:
                if not is_exhausted(error):
                    raise
                if size == 1:
                    raise MemoryError(self._too_large(*batch)) from None
                self._most = size // 2
                log.warning(
                    "memory does not hold a batch of %d: it is computed in parts of %d from now on "
                    "(the last digits of float32 may differ, see docs/explanation/determinism.md)",
                    size, self._most,
                )  # fmt: skip
            _release()  # here, where the error holds no tensors any more


def _release() -> None:
    """Give back the memory of a GPU that torch keeps for later."""
    import torch

    torch.cuda.empty_cache()
