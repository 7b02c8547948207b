"""What the page shows, without the web library: probes, answers, films and marks of a gallery."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from wherewhen.galleries.answers import recogniser_of, warning
from wherewhen.galleries.galleries import marks_of, opened
from wherewhen.galleries.marks import Mark, MarksFile
from wherewhen.galleries.page import films
from wherewhen.galleries.page.uploads import frames_of
from wherewhen.recogniser import Recogniser, frames_in
from wherewhen.recogniser.frames import Frame
from wherewhen.recogniser.gallery import FALSE_MATCH_RATE, Answer, Gallery, about
from wherewhen.sessions import View
from wherewhen.tracklets.clips import test_window

KEPT_FILMS, KEPT_THUMBNAILS = 200, 500
"""In memory, 0.3 MB and 3 KB each."""

FACTS = ("person", "camera", "start", "end", "length")


@dataclass(frozen=True, eq=False)
class Probe:
    """Who is looked for.

    Parameters
    ----------
    name : str
        A tracklet of the gallery; of uploaded pictures, a name that follows from them.
    frames : list of numpy.ndarray
        Uploaded pictures, each uint8 [H, W, 3]; none of a tracklet.
    """

    name: str
    frames: list[Frame] = field(default_factory=list)

    @classmethod
    def of_files(cls, files: Sequence[tuple[str, bytes]]) -> Self:
        """Return the probe of uploaded pictures; raises as `uploads.frames_of`."""
        frames = frames_of(files)
        digest = hashlib.sha256()
        for frame in frames:
            digest.update(repr(frame.shape).encode() + frame.tobytes())
        return cls(f"upload {digest.hexdigest()[:12]}", frames)

    @property
    def asked(self) -> str | list[Frame]:
        """What `Gallery.query` takes."""
        return self.frames or self.name


@dataclass
class Question:
    """How the gallery is asked.

    Parameters
    ----------
    rate : float
        The false match rate.
    top : int
        Ranks.
    cameras, not_cameras, persons : list of str
        Filters; an empty one chooses all.
    after, before : float, optional
        Seconds.
    """

    rate: float
    top: int = 10
    cameras: list[str] = field(default_factory=list)
    not_cameras: list[str] = field(default_factory=list)
    persons: list[str] = field(default_factory=list)
    after: float | None = None
    before: float | None = None

    @property
    def filters(self) -> dict[str, Any]:
        """What `Gallery.query` takes."""
        times = {"after": self.after, "before": self.before}
        names = {
            name: getattr(self, name) or None for name in ("cameras", "not_cameras", "persons")
        }
        return names | times


class Film(NamedTuple):
    """A tracklet as the page plays it."""

    picture: bytes
    """JPEG, frames side by side."""
    count: int
    """Its frames."""
    words: str
    """What is seen of the tracklet."""


class _Opened(NamedTuple):
    gallery: Gallery
    facts: pd.DataFrame
    state: tuple[int, int, int] | None

    @classmethod
    def by(cls, open_gallery: Callable[[], Gallery]) -> Self:
        gallery = open_gallery()
        table = gallery.index.tracklets.set_index("tracklet")
        return cls(gallery, table[list(FACTS)], _state(gallery.head))


class Desk:
    """A gallery with its model and marks, for all who look at once.

    Parameters
    ----------
    name : str
        The data set.
    open_gallery : callable
        Opens the gallery; called again when its files have changed, so that whoever was removed is
        not shown any more.
    recogniser : Recogniser
        The one that made its vectors.
    marks : MarksFile
        Where marks are kept.
    frames : int
        The most frames of a gallery's tracklet that were embedded.
    """

    def __init__(
        self,
        name: str,
        open_gallery: Callable[[], Gallery],
        recogniser: Recogniser,
        marks: MarksFile,
        frames: int,
    ) -> None:
        self.name, self.recogniser, self.marks, self.frames = name, recogniser, marks, frames
        self._open, self._last = open_gallery, _Opened.by(open_gallery)
        self._computing, self._opening = threading.Lock(), threading.Lock()
        self._film = lru_cache(KEPT_FILMS)(self._make_film)
        self._thumbnail = lru_cache(KEPT_THUMBNAILS)(self._make_thumbnail)

    @classmethod
    def of(cls, env: str | None, params: Mapping[str, Any]) -> Self:
        """Return the desk of an environment.

        Raises
        ------
        wherewhen.galleries.galleries.SearchError
            If it has no gallery.
        """
        view = View.of(env, params)
        frames = view.parameters.search.frames
        opened(view)  # what is wrong with it is said before the model is read
        recogniser = recogniser_of(view).ready_for_frames()
        return cls(view.dataset, partial(opened, view), recogniser, marks_of(view), frames)

    def _current(self) -> _Opened:
        with self._opening:
            if self._last.state != _state(self._last.gallery.head):
                self._last = _Opened.by(self._open)
                self._film.cache_clear()
                self._thumbnail.cache_clear()
            return self._last

    @property
    def gallery(self) -> Gallery:
        """The gallery as it is on the disk."""
        return self._current().gallery

    @property
    def facts(self) -> pd.DataFrame:
        """Person, camera, times and frames of every tracklet, by name."""
        return self._current().facts

    @property
    def rates(self) -> list[float]:
        """False match rates that the model has thresholds of, the largest first."""
        thresholds = self.recogniser.calibration.thresholds
        rates = sorted((each.false_match_rate for each in thresholds), reverse=True)
        return rates or [FALSE_MATCH_RATE]  # of which an answer will say that it has no threshold

    @property
    def cameras(self) -> list[str]:
        """Names of cameras."""
        return sorted(self.facts.camera.unique())

    @property
    def warning(self) -> str | None:
        """What has to be said of footage that is unlike the training's."""
        return warning(self.gallery.difference)

    def find(self, text: str) -> list[str]:
        """Return the tracklets whose names have a text, whatever the case."""
        names = self.facts.index
        found = names[names.str.contains(text.strip(), case=False, regex=False)]
        return found.to_list()

    def ask(self, probe: Probe, question: Question) -> Answer:
        """Search; see `Gallery.query`."""
        gallery = self.gallery
        with self._computing:
            return gallery.query(
                self.recogniser, probe.asked, question.top, question.rate, **question.filters
            )

    def film(self, tracklet: str, attention: bool = False) -> Film:
        """Return a tracklet's film, of all frames or of those that the network looked at.

        Raises
        ------
        KeyError
            If the gallery has no such tracklet.
        """
        if not self.gallery.holds(tracklet):
            raise KeyError(f"no tracklet {tracklet!r} in the gallery")
        return self._film(tracklet, attention)

    def film_of(self, probe: Probe, attention: bool = False) -> Film:
        """Return a probe's film."""
        if not probe.frames:
            return self.film(probe.name, attention)
        return self._attended(probe.frames, "probe", None) if attention else _plain(probe.frames)

    def thumbnail(self, tracklet: str) -> bytes:
        """Return a tracklet's frame in the middle, a JPEG; raises as `film`."""
        if not self.gallery.holds(tracklet):
            raise KeyError(f"no tracklet {tracklet!r} in the gallery")
        return self._thumbnail(tracklet)

    def _make_thumbnail(self, tracklet: str) -> bytes:
        try:
            return films.thumbnail(self.gallery.picture_of(tracklet))
        except (OSError, ValueError):  # damaged: its film says so
            return films.thumbnail(None)

    def _make_film(self, tracklet: str, attention: bool) -> Film:
        paths = self.gallery.frames_of(tracklet)
        if not attention:
            return _plain(paths)
        try:
            return self._attended(paths, "gallery", self.frames)
        except (OSError, ValueError) as error:
            film = _plain(paths)
            return film._replace(words=f"No attention: {error}")

    def _attended(self, frames: Sequence[Any], role: str, limit: int | None) -> Film:
        start, stop = test_window(len(frames), limit or self.recogniser.card.frames, role)
        pictures = frames_in(frames[start:stop])
        with self._computing:
            look = self.recogniser.look(pictures)
        relative = look.attention * look.attention.shape[1] ** 2
        picture = films.attention_film(pictures, relative, look.frame_weights)
        heaviest = int(look.frame_weights.argmax())
        weight = look.frame_weights[heaviest] * len(pictures)
        words = (
            f"Looked at {_frames(start, stop)} of {len(frames)}. "
            f"Strongest cell {relative.max():.1f} × even attention; "
            f"heaviest frame {start + heaviest + 1}, {weight:.2f} × the mean weight."
        )
        return Film(picture, len(films.in_film(len(pictures))), words)

    def marks_of(self, probe: Probe) -> dict[str, str]:
        """Return the marks of a probe's tracklets."""
        marks = self.marks.read().by_pair
        return {tracklet: mark.mark for (of, tracklet), mark in marks.items() if of == probe.name}

    def mark(self, probe: Probe, tracklet: str, distance: float, kind: str | None) -> None:
        """Set a mark, or take it back (None); raises as `MarksFile.put`."""
        if kind is None:
            self.marks.take_back(probe.name, tracklet)
            return
        model = about(self.recogniser.identity)["model"]
        given = (probe.name, tracklet, distance, self.recogniser.metric, model, kind)
        self.marks.put(Mark.now(*given))


