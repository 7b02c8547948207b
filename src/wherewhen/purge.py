"""Retention (the Kedro side): remove a data set, a person, or what is old, from all that was made.

Artifacts are removed whole, with their records: a table that names a person is not mended, since
its record would no longer fit and the next run makes it again. What people are mixed into (a
network, a figure) is named, or removed when asked. Raw frames are removed only when asked.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlparse

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from wherewhen.files import DISK, Files
from wherewhen.hints import did_you_mean
from wherewhen.lineage.place import buckets
from wherewhen.lineage.records import NAME, Record, record_path
from wherewhen.lineage.runner import SHARED
from wherewhen.locks import held
from wherewhen.project import ANSWERS, MARKS, REPORTING, SEARCH
from wherewhen.reporting.figures import shows_nobody
from wherewhen.synthetic.truth import find_truth
from wherewhen.tracking import client, search, tracking_uri, understood
from wherewhen.tracklets.files import reason
from wherewhen.tracklets.folders import listed
from wherewhen.tracklets.splits import trial_name

RAW, INTERMEDIATE, PRIMARY = "01_raw", "02_intermediate", "03_primary"
CUBES, SUFFIX = "04_feature", ".safetensors"
PICTURES = {".png", ".jpg", ".jpeg", ".pdf", ".svg", ".html"}
FITTED = {".safetensors", ".joblib", ".pt", ".npz", ".npy"}
"""Suffixes of networks, metrics and checkpoints; earlier versions wrote .pt and .joblib."""

CODE = {".py"}
"""Suffixes of code, which is logged with a model and names nobody."""

LOGITS = "logits_"
"""How the names of files begin that compare the tested persons of a trial with each other."""

NOBODY = ("length_matrix", "sweep", "untrained_network")
"""Files without people that no record of a figure names: how their names begin."""

MIXED = "the person may be in it (--derived removes it)"
"""Said of a figure or a network."""

POINTERS = ("cubes.json", "synthetic_people.json")
"""Files that name a store."""

MLMODEL = "MLmodel"
"""In the folder of every model that MLflow keeps."""

SCOPES = (SHARED, *map(trial_name, range(100)))
"""Locks of runs: `split.trials` is 100 at most."""

DAY = 24 * 60 * 60
"""Seconds."""

Mentions = Callable[[str], object]
"""Whether a text mentions somebody."""


class PurgeError(LookupError):
    """The person or data set is unknown or ambiguous, or a run is in progress there."""


@dataclass
class Purge:
    """What is to be removed, and what is left to the user.

    Parameters
    ----------
    root : Path
        The project's root.
    derived : bool
        Also remove files that a person is mixed into: networks, metrics, figures.
    raw : bool
        Also remove frames under ``data/01_raw``.

    Attributes
    ----------
    removed : dict of str to list of Path
        What is removed, by what it is called, in the order in which it is removed.
    versions : dict of str to list of str
        Versions of registered models that are removed after their files, by the model.
    left : list of str
        What is not, and why.
    """

    root: Path
    derived: bool = False
    raw: bool = False
    removed: dict[str, list[Path]] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        self.data = (self.root / "data").resolve()
        self._folders, self._logged = cache(self._find_folders), cache(self._find_logged)
        self._people = cache(self._find_people)
        self._objects: dict[Path, Files] = {}
        for name, bucket in buckets(self.data).items():
            self._bring(name, bucket)

    def _bring(self, name: str, bucket: Files) -> None:
        """Bring from a bucket what may name somebody, and note all that lies there.

        Of cubes the names are enough.
        """
        stages = {path for path in bucket.folders(self.data) if path.name[:1].isdigit()}
        for path, size in chain.from_iterable(
            bucket.sizes(stage / name).items() for stage in sorted(stages)
        ):
            self._objects[path] = bucket
            is_cubes = path.suffix == SUFFIX and path.is_relative_to(self.data / CUBES)
            if not is_cubes and not (path.is_file() and path.stat().st_size == size):
                bucket.update(path)

    # --- names -----------------------------------------------------------------------------------

    def chosen(self, dataset: str | None, person: str | None = None) -> str:
        """Return the data set that is meant.

        Parameters
        ----------
        dataset, person : str, optional
            Names as ``data/`` and the tables have them: no patterns, no paths. Without a data set,
            the one that has the person.

        Raises
        ------
        PurgeError
            If there is no such data set or person, or several data sets have the person.
        """
        datasets = sorted({path.name for path in self.data.glob("[0-9]*/*") if path.is_dir()})
        if dataset is not None and dataset not in datasets:
            raise PurgeError(_unknown("data set", dataset, f"under {self.data}", datasets))
        if dataset is not None and person is None:
            return dataset
        searched = datasets if dataset is None else [dataset]
        persons = {name: set(self._people(name).person) for name in searched}
        having = [name for name in searched if person in persons[name]]
        if not having:
            where = f"in the tables of {', '.join(searched) or 'any data set'}"
            everybody = sorted(set().union(*persons.values()))
            raise PurgeError(_unknown("person", str(person), where, everybody))
        if len(having) > 1:
            raise PurgeError(
                f"{', '.join(having)} each have a person {person}: say whose with --dataset"
            )
        return having[0]

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Keep runs away from a data set.

        Raises
        ------
        PurgeError
            If a run or a sweep is at it.
        """

        def busy(who: str) -> NoReturn:
            raise PurgeError(
                f"{who} is at {name}: wait for it, or end it, and purge then. Nothing was removed"
            )

        folder = self.data / ".locks" / name
        folder.mkdir(parents=True, exist_ok=True)
        locks = [folder / f"{scope}.lock" for scope in SCOPES]
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(held(lock, busy))
            if bucket := buckets(self.data).get(name):
                for lock in sorted({folder / f"{SHARED}.lock", *bucket.locks(folder)}):
                    stack.enter_context(bucket.leased(lock, busy))
            for lock in (self.data / REPORTING / name).glob("sweeps/*/.lock"):
                with held(lock, busy):
                    pass
            yield
            for lock in locks:
                with suppress(OSError):  # Windows removes no file that is open
                    lock.unlink()

    # --- plans -----------------------------------------------------------------------------------

    def plan(self, name: str, person: str | None = None, days: int | None = None) -> None:
        """Plan to remove a person, what is older than so many days, or all of a data set."""
        if person is not None:
            self.person(name, person)
        elif days is not None:
            self.older_than(name, days)
        else:
            self.dataset(name)
        self._plan_versions(name)

    def dataset(self, name: str) -> None:
        """Plan to remove everything that was made of a data set."""
        self._plan_frames(name)
        for path in [*self._logged(name), *self._reports(name), *self._folders(name)]:
            self._plan(path)
        if self._logged(name):
            self._leave(
                f"MLflow experiment {name}: parameters and numbers of its runs; `uv run mlflow "
                "experiments delete` and `uv run mlflow gc` remove them"
            )

    def person(self, name: str, person: str) -> None:
        """Plan to remove a person from a data set."""
        people = self._people(name)
        self._plan_people(name, people[people.person == person], {person})

    def tracklets(self, name: str, tracklets: Collection[str]) -> None:
        """Plan to remove some tracklets from a data set."""
        people = self._people(name)
        self._plan_people(name, people[people.tracklet.isin(tracklets)], set(tracklets))

    def _plan_people(self, name: str, theirs: pd.DataFrame, names: set[str]) -> None:
        """Plan to remove rows of the tables of people, from all that was made of them."""
        trained = set(theirs.trial[theirs.role == "train"])
        mentions = mentioning({*names, *theirs.tracklet})
        self._plan_frames(name, set(theirs.tracklet))
        for store in self._stores(name):
            self._plan_cubes(store, set(theirs.tracklet), mentions)
        crops = {base for base, _ in self._frame_tables(name)}
        gallery, answers = self.data / SEARCH / name, self.data / REPORTING / name / ANSWERS
        if any(_says(file, mentions) for file in self._inside(gallery)):
            self._plan(gallery)  # whole: kedro search remove takes one person out of it
        for file in self._inside(answers):
            if file.name != MARKS or _says(file, mentions):
                self._plan(file)  # who is in their pictures is not written anywhere
        for file in self._files(name):
            if gallery in file.parents or answers in file.parents:
                continue
            mixed = _mixes(file, trained) and crops.isdisjoint(file.parents)
            if file.name.startswith(LOGITS) or _says(file, mentions) or (mixed and self.derived):
                self._plan(artifact_of(file))
            elif mixed:
                self._leave(f"{self._title(artifact_of(file))}: {MIXED}")

    def older_than(self, name: str, days: int) -> None:
        """Plan to remove what was made for a data set longer ago.

        Artifacts are as old as their records say, other files as their last change. A store of
        cubes goes when no artifact names it any more; so does a set of rendered people, if raw.
        """
        limit = time.time() - days * DAY
        files = (file for folder in self._folders(name) for file in self._inside(folder))
        made = self._logged(name) | {path: made_at(path) for path in map(artifact_of, files)}
        for path in (path for path, when in made.items() if when < limit):
            self._plan(path)
        early = sum(when > time.time() + DAY for when in made.values())
        if early:
            self._leave(
                f"{name}: {early} files are dated after tomorrow, by a clock that was wrong; they "
                "count as new"
            )
        named = set(self._named_stores(name))
        rendered = set(filter(_is_rendered, (self.data / RAW / name).glob("*")))
        for store in [*self._stores(name), *sorted(rendered)]:
            if store.name in named or store.stat().st_mtime >= limit:
                continue
            if self.raw or store not in rendered:
                self._plan(store)
            else:
                self._leave(f"{self._title(store)}: rendered people, in no use (--raw removes it)")

    def lines(self) -> list[str]:
        """Say what is removed, a line each."""
        files = [
            title if len(paths) == 1 else f"{title} ({len(paths)})"
            for title, paths in self.removed.items()
        ]
        return files + [
            f"MLflow: registered model {name}, version {version}"
            for name, versions in self.versions.items()
            for version in versions
        ]

    def carry_out(self) -> None:
        """Remove what is planned, and the folders that are empty then.

        Raises
        ------
        PurgeError
            If something can't be removed; what came before it is gone.
        """
        for path in (path for paths in self.removed.values() for path in paths):
            try:
                self._delete(path)
            except OSError as error:
                raise PurgeError(
                    f"{path} can't be removed: {reason(error)}. What was listed before it is "
                    "gone; see to it and purge again"
                ) from error
            folder = path.parent
            while self._is_of_a_data_set(folder) and not any(folder.glob("*")):
                with suppress(FileNotFoundError):  # it is in a bucket alone
                    folder.rmdir()
                folder = folder.parent
        from wherewhen.registry import forget

        for name, versions in self.versions.items():
            with understood():
                forget(name, versions)

    def _delete(self, path: Path) -> None:
        """Delete a folder, or a file after its record: first in the bucket, if it is in one."""
        is_folder = path.is_dir() and not path.is_symlink()
        for each in [path] if is_folder else [record_path(path, versioned=False), path]:
            inside = (there for there in self._objects if is_folder and each in there.parents)
            self._objects.get(next(inside, each), DISK).delete(each)

    def _is_of_a_data_set(self, folder: Path) -> bool:
        return self.data in folder.parents and folder.parent != self.data

    def _plan(self, path: Path) -> None:
        paths = self.removed.setdefault(self._title(path), [])
        if path not in paths:
            paths.append(path)

    def _leave(self, line: str) -> None:
        if line not in self.left:
            self.left.append(line)

    def _title(self, path: Path) -> str:
        """Name a path from the project's root; an artifact without its identity."""
        path = path.parent if (path / NAME).is_file() else path
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()

    def _plan_versions(self, name: str) -> None:
        """Plan to remove the registered versions whose files are removed, or are gone."""
        from wherewhen.registry import versions

        if not _has_database():
            return
        going = {path for paths in self.removed.values() for path in paths}
        with understood():
            found = versions(name)
        which = [
            str(version.version)
            for version, place in found
            if place is not None and (place in going or not place.exists())
        ]
        if which:
            self.versions[name] = which

    # --- frames and cubes ------------------------------------------------------------------------

    def _plan_frames(self, name: str, tracklets: set[str] | None = None) -> None:
        """Plan to remove frames under ``data/``, raw ones if asked, and name the others."""
        own = self.data / RAW / name
        if tracklets is None and own.is_dir() and self.raw and own.resolve() == own:
            self._plan(own)
        elif tracklets is None and own.is_dir():
            self._leave(f"{self._title(own)}: raw frames (--raw removes those under data/{RAW})")
        places: dict[Path, Path] = {}
        for base, frames in self._frame_tables(name):
            if tracklets is not None:
                theirs = frames.path[frames.tracklet.isin(tracklets)]
                places |= {base / path: (base / path).parent for path in theirs}
            elif not base.is_relative_to(own.resolve()):
                places |= {base / path: base for path in frames.path}
        for file, folder in places.items():
            self._plan_frame(file, f"frames in {self._title(folder)}")
        if tracklets is not None:
            self._plan_truth(name, places)
            self._leave(
                "frames that stay bring the person back with the next run; so do archives, videos, "
                "whole pictures and lists (manifest.csv) that frames are taken from"
            )

    def _plan_frame(self, file: Path, title: str) -> None:
        place = file.resolve()
        if not file.exists():
            return
        if not place.is_relative_to(self.data):
            self._leave(f"{title}: not under data/, so yours to delete")
        elif place.is_relative_to(self.data / RAW) and not self.raw:
            self._leave(f"{title}: raw (--raw removes them)")
        else:
            self.removed.setdefault(title, []).append(file)

    def _plan_truth(self, name: str, frames: Iterable[Path]) -> None:
        """Plan to remove what is known of rendered frames: it shows the person's outline."""
        for home in filter(_is_rendered, (self.data / RAW / name).glob("*")):
            for truth in filter(None, (find_truth(home, file.as_posix()) for file in frames)):
                self._plan_frame(truth, f"truth in {self._title(home)}")

    def _frame_tables(self, name: str) -> Iterator[tuple[Path, pd.DataFrame]]:
        """Give each table of frames and the folder that its paths start from."""
        for path in self._tables(name, {"tracklet", "path"}):
            beside = self.data / INTERMEDIATE / name / "frames_root.json" / path.parent.name
            with suppress(OSError, ValueError):
                base = json.loads((beside / "frames_root.json").read_bytes())
                yield (self.root / base).resolve(), _read(path, ["tracklet", "path"])

    def _plan_cubes(self, store: Path, tracklets: set[str], mentions: Mentions) -> None:
        """Plan to remove a person's cubes, and what says that the store is whole.

        The next extraction makes what is missing, and keeps the cubes of the others.
        """
        inside = [path for path in self._objects if path.is_relative_to(store / "cubes")]
        names = {
            path: unquote(path.relative_to(store / "cubes").with_suffix("").as_posix())
            for path in {*(store / "cubes").rglob("*.*"), *inside}
        }
        cubes = [path for path in names if names[path] in tracklets or path.suffix == ".tmp"]
        about = [path for path in store.iterdir() if path.is_file()]
        if cubes or any(_says(path, mentions) for path in about):
            whole = [path for path in about if path.name != "identity.json"]
            self.removed[f"cubes in {self._title(store)}"] = cubes + whole

    def _named_stores(self, name: str) -> Iterator[str]:
        """Name the stores that are named by artifacts which stay."""
        going = {path for paths in self.removed.values() for path in paths}
        for folder in self._folders(name):
            for path in folder.glob("*/*/*.json"):
                if path.name in POINTERS and path.parent not in going:
                    with suppress(ValueError, KeyError):
                        yield json.loads(path.read_bytes())["store"]

    # --- places ----------------------------------------------------------------------------------

    def _find_folders(self, name: str) -> list[Path]:
        """Return the folders of a data set, raw frames left out; links are named, not followed.

        Tables of tracklets come last: after an interruption, they say what is left to remove.
        """
        found = []
        for path in sorted(self.data.glob("[0-9]*/*")):
            if path.name != name or path.parent.name == RAW or not path.is_dir():
                continue
            own = path.resolve() == path
            for link in filter(Path.is_symlink, path.rglob("*")) if own else [path]:
                self._leave(f"{link.resolve()}: {self._title(link)}, a link, leads there")
            found += [path] * own
        return sorted(found, key=lambda path: path.parent.name == PRIMARY)

    def _inside(self, folder: Path) -> Iterator[Path]:
        """Give the files in a folder, cubes left out; links are not followed."""
        stores = folder / "cubes" if folder.parent.name == CUBES else None
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and stores not in path.parents:
                yield path

    def _stores(self, name: str) -> list[Path]:
        """Return the stores of cubes."""
        stores = [path for folder in self._folders(name) for path in folder.glob("cubes/*")]
        return [path for path in stores if path.is_dir() and path.resolve() == path]

    def _files(self, name: str) -> Iterator[Path]:
        """Give all files that were made for a data set, frames and cubes left out."""
        yield from self._reports(name)
        for folder in [*self._logged(name), *self._folders(name)]:
            yield from self._inside(folder)

    def _reports(self, name: str) -> list[Path]:
        """Return reports on several data sets, this one among them."""
        mentions = mentioning({name})
        pages = (path for path in self.data.glob(f"{REPORTING}/*.html") if path.resolve() == path)
        return [page for page in pages if _says(page, mentions)]

    def _tables(self, name: str, columns: set[str]) -> list[Path]:
        """Return the tables that have some columns."""
        return [file for file in self._files(name) if columns <= _columns(file)]

    def _find_people(self, name: str) -> pd.DataFrame:
        """Read from all tables whose the tracklets are, and who trained (`role`) in which trial."""
        tables = [pd.DataFrame(columns=["person", "tracklet", "trial", "role"])]
        for path in self._tables(name, {"person", "tracklet"}):
            wanted = [column for column in tables[0] if column in _columns(path)]
            tables.append(_read(path, wanted))
        return pd.concat(tables, ignore_index=True)

    def _find_logged(self, name: str) -> dict[Path, float]:
        """Find what MLflow keeps of a data set's runs here, and since when; name the rest."""
        found = {}
        for place, made in _logged_places(name):
            parsed = urlparse(place)
            if parsed.scheme not in {"", "file"}:
                self._leave(f"{place}: MLflow artifacts on another machine")
            elif (path := Path(unquote(parsed.path))).is_dir():
                found[path] = made
        return found


