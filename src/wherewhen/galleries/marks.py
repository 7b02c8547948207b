"""Marks of people who look: "same" and "not same", kept as a CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

from wherewhen.atomic import replacing
from wherewhen.galleries.spreadsheets import shielded, unshielded
from wherewhen.hints import did_you_mean
from wherewhen.locks import held
from wherewhen.tracklets.files import is_text

SAME, NOT_SAME = "same", "not same"
KINDS = (SAME, NOT_SAME)


class MarkError(ValueError):
    """A mark, or a file of marks, that can't be used."""


class Mark(NamedTuple):
    """What somebody who looked says of a probe and a tracklet."""

    probe: str
    """A tracklet of the gallery, or the name of uploaded pictures."""
    tracklet: str
    """One of its answer."""
    distance: float
    """By the metric."""
    metric: str
    """The model's distance."""
    model: str
    """Fingerprint of what made the vectors."""
    mark: str
    """One of `KINDS`."""
    time: str
    """When it was set, in ISO 8601, UTC."""

    @classmethod
    def now(
        cls, probe: str, tracklet: str, distance: float, metric: str, model: str, mark: str
    ) -> Self:
        """Return a mark that is set now."""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(probe, tracklet, float(distance), metric, model, mark, time)


Key = tuple[str, str]
"""Probe and tracklet."""


class Marks(NamedTuple):
    """What a file holds."""

    by_pair: dict[Key, Mark]
    """The mark of each probe and tracklet; of several the last."""
    faults: list[str]
    """Lines that are no marks, with the file, the line's number and the reason."""


class MarksFile:
    """A CSV with one mark a line; lines that are damaged stay as they are.

    Every change reads the file again, so that several pages may write to it.

    Parameters
    ----------
    path : Path
        The file, there or not.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = MarksFile(Path(folder, "marks.csv"))
    ...     file.put(Mark.now("hall/anna", "yard/anna", 0.25, "cosine", "0123", "same"))
    ...     [mark.mark for mark in file.read().by_pair.values()]
    ['same']
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Marks:
        """Read all marks.

        Raises
        ------
        MarkError
            If the first line is not that of a file of marks.
        """
        by_pair, faults = {}, []
        for number, line in enumerate(self._lines(), start=2):
            try:
                mark = _parsed(line)
            except MarkError as error:
                faults.append(f"{self.path}, line {number}: {error}. It is kept, and not used")
                continue
            by_pair[mark.probe, mark.tracklet] = mark
        return Marks(by_pair, faults)

    def put(self, mark: Mark) -> None:
        """Set the mark of a probe and a tracklet, in the place of an earlier one.

        Raises
        ------
        MarkError
            If the mark is none of `KINDS`, a name has a line break, or the file is no file of
            marks.
        """
        line = _line(mark)
        if "\n" in line:
            raise MarkError(f"a name has a line break: {line!r} can't be kept as one line")
        _parsed(line)
        self._rewrite(lambda pair: pair != (mark.probe, mark.tracklet), [line])

    def take_back(self, probe: str, tracklet: str) -> None:
        """Remove the mark of a probe and a tracklet, if there is one; raises as `read`."""
        self._rewrite(lambda pair: pair != (probe, tracklet))

    def forget(self, tracklets: Collection[str]) -> None:
        """Remove all marks of some tracklets, as probes and otherwise; raises as `read`."""
        gone = set(tracklets)
        if any(not gone.isdisjoint(pair) for pair in self.read().by_pair):
            self._rewrite(gone.isdisjoint)

    def _rewrite(self, keep: Callable[[Key], bool], new: Sequence[str] = ()) -> None:
        """Keep the lines of some pairs, and those that are damaged; add new ones."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with held(self.path.with_name(f".{self.path.name}.lock"), lambda holder: None):
            pairs = ((line, _pair(line)) for line in self._lines())
            kept = [line for line, pair in pairs if pair is None or keep(pair)]
            text = "".join(f"{line}\n" for line in [_line(Mark._fields), *kept, *new])
            with replacing(self.path) as partial:
                partial.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")

    def _lines(self) -> Iterator[str]:
        """Yield the lines behind the first, as they are; a spreadsheet may have written them."""
        try:
            content = self.path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
        except FileNotFoundError:
            return
        first, *rest = (line.removesuffix("\r") for line in content.split("\n"))
        if content and first != _line(Mark._fields):
            raise MarkError(
                f"{self.path} begins with {first[:80]!r}: expected {_line(Mark._fields)!r}. It is "
                "no file of marks: move it away"
            )
        yield from (line for line in rest if line)


def _line(fields: tuple[object, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(shielded(str(field)) for field in fields)
    return text.getvalue()


def _pair(line: str) -> Key | None:
    try:
        mark = _parsed(line)
    except MarkError:
        return None
    return mark.probe, mark.tracklet


def _parsed(line: str) -> Mark:
    """Read one line, or raise a `MarkError` that says what is wrong with it."""
    if not is_text(line):
        raise MarkError("it is not UTF-8")
    try:
        [fields] = csv.reader([line], strict=True)
    except csv.Error as error:
        raise MarkError(f"it is not CSV ({error})") from error
    if len(fields) != len(Mark._fields):
        raise MarkError(f"it has {len(fields)} fields, expected {len(Mark._fields)}")
    mark = Mark(*map(unshielded, fields))
    if mark.mark not in KINDS:
        meant = did_you_mean(mark.mark, KINDS, f"expected {' or '.join(KINDS)}")
        raise MarkError(f"its mark is {mark.mark!r}: {meant}")
    try:
        distance = float(mark.distance)
        datetime.fromisoformat(mark.time)
    except ValueError as error:
        raise MarkError(str(error)) from error
    if not math.isfinite(distance):
        raise MarkError(f"its distance is {distance}, expected a finite number")
    return mark._replace(distance=distance)
