"""Downloads of weights: they fail within seconds, and name the ways out."""

from __future__ import annotations

import os
import urllib.error
import urllib.request

from wherewhen.features.checkpoint_files import WeightsError
from wherewhen.features.weights import ways_out

PATIENCE = 5.0
"""Seconds to wait for a sign of life from a download host."""


def require_host(url: str, backbone: str, where: str) -> None:
    """Fail within seconds where the libraries would try for a minute."""
    if os.environ.get("HF_HUB_OFFLINE", "0").upper() in {"1", "TRUE", "YES", "ON"}:
        raise no_download(backbone, url, "HF_HUB_OFFLINE is set", where)
    try:
        request = urllib.request.Request(url, method="HEAD")
        urllib.request.urlopen(request, timeout=PATIENCE).close()
    except urllib.error.HTTPError:
        pass  # somebody answers: whatever is wrong, the library will say it
    except OSError as error:
        raise no_download(backbone, url, error, where) from error


def no_download(backbone: str, url: str, reason: object, where: str = "") -> WeightsError:
    """Return the error that says why there is no download, and what to do."""
    kept = f" ({where})" if where else ""
    return WeightsError(
        f"weights of {backbone} can't be downloaded from {url}{kept}: {reason}.\n"
        + ways_out(backbone)
    )