def mentioning(names: Iterable[str]) -> Mentions:
    """Return a test whether a text has one of some names in it, as a word or a part of a path.

    A number is only taken for a name where it is all of a field or of a part of a path.

    Examples
    --------
    >>> named = mentioning({"anna", "7"})
    >>> [bool(named(text)) for text in ("cam_a/anna/1.png", "hannah", "1,7,x", "17")]
    [True, False, True, False]
    """
    words = {form for name in names for form in (name, json.dumps(name)[1:-1])}
    return re.compile(
        "|".join(
            rf'(?:^|(?<=["/,\n])){word}(?=["/,\r\n]|$)'
            if word.isdigit()
            else rf"(?<![\w-]){re.escape(word)}(?![\w-])"
            for word in words
        )
    ).search


def artifact_of(file: Path) -> Path:
    """Return what is removed with a file: the folder of an artifact, or what a record is of.

    Of a model in MLflow all is removed: nothing of it can be used without the rest.
    """
    for folder in list(file.parents)[:2]:  # an artifact is a file in that folder, or a folder
        if (folder / NAME).is_file():
            return folder
    for folder in list(file.parents)[:3]:
        if (folder / MLMODEL).is_file():
            return folder
    of = file.with_name(file.name.removesuffix(f".{NAME}"))
    return of if of.exists() else file


