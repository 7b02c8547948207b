"""The gallery of an environment: made and extended by runs of the stage `search`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from wherewhen.environments import environments, new_dataset
from wherewhen.presets import overlay
from wherewhen.project import from_root, project_root, to_root
from wherewhen.sessions import View, run
from wherewhen.tracklets.readers.guess import guess_reader

if TYPE_CHECKING:
    from wherewhen.recogniser.gallery import Gallery

HOME = "data/09_search"
"""Where galleries lie: a folder for each data set."""

REPORTING, ANSWERS = "data/08_reporting", "search"
"""Where answers lie: a folder in that of the data set's reports."""

ON_DEMAND = {"extract": {"tracklets": "none"}}
"""Cubes are made of the frames that are looked at, and not kept."""

STAGES = ("ingest", "extract", "search")


class SearchError(LookupError):
    """A gallery that is not there, or can't be made."""


def make(
    env: str | None, footage: str, reader: str | None, params: Mapping[str, Any]
) -> tuple[str, Gallery]:
    """Make the gallery of an environment, and the environment if none is named.

    Parameters
    ----------
    env : str, optional
        The environment; None: one that is named after the footage.
    footage : str
        A folder of crops, or a manifest.
    reader : str, optional
        Its layout; None: as it looks.
    params : mapping
        Parameters of the run, nested.

    Returns
    -------
    env : str
        The environment.
    gallery : wherewhen.recogniser.gallery.Gallery
        The gallery.

    Raises
    ------
    SearchError, wherewhen.environments.ConfigurationError
        If the footage is not there or is another than that of the environment.
    """
    from wherewhen.recogniser.gallery import Gallery

    env = env or _environment(footage, reader)
    view, embedded, report = _embedded(env, params)
    kind = view.parameters.search.kind
    return env, Gallery.create(home(view), embedded, report, project_root(), kind)


def found_or_made(env: str | None, footage: str, params: Mapping[str, Any]) -> str:
    """Return the environment that has a gallery of some footage; make both if there are none.

    Raises
    ------
    SearchError, wherewhen.environments.ConfigurationError
        As `make`.
    """
    env = env or _environment(footage, reader=None)
    try:
        opened(env)
    except SearchError:
        make(env, footage, None, params)
    return env


def extend(env: str | None, footage: str, params: Mapping[str, Any]) -> list[str]:
    """Add the tracklets of more footage, of the layout of the environment's own.

    Returns
    -------
    list of str
        Their names.

    Raises
    ------
    wherewhen.search.GalleryError
        If one of the names is there already.
    """
    gallery = opened(env)
    ingest = {"ingest": {"root": str(from_root(footage))}}
    _, embedded, report = _embedded(env, overlay(params, ingest))
    gallery.add(embedded, report)
    return embedded.tracklet.to_list()


def opened(env: str | None) -> Gallery:
    """Open the gallery of an environment.

    Raises
    ------
    SearchError
        If there is none.
    """
    from wherewhen.recogniser.gallery import Gallery

    folder = home(View.of(env))
    try:
        return Gallery.open(folder, project_root())
    except FileNotFoundError as error:
        raise SearchError(
            f"there is no gallery at {to_root(folder)}: make it first, kedro search index "
            f"--gallery FOLDER{f' --env {env}' if env else ''}"
        ) from error


class Removed(NamedTuple):
    """What was removed with tracklets of a gallery."""

    tracklets: list[str]
    """Their names."""
    files: list[str]
    """Tables, cubes and answers that had them, a line each."""
    left: list[str]
    """What may still show them, and why."""


def remove(
    env: str | None, persons: Sequence[str] | None, tracklets: Sequence[str] | None
) -> Removed:
    """Remove persons or tracklets from a gallery, and from all that was made for it.

    Frames stay where they are. What the next run needs of the others, it makes again.

    Raises
    ------
    SearchError
        If there is no gallery.
    wherewhen.search.GalleryError
        If the gallery does not have them.
    wherewhen.purge.PurgeError
        If a run is at the data set.
    """
    from wherewhen.purge import Purge

    name, gallery = View.of(env).dataset, opened(env)
    purge = Purge(project_root())
    with purge.alone(name):
        removed = gallery.remove(persons, tracklets)
        for person in persons or ():
            purge.person(name, person)
        purge.tracklets(name, removed)
        purge.carry_out()
    return Removed(removed, purge.lines(), purge.left)


def answers_home(view: View) -> Path:
    """Return the folder of the answers of a view's data set."""
    return project_root() / REPORTING / view.dataset / ANSWERS


def home(view: View) -> Path:
    """Return the folder of the gallery of a view's data set."""
    return project_root() / HOME / view.dataset


def _environment(footage: str, reader: str | None) -> str:
    """Return the environment of footage, made if there is none."""
    place = from_root(footage).resolve()
    name = re.sub(r"[^a-z0-9]+", "_", place.stem.lower()).strip("_")[:40] or "footage"
    name = name if name[0].isalpha() else f"footage_{name}"[:40]
    if name not in environments():
        new_dataset(name, reader or guess_reader(place), str(place), model=True)
        return name
    root = View.of(name).parameters.ingest.root
    if root is None or from_root(root).resolve() != place:
        raise SearchError(
            f"there is an environment {name} already, of other footage ({root}): name another one "
            "with --env, which kedro new-dataset makes, or give the folder another name"
        )
    return name


def _embedded(
    env: str | None, params: Mapping[str, Any]
) -> tuple[View, pd.DataFrame, dict[str, Any]]:
    """Run the stage; return its table with the places of the frames, and its report."""
    asked = overlay(ON_DEMAND, params)
    run(env, asked, STAGES)
    view = View.of(env, asked)
    root = from_root(view.catalog.load("frames_root"))
    frames = view.catalog.load("frames").sort_values(["tracklet", "position"])
    places = (root / frames.path).map(lambda path: str(to_root(path)))
    listed = places.groupby(frames.tracklet).agg(list)
    embedded = view.catalog.load("gallery_embeddings")
    embedded = embedded.assign(frames=embedded.tracklet.map(listed))
    if rate := view.parameters.search.frames_per_second:
        number = frames.groupby("tracklet").frame
        times = {"start": number.min() / rate, "end": (number.max() + 1) / rate}
        embedded = embedded.assign(**{name: embedded.tracklet.map(times[name]) for name in times})
    report = view.catalog.load("gallery_report") | {"root": to_root(root)}
    return view, embedded, report
