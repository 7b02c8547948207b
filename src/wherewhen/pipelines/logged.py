"""Warnings of the library as lines of the log."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def warnings_logged(log: logging.Logger, trial: str) -> Iterator[None]:
    """Log each warning of a block once, with the trial, after the block."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for message in sorted({str(warning.message) for warning in caught}):
        log.info("%s: %s", trial, message)