def made_at(artifact: Path) -> float:
    """Return when an artifact was made, in seconds since 1970: as its record says, if any."""
    inside = artifact.is_dir()
    record = Record.read(artifact / NAME if inside else record_path(artifact, versioned=False))
    if record is None:
        return artifact.stat().st_mtime
    return datetime.fromisoformat(record.finished).timestamp()


def _says(file: Path, mentions: Mentions) -> bool:
    """Whether the text of a file mentions somebody; a table that can't be read might."""
    if file.suffix == ".parquet":
        try:
            return any(mentions(text) for text in _cells(file))
        except (OSError, pa.ArrowException):
            return True
    if file.suffix in FITTED | CODE | PICTURES - {".html"}:
        return False
    return bool(mentions(file.read_bytes().decode("utf-8", "replace")))


def _cells(table: Path) -> Iterator[str]:
    """Give the texts in a table."""
    for column in parquet.read_table(table).columns:
        values = column.combine_chunks()
        values = values.dictionary if pa.types.is_dictionary(values.type) else values
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            yield from filter(None, values.unique().to_pylist())


def _read(table: Path, columns: list[str]) -> pd.DataFrame:
    return pd.read_parquet(table, columns=columns).astype(str).drop_duplicates()


def _columns(file: Path) -> set[str]:
    if file.suffix == ".parquet":
        with suppress(OSError, pa.ArrowException):  # a damaged one
            return set(parquet.read_schema(file).names)
    return set()


