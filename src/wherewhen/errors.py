"""Which errors this package raises on purpose: their messages say all that helps."""

from __future__ import annotations

import traceback
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def raised_here(error: BaseException) -> bool:
    """Whether an error was raised by a ``raise`` in this package.

    Examples
    --------
    >>> from wherewhen.presets import load_preset
    >>> try:
    ...     load_preset("papr")
    ... except ValueError as error:
    ...     raised_here(error)
    True
    """
    return any(
        PACKAGE in Path(frame.filename).resolve().parents and (frame.line or "").startswith("raise")
        for frame in traceback.extract_tb(error.__traceback__)[-1:]
    )
