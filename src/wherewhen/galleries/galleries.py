"""The gallery of an environment: made and extended by runs of the stage `search`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from wherewhen import pretrained
from wherewhen.environments import environments, new_dataset
from wherewhen.galleries.boxes import MOT, People, boxes_of
from wherewhen.galleries.marks import MarksFile
from wherewhen.presets import overlay
from wherewhen.project import (
    ANSWERS,
    MARKS,
    REPORTING,
    SEARCH,
    from_root,
    project_root,
    to_root,
)
from wherewhen.sessions import View, forget_configuration, run
from wherewhen.tracklets.readers.guess import guess_reader

if TYPE_CHECKING:
    from wherewhen.recogniser.gallery import Gallery

ON_DEMAND = {"extract": {"tracklets": "none"}}
"""Cubes are made of the frames that are looked at, and not kept."""

STAGES = ("ingest", "extract", "search")


class SearchError(LookupError):
    """A gallery that is not there, or can't be made."""


def make(
    env: str | None,
    footage: Sequence[str],
    reader: str | None,
    people: People,
    params: Mapping[str, Any],
) -> tuple[str, Gallery]:
    """Make the gallery of an environment, and the environment if none is named.

    Parameters
    ----------
    env : str, optional
        The environment; None: one that is named after the first footage.
    footage : sequence of str
        Folders of crops, manifests or videos, of one layout: the first makes the gallery, the
        others are added to it.
    reader : str, optional
        Their layout; None: as the first looks.
    people : People
        Where in videos people are.
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
        If the footage is not there or is another than that of the environment. Whatever is raised,
        no environment is left that was made for a gallery that is not there.
    NoBoxesError, wherewhen.features.checkpoint_files.WeightsError
        If people in a video can't be found.
    """
    _check_boxes(footage, people)
    first, *others = footage
    name = env or _name_of(first)
    if env is None and name not in environments():
        with _new_environment(name, first, reader, people):
            gallery = _indexed(name, params)
    else:
        gallery = _indexed(name, _reading(name, first, people, params, named=env is not None))
    for more in others:
        _extend(gallery, name, more, people, params)
    return name, gallery


def found_or_made(env: str | None, footage: str, params: Mapping[str, Any]) -> str:
    """Return the environment that has a gallery of some footage; make both if there are none.

    Raises
    ------
    SearchError, wherewhen.environments.ConfigurationError
        As `make`.
    """
    name = env or _name_of(footage)
    if name in environments():
        view = View.of(name, params)
        if env is None:
            _require_same(view, footage)
        if (gallery := _opened_if_there(view)) is not None:
            _require_indexed(gallery, footage, name)
            return name
    return make(env, [footage], None, People(), params)[0]


def extend(
    env: str | None, footage: Sequence[str], people: People, params: Mapping[str, Any]
) -> list[str]:
    """Add the tracklets of more footage, of the layout of the environment's own; see `make`.

    Returns
    -------
    list of str
        Their names.

    Raises
    ------
    wherewhen.search.GalleryError
        If one of the names is there already.
    """
    _check_boxes(footage, people)
    gallery = opened(View.of(env, params))
    return [name for more in footage for name in _extend(gallery, env, more, people, params)]


def _extend(
    gallery: Gallery, env: str | None, footage: str, people: People, params: Mapping[str, Any]
) -> list[str]:
    _, embedded, report = _embedded(env, _reading(env, footage, people, params))
    gallery.add(embedded, report)
    return embedded.tracklet.to_list()


def _check_boxes(footage: Sequence[str], people: People) -> None:
    """Refuse one file of boxes for several videos."""
    if people.boxes is not None and len(footage) > 1 and not from_root(people.boxes).is_dir():
        raise SearchError(
            f"--boxes {people.boxes} is no folder, and there are {len(footage)} --gallery: "
            "expected a folder with a file of boxes for each, called as the video is"
        )


def _reading(
    env: str | None, footage: str, people: People, params: Mapping[str, Any], named: bool = True
) -> Mapping[str, Any]:
    """Return the parameters of a run that reads footage in an environment.

    If the environment was not `named` by the user, it has to be of this footage.
    """
    place, view = from_root(footage), View.of(env, params)
    if not named:
        _require_same(view, footage)
    ingest = view.parameters.ingest
    if ingest.reader != MOT:
        return overlay(params, {"ingest": {"root": str(place)}})
    known = ingest.as_asked().options[MOT].boxes if _is_of(view, footage) else None
    boxes = boxes_of(place, people, view.dataset, known)
    options = {MOT: {"boxes": None if boxes is None else str(boxes)}}
    return overlay(params, {"ingest": {"root": str(place), "options": options}})


