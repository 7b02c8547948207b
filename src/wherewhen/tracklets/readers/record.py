"""The record of a reader: what it is called, which layout it reads, and with which options."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PositiveInt, field_validator
from pydantic_core import PydanticKnownError

from wherewhen.tracklets.ingest import Ingested, IngestRules


def _as_text(value: Any) -> Any:
    return str(value) if type(value) in (int, float) else value


def _as_path(value: Any) -> Any:
    value = _as_text(value)
    return Path(value) if isinstance(value, str) else value


def _as_name_or_path(value: Any) -> str | Path:
    value = _as_text(value)
    if isinstance(value, str | Path):
        return value
    raise PydanticKnownError("string_type")


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Name = Annotated[str, BeforeValidator(_as_text)]
"""A name; YAML and ``--params`` read ``2024`` as a number."""
PathOrNumber = Annotated[Path, BeforeValidator(_as_path)]
"""A path; the folder's name ``2024`` is read as a number."""
NameOrPath = Annotated[str | Path, BeforeValidator(_as_name_or_path)]
"""A name as text, or a path, which counts by the content that lies there."""


class Options(BaseModel):
    """Options that every reader takes; nothing is converted, so that ``"no"`` is not false.

    A subclass declares names as `Name`, paths as `PathOrNumber`, and what may be both as
    `NameOrPath`.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )

    size: Annotated[tuple[PositiveInt, PositiveInt], BeforeValidator(_as_tuple)] | None = None
    """Width and height in pixels that every frame must have; null: any."""


class NumberedOptions(Options):
    """Options of readers that parse frame numbers from the files' names."""

    frame_pattern: str | None = None
    """Regular expression with one group or several, whose digits are the frame number, e.g.
    ``_f(\\d+)_``; null: the number that rises from name to name."""

    @field_validator("frame_pattern")
    @classmethod
    def _has_a_group(cls, pattern: str | None) -> str | None:
        try:
            if pattern is not None and not re.compile(pattern).groups:
                raise ValueError("expected a group, e.g. _f([0-9]+)_")
        except re.error as error:
            raise ValueError(f"no regular expression ({error})") from error
        return pattern


@dataclass(frozen=True)
class Footage:
    """What a reader is given.

    Attributes
    ----------
    root : pathlib.Path
        The data set's folder, or the one that its archives are unpacked to.
    given : pathlib.Path
        The folder or archive that the user named.
    unpack_to : pathlib.Path or None
        Where crops are cut to; None: ``unpacked`` beside the footage.
    options : Options
        Those of the reader's record.
    rules : IngestRules
        What frames must satisfy.
    """

    root: Path
    given: Path
    unpack_to: Path | None
    options: Any
    rules: IngestRules


def _as_given(root: Path, options: Any) -> tuple[Path, Any]:
    return root, options


@dataclass(frozen=True)
class Reader:
    """A reader of one layout.

    Attributes
    ----------
    name : str
        The name that configurations use.
    title : str
        The data set's name, for messages.
    layout : str
        The expected tree of files, for messages.
    read : callable
        Finds the tracklets in a `Footage`, and hands them to `wherewhen.tracklets.ingest.ingest`.
    options : type
        The subclass of `Options` that it takes.
    common_size : bool
        Whether all frames must have the same size if no size is asked for.
    holds_data : callable
        Whether a folder holds the data set already, so that archives in it are left alone.
    reads_file : bool
        Whether the root may be a file that is no archive.
    locate : callable
        Resolves root and options: paths of files that are read are then absolute.

    See Also
    --------
    wherewhen.tracklets.readers.READERS : All records.
    """

    name: str
    title: str
    layout: str
    read: Callable[[Footage], Ingested]
    options: type[Options] = Options
    common_size: bool = False
    holds_data: Callable[[Path], bool] = lambda folder: True
    reads_file: bool = False
    locate: Callable[[Path, Any], tuple[Path, Any]] = _as_given
