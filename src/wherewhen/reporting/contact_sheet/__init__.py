"""A contact sheet: tracklets with a few frames of each, as one HTML file without scripts.

``render`` fills ``sheet.html.jinja`` (with ``sheet.css``). The file loads nothing: pictures and
style are in it, and a content security policy makes the browser refuse everything else.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wherewhen.reporting.html import environment

LARGEST = (128, 128)
"""Width and height of a picture, in pixels, at most; a JPEG of it has some 3 KB."""


@dataclass(frozen=True)
class Frame:
    """One frame of a tracklet."""

    jpeg: bytes
    """See `thumbnail`."""
    description: str
    """What it is, for screen readers."""


@dataclass(frozen=True)
class Tracklet:
    """A tracklet of the sheet."""

    name: str
    facts: Sequence[str]
    """What is known of it, a line each."""
    frames: Sequence[Frame]
    """None: they are gone."""
    match: bool = False
    """Whether it is marked as a match."""


@dataclass(frozen=True)
class Section:
    """Tracklets under one heading."""

    title: str
    tracklets: Sequence[Tracklet]


@dataclass(frozen=True)
class Sheet:
    """The whole sheet."""

    title: str
    notes: Sequence[str]
    """Sentences under the title."""
    warning: str | None
    """A sentence that is set apart."""
    sections: Sequence[Section]


def thumbnail(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture (uint8 [H, W, 3]) as a JPEG, no larger than `LARGEST`.

    Examples
    --------
    >>> jpeg = thumbnail(np.zeros((512, 128, 3), np.uint8))
    >>> Image.open(io.BytesIO(jpeg)).size
    (32, 128)
    """
    image, file = Image.fromarray(picture), io.BytesIO()
    image.thumbnail(LARGEST)
    image.save(file, "JPEG", quality=80)
    return file.getvalue()


def render(sheet: Sheet) -> str:
    """Return the sheet as one HTML document, in which every text of its data is escaped."""
    return environment("contact_sheet").get_template("sheet.html.jinja").render(sheet=sheet)