def _is_rendered(folder: Path) -> bool:
    """Whether a folder is a set of rendered people, by what its manifest says."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        named = json.loads((folder / "manifest.json").read_bytes())["fingerprint"]
        return named == folder.name and folder.resolve() == folder
    return False


def _mixes(file: Path, trained: set[str]) -> bool:
    """Whether a person may be in a file without their name; `trained`: the person's trials."""
    trial = next((part for part in file.parts if part.startswith("trial_")), None)
    fitted = file.suffix in FITTED and (trial is None or trial in trained)
    return (file.suffix in PICTURES or fitted) and not (
        file.stem.startswith(NOBODY) or shows_nobody(file.stem)
    )


def _unknown(what: str, name: str, where: str, known: list[str]) -> str:
    said = filter(None, [did_you_mean(name, known), f"known: {listed(known) or 'none'}"])
    return f"no {what} {name!r} {where}; {' '.join(said)}"


def _logged_places(name: str) -> Iterator[tuple[str, float]]:
    """Give the folders of an MLflow experiment's runs and models, and when they were made."""
    import mlflow
    from mlflow.entities import ViewType

    if not _has_database():
        return
    with understood():
        experiment = client().get_experiment_by_name(name)
        if experiment is None:
            return
        ids = [experiment.experiment_id]
        for run in search(experiment_ids=ids, run_view_type=ViewType.ALL):
            yield run.info.artifact_uri, (run.info.end_time or run.info.start_time) / 1000
        for model in mlflow.search_logged_models(ids, output_format="list"):
            yield model.artifact_location, model.creation_timestamp / 1000


def _has_database() -> bool:
    """Whether MLflow has one: asking would make an SQLite file."""
    uri = tracking_uri()
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).is_file()
