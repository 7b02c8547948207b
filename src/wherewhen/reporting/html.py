"""What the HTML pages share: escaping templates, and pictures that lie in the page."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(folder: str) -> Environment:
    """Return the environment of the templates in a folder of this package."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("wherewhen.reporting", folder),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters["data_uri"] = data_uri
    return made


def data_uri(picture: bytes, kind: str = "png") -> str:
    """Return a picture's file as a URL that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
