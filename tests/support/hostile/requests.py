"""Requests of a served model, and uploads of the search page."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hostile import case
from hostile.pictures import _flipped, encoded, many_scans, png_of_size

PICTURE = base64.b64encode(encoded()).decode()


def _request(given: str, said: str, frames: Any, name: Any = "anna", role: Any = "probe") -> None:
    """Add a case of a request with one tracklet."""

    def act(folder: Path) -> Iterator[None]:
        import pandas as pd

        from wherewhen.recogniser.requests import _tracklets

        made = frames() if callable(frames) else frames
        request = pd.DataFrame([{"tracklet": name, "role": role, "frames": made}])
        yield
        list(_tracklets(request))

    act.__name__ = given.replace(" ", "_")
    case("request", given, said, "RequestError")(act)


def _picture(content: bytes) -> list[str]:
    return [base64.b64encode(content).decode()]


FRAME = "tracklet 'anna', frame 0: "
_request(
    "a picture of 13,000 x 13,000 pixels",
    f"{FRAME}size 13000x13000",
    lambda: _picture(png_of_size(13_000, 13_000)),
)
_request(
    "a picture of 5 megapixels",
    f"{FRAME}size 2500x2000: 5,000,000 pixels, expected at most 4,000,000",
    lambda: _picture(png_of_size(2500, 2000)),
)
_request(
    "a JPEG that goes 20,000 times through its pixels",
    f"{FRAME}20,0... scans, and at most 100",
    lambda: _picture(many_scans(20_000)),
)
_request(
    "a PNG with a flipped bit",
    f"{FRAME}cannot be decoded",
    lambda: _picture(_flipped(encoded(), 60)),
)
_request("a PNG that is cut off", f"{FRAME}cannot be decoded", lambda: _picture(encoded()[:-20]))
_request("a file of 8 MB", f"{FRAME}the file is too large", lambda: _picture(bytes(8 * 2**20)))
_request("no base64", f"{FRAME}no base64", ["*"])
_request("a number for a picture", f"{FRAME}expected a picture in base64, got int", [1])
_request("10,000 frames", "has 10000 frames: expected at most 256", [PICTURE] * 10_000)
_request("a name of 10,000 characters", "a name of 10000 characters", [PICTURE], "a" * 10_000)
_request("a name that is a list", "expected a name", [PICTURE], ["anna"])
_request("a role that there is not", "role 'admin'", [PICTURE], "anna", "admin")
_request("frames that are an object", "expected a list of frames", {"a": 1})


def _upload(given: str, said: str, files) -> None:
    def act(folder: Path) -> Iterator[None]:
        from wherewhen.galleries.page.uploads import frames_of

        made = files()
        yield
        frames_of(made)

    act.__name__ = given.replace(" ", "_")
    case("upload", given, said, "UploadError")(act)


_upload(
    "a picture of 13,000 x 13,000 pixels",
    "1.png is no frame: size 13000x13000",
    lambda: [("1.png", png_of_size(13_000, 13_000))],
)
_upload(
    "a PNG with a flipped bit",
    "1.png is no frame: cannot be decoded",
    lambda: [("../../1.png", _flipped(encoded(), 60))],
)
_upload(
    "100 pictures",
    "100 pictures: expected 1 to 32",
    lambda: [(f"{n}.png", encoded()) for n in range(100)],
)
_upload(
    "33 MB",
    "bytes in all: expected at most",
    lambda: [(f"{n}.png", bytes(3 * 2**20)) for n in range(11)],
)
_upload(
    "HTML",
    "1.png is no frame: cannot be decoded: it is HTML, XML or SVG",
    lambda: [("1.png", b"<script>")],
)
