"""Hostile inputs: what each is, and what is said of it.

The modules of this package add their cases to `CASES` when `all_cases` imports them, and import
what they need when a case runs. `tests/hostile` runs every case in a process of its own, and
``docs/reference/hostile-input.md`` is made of the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

MODULES = ("archives", "pictures", "names", "tables", "models", "requests")

Act = Callable[[Path], Iterator[None]]
"""Makes an input in a folder, yields, and then reads it."""


class Case(NamedTuple):
    """An input and what comes of it."""

    kind: str
    given: str
    """The input, in words."""
    said: str
    """What the message has, with ``...`` for any text between; or what comes of the input."""
    error: str
    """The class that is raised, or one above it; empty where the input is taken."""
    megabytes: int
    """The most memory that the answer takes, beside what the process had before."""
    seconds: float
    """The most of the processor's time."""
    act: Act

    @property
    def name(self) -> str:
        """Its identifier."""
        return f"{self.kind}-{self.act.__name__}"


CASES: list[Case] = []


def case(
    kind: str, given: str, said: str, error: str = "", megabytes: int = 150, seconds: float = 10
) -> Callable[[Act], Act]:
    """Add a case."""

    def add(act: Act) -> Act:
        CASES.append(Case(kind, given, said, error, megabytes, seconds, act))
        return act

    return add


def all_cases() -> list[Case]:
    """Return all cases, in the order of the modules."""
    for name in MODULES:
        import_module(f"hostile.{name}")
    return CASES