def times(start: float, end: float) -> str:
    """Say when a tracklet was seen; nothing where that is unknown.

    Examples
    --------
    >>> times(3600.0, 3612.5)
    '3600 to 3612.5 s'
    """
    return "" if np.isnan(start) else f"{start:g} to {end:g} s"


def _frames(start: int, stop: int) -> str:
    return f"frame {stop}" if stop - start == 1 else f"frames {start + 1} to {stop}"


def _plain(frames: Sequence[Path] | Sequence[Frame]) -> Film:
    """Return the film of all frames; those that are gone or damaged are blank."""
    shown = [_readable(frames[place]) for place in films.in_film(len(frames))]
    gone = sum(frame is None for frame in shown)
    words = f"{len(frames)} frame{'s' if len(frames) > 1 else ''}"
    words += f", {len(shown)} of them shown" if len(shown) < len(frames) else ""
    words += f"; {gone} of those are gone or damaged" if gone else ""
    return Film(films.film(shown), len(shown), words)


def _readable(frame: Path | Frame) -> Frame | None:
    try:
        return frames_in([frame])[0]
    except (OSError, ValueError):
        return None


def _state(head: Path) -> tuple[int, int, int] | None:
    """Return what changes when a gallery is written anew; None if it is gone."""
    try:
        state = head.stat()
    except FileNotFoundError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino
