"""Retention (the Kedro side): take a data set, or one of its persons, out of all that was derived.

Cubes, embeddings and rankings are measurements of people. Rows and files that belong to one person
are removed; what mixes people (a network, a figure) can't be mended, so it is named, or removed
whole when asked. Raw frames are the user's: they are only named.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pandas as pd

from wherewhen.features.cube_store import CubeStore

RAW = "01_raw"
CUBES = "04_feature"
WHO = ("person", "probe_person", "gallery_person")
"""Columns that name a person."""
WHOSE = ("tracklet", "probe", "gallery", "retrieved")
"""Columns that name a tracklet."""
MIXED = {".png", ".jpg", ".pdf", ".html", ".pt", ".safetensors", ".joblib", ".npz", ".npy"}
"""Suffixes of files that mix people: figures, pages, networks, metrics, logits.

Earlier versions wrote .pt and .joblib; such files may still be there."""
LOGITS = "logits_"
"""How the names of files begin that compare the tested persons of a trial with each other."""
OF_A_STORE = (".safetensors", "manifest.json")
"""Ends of the names of files that a cube store itself keeps."""
SHOW_NOBODY = (
    "cmc",
    "training_curves",
    "convergence",
    "length_matrix",
    "lengths",
    "loss_over_lambda",
)
"""Figures without people: how their files' names begin."""


class PurgeError(LookupError):
    """Nobody, or nothing, of that name; or more than one."""


@dataclass
class Purge:
    """What a purge removes and what it can't.

    Parameters
    ----------
    root
        The project's root.
    dry_run
        Only say what would be done.
    derived
        Also remove files that mix people: networks, metrics, figures.

    Attributes
    ----------
    removed, left : list of str
        One line a file: what was (or would be) removed, and what is left to the user and why.
    """

    root: Path
    dry_run: bool = False
    derived: bool = False
    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    # --- a data set ------------------------------------------------------------------------------

    def dataset(self, name: str) -> None:
        """Remove everything that was derived from a data set.

        Raises
        ------
        PurgeError
            If there is no such data set.
        """
        folders = self._folders(name)
        artifacts = self._artifacts(name)
        if not folders and not artifacts:
            raise PurgeError(
                f"no data set {name} under {self.root / 'data'} nor in MLflow; known: "
                f"{', '.join(self._datasets()) or 'none'}"
            )
        for folder in folders:
            if folder.parent.name == RAW:
                self._leave(folder, "raw frames are yours to delete")
            else:
                self._remove(folder)
        for path in artifacts:
            self._remove(path)
        if artifacts:
            self.left.append(
                f"MLflow experiment {name}: its runs' parameters and numbers; `uv run mlflow "
                "experiments delete` and `uv run mlflow gc` remove them"
            )

    # --- a person --------------------------------------------------------------------------------

    def person(self, person: str, name: str | None = None) -> None:
        """Remove a person from a data set.

        Parameters
        ----------
        person
            As the tables name it.
        name
            The data set; None looks in all, and refuses if several have such a person.

        Raises
        ------
        PurgeError
            If nobody, or persons of several data sets, are called that.
        """
        names = [name] if name else self._datasets()
        known = {name: self._tracklets_of(person, name) for name in names}
        found = {name: tracklets for name, tracklets in known.items() if tracklets}
        if not found:
            raise PurgeError(
                f"no table of {', '.join(names) or 'any data set'} names a person {person}; "
                "expected the name that data/03_primary/<data set>/tracklets.parquet has"
            )
        if len(found) > 1:
            raise PurgeError(
                f"{', '.join(found)} each have a person {person}: say whose with --dataset"
            )
        ((name, tracklets),) = found.items()
        trained = self._trials_that_trained_on(person, name)
        self._name_raw_frames(name, tracklets)
        self._cubes(name, tracklets)
        # 03_primary last: an interrupted purge still finds the person's tracklets there
        for folder in [*self._artifacts(name), *reversed(self._folders(name))]:
            if folder.parent.name != RAW:
                for path in sorted(folder.rglob("*")):
                    self._clean(path, person, tracklets, trained)

    def _tracklets_of(self, person: str, name: str) -> set[str]:
        tracklets: set[str] = set()
        for path, columns in self._tables(name):
            if {"person", "tracklet"} <= columns:
                table = pd.read_parquet(path, columns=["person", "tracklet"])
                tracklets |= set(table.tracklet[table.person == person])
        return tracklets

    def _trials_that_trained_on(self, person: str, name: str) -> set[str]:
        trials: set[str] = set()
        for path, columns in self._tables(name):
            if {"person", "trial", "role"} <= columns:
                table = pd.read_parquet(path, columns=["person", "trial", "role"])
                trains = (table.person == person) & (table.role == "train")
                trials |= set(table.trial[trains])
        return trials

    def _name_raw_frames(self, name: str, tracklets: set[str]) -> None:
        frames = [path for path, columns in self._tables(name) if {"tracklet", "path"} <= columns]
        for table in (pd.read_parquet(path, columns=["tracklet", "path"]) for path in frames[:1]):
            of_person = table.path[table.tracklet.isin(tracklets)]
            folders = sorted({Path(path).parent.as_posix() for path in of_person})
            self.left.append(
                f"{len(of_person)} raw frames, in {', '.join(folders)} under the data set's root: "
                "yours to delete; left there, the next run brings the person back"
            )

    def _cubes(self, name: str, tracklets: set[str]) -> None:
        folder = self.root / "data" / CUBES / name / "cubes"
        stores = CubeStore.stores_under(folder)
        for store in stores:
            there = sorted(tracklet for tracklet in tracklets if store.has_file(tracklet))
            if there and not self.dry_run:
                with store.writing():
                    store.remove(there)
            self.removed += [
                f"cubes of {tracklet} in {self._name(store.folder)}" for tracklet in there
            ]
        opened = {store.folder for store in stores}
        for other in sorted(folder.glob("*/cubes")):
            if other.parent not in opened:
                self._leave(other.parent, "a damaged cube store: delete the folder")

    def _clean(self, path: Path, person: str, tracklets: set[str], trained: set[str]) -> None:
        """Take a person out of one file, or say that it can't be done."""
        if not path.is_file() or (CUBES in path.parts and path.name.endswith(OF_A_STORE)):
            return
        if path.suffix in {".parquet", ".csv"}:
            self._clean_table(path, person, tracklets)
        elif path.suffix == ".json":
            text = path.read_text(encoding="utf-8", errors="replace")
            names = {json.dumps(name) for name in (person, *tracklets)}
            if any(name in text for name in names):
                self._mixed(path, "names the person")
        elif path.suffix in MIXED and not path.stem.startswith(SHOW_NOBODY):
            trial = next((part for part in path.parts if part.startswith("trial_")), None)
            model = path.suffix not in {".png", ".jpg", ".pdf", ".html"}
            if not model:
                self._mixed(path, "may show the person")
            elif path.name.startswith(LOGITS):
                if trial not in trained:
                    self._mixed(path, "compares the person with others, if tested in the trial")
            elif trial is None or trial in trained:
                self._mixed(path, "was fitted to the person among others: it has to be made again")

    def _clean_table(self, path: Path, person: str, tracklets: set[str]) -> None:
        read = pd.read_parquet if path.suffix == ".parquet" else pd.read_csv
        columns = _columns(path)
        who, whose = (sorted(columns & set(names)) for names in (WHO, WHOSE))
        if not who and not whose:
            return
        table = read(path, dtype=str) if path.suffix == ".csv" else read(path)
        theirs = table[who].eq(person).any(axis=1) | table[whose].isin(tracklets).any(axis=1)
        if not theirs.any():
            return
        self.removed.append(f"{int(theirs.sum())} rows of {self._name(path)}")
        if not self.dry_run:
            partial = path.with_name(f".{path.name}.tmp")
            kept = table[~theirs].reset_index(drop=True)
            kept.to_parquet(partial) if path.suffix == ".parquet" else kept.to_csv(
                partial, index=False
            )
            partial.replace(path)

    def _mixed(self, path: Path, why: str) -> None:
        if self.derived:
            self._remove(path)
        else:
            self._leave(path, f"{why} (--derived removes it)")

    # --- places ----------------------------------------------------------------------------------

    def _datasets(self) -> list[str]:
        return sorted(
            {path.name for path in (self.root / "data").glob("[0-9]*/*") if path.is_dir()}
        )

    def _folders(self, name: str) -> list[Path]:
        return sorted(path for path in (self.root / "data").glob(f"[0-9]*/{name}") if path.is_dir())

    def _tables(self, name: str) -> Iterator[tuple[Path, set[str]]]:
        for folder in self._folders(name):
            for path in sorted(folder.rglob("*.parquet")):
                if path.is_file():
                    yield path, _columns(path)

    def _artifacts(self, name: str) -> list[Path]:
        """Find the artifacts of a data set's MLflow runs on this machine; name the others."""
        from mlflow.entities import ViewType
        from mlflow.tracking import MlflowClient

        from wherewhen.settings import tracking_uri

        uri = tracking_uri()
        database = Path(uri.removeprefix("sqlite:///"))
        if uri.startswith("sqlite:///") and not database.is_file():
            return []  # asking would make one
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            return []
        places = [run.info.artifact_uri for run in _all_runs(client, experiment, ViewType.ALL)]
        places += [
            model.artifact_location
            for model in client.search_logged_models(experiment_ids=[experiment.experiment_id])
        ]
        here = []
        for place in places:
            parsed = urlparse(place)
            if parsed.scheme not in {"", "file"}:
                self.left.append(f"{place}: MLflow artifacts on another machine")
            elif (path := Path(unquote(parsed.path))).is_dir():
                here.append(path)
        return here

    # --- files -----------------------------------------------------------------------------------

    def _remove(self, path: Path) -> None:
        self.removed.append(self._name(path))
        if self.dry_run:
            return
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _leave(self, path: Path, why: str) -> None:
        self.left.append(f"{self._name(path)}: {why}")

    def _name(self, path: Path) -> str:
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()


def _columns(path: Path) -> set[str]:
    if path.suffix == ".csv":
        return set(pd.read_csv(path, nrows=0).columns)
    from pyarrow.parquet import read_schema

    return set(read_schema(path).names)


def _all_runs(client: Any, experiment: Any, view: Any) -> Iterable[Any]:
    token = None
    while True:
        page = client.search_runs([experiment.experiment_id], run_view_type=view, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