def _is_of(view: View, footage: str) -> bool:
    root = view.parameters.ingest.root
    return root is not None and from_root(root) == from_root(footage)


def _require_same(view: View, footage: str) -> None:
    """Refuse an environment that only has the name of the footage."""
    if not _is_of(view, footage):
        raise SearchError(
            f"there is an environment {view.env} already, of other footage "
            f"({view.parameters.ingest.root}): name another one with --env, which kedro "
            "new-dataset makes, or give the folder another name"
        )


def opened(view: View) -> Gallery:
    """Open the gallery of a view's data set.

    Raises
    ------
    SearchError
        If there is none.
    """
    from wherewhen.recogniser.gallery import Gallery

    folder, env = home(view), view.env
    try:
        return Gallery.open(folder, project_root())
    except FileNotFoundError as error:
        raise SearchError(
            f"there is no gallery at {to_root(folder)}: make it first, kedro search index "
            f"--gallery FOLDER{f' --env {env}' if env else ''}"
        ) from error


def _opened_if_there(view: View) -> Gallery | None:
    with suppress(SearchError):
        return opened(view)
    return None


def _require_indexed(gallery: Gallery, footage: str, name: str) -> None:
    """Refuse a gallery that does not have some footage."""
    known = [each["footage"] for each in gallery.footage if each.get("footage") is not None]
    if to_root(from_root(footage)) not in known:
        raise SearchError(
            f"the gallery of {name} has other footage ({', '.join(known) or 'rendered people'}): "
            f"add {footage} to it with kedro search add, or name another environment with --env"
        )


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

    view = View.of(env)
    name, gallery = view.dataset, opened(view)
    purge = Purge(project_root())
    with purge.alone(name):
        removed = gallery.remove(persons, tracklets)
        marks_of(view).forget(removed)
        for person in persons or ():
            purge.person(name, person)
        purge.tracklets(name, removed)
        purge.carry_out()
    return Removed(removed, purge.lines(), purge.left)


def answers_home(view: View) -> Path:
    """Return the folder of the answers of a view's data set."""
    return project_root() / "data" / REPORTING / view.dataset / ANSWERS


def marks_of(view: View) -> MarksFile:
    """Return the marks that people have set on answers."""
    return MarksFile(answers_home(view) / MARKS)


def home(view: View) -> Path:
    """Return the folder of the gallery of a view's data set."""
    return project_root() / "data" / SEARCH / view.dataset


def _name_of(footage: str) -> str:
    """Return the name of the environment of footage."""
    place = from_root(footage)
    name = re.sub(r"[^a-z0-9]+", "_", place.stem.lower()).strip("_")[:40] or "footage"
    return name if name[0].isalpha() else f"footage_{name}"[:40]


@contextmanager
def _new_environment(name: str, footage: str, reader: str | None, people: People) -> Iterator[None]:
    """Make an environment for footage, in which people are found first.

    It is removed again if the block fails.
    """
    place = from_root(footage)
    reader = reader or guess_reader(place)
    boxes = boxes_of(place, people, name) if reader == MOT else None
    made = new_dataset(
        name, reader, str(place), model=True, boxes=None if boxes is None else str(boxes)
    )
    try:
        yield
    except BaseException:
        shutil.rmtree(made[0].parent)
        forget_configuration()
        raise


def _indexed(env: str, params: Mapping[str, Any]) -> Gallery:
    """Run the stage, and make a gallery of what it has embedded."""
    from wherewhen.recogniser.gallery import Gallery

    view, embedded, report = _embedded(env, params)
    kind = view.parameters.search.kind
    return Gallery.create(home(view), embedded, report, project_root(), kind)


def _embedded(
    env: str | None, params: Mapping[str, Any]
) -> tuple[View, pd.DataFrame, dict[str, Any]]:
    """Run the stage; return its table with the places of the frames, and its report."""
    asked = overlay(ON_DEMAND, params)
    view = View.of(env, asked)
    pretrained.load_card(pretrained.folder_of(view.parameters.search.model))  # before frames
    run(env, asked, STAGES)
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
    read, record = view.parameters.ingest.root, view.ledger.record("gallery_embeddings")
    report = view.catalog.load("gallery_report") | {
        "root": to_root(root),
        "footage": None if read is None else to_root(from_root(read)),
        "identity": record.identity,
        "commit": record.commit,
        "mlflow_run": record.run_id,
    }
    return view, embedded, report
