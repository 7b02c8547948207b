"""What has to be equal in all processes that share work, because results depend on it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]

OTHERS = ("numpy", "torch", "torchvision", "timm", "pillow", "scikit-learn")
"""Packages that compute or decode."""


@cache
def versions_here() -> dict[str, str]:
    """Return the versions of packages by name; of this one the hash of its sources."""
    return {"wherewhen": _sources(), **{name: _version(name) for name in OTHERS}}


def _sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
