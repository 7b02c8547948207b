"""Kedro data sets for networks, metrics, arrays, figures and stores (the Kedro side).

Rendered people and cubes are saved lazily: a node returns a plan (which tracklets, and how each is
made); saving makes what is missing, tracklet by tracklet, in a store that may hold the work of
several runs, and then writes a small file that names the store. A run that was killed therefore
continues where it stopped, and a half-written tracklet is never taken for whole.
"""

from __future__ import annotations

import json
import pkgutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from kedro.io import AbstractDataset, AbstractVersionedDataset, DatasetError, Version

from wherewhen.atomic import replacing
from wherewhen.files import DISK, Workspace
from wherewhen.project import from_root

if TYPE_CHECKING:
    from wherewhen.features.cube_store import CubeStore
    from wherewhen.features.extraction import CubeExtraction, StreamedCubes


class WorkspaceDataset(AbstractDataset[Any, Workspace]):
    """The folder of a node's checkpoints, so that it can continue after a fault.

    Parameters
    ----------
    filepath : str
        The folder of all workspaces; each lies under the identity of what is made in it.
    metadata : dict, optional
        Not read here.
    """

    IS_WORKSPACE = True
    version = "none"
    """The identity."""
    files = DISK
    """Where the workspaces are kept."""

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Workspace:
        """Return the folder, which then exists."""
        folder = self._filepath / self.version
        folder.mkdir(parents=True, exist_ok=True)
        self.files.update_folder(folder)
        return Workspace(folder, self.files)

    def save(self, data: Any) -> None:
        """Refuse: a node that has the folder writes into it."""
        raise DatasetError(f"{self._filepath} is a node's own folder: nothing is saved to it")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class _FileDataset(AbstractVersionedDataset[Any, Any]):
    """A file that one function writes and another reads; they are imported when they are used.

    Parameters
    ----------
    filepath : str
        The file.
    version : Version, optional
        Kedro's.
    metadata : dict, optional
        Not read here; hooks do.
    """

    WRITE = READ = ""
    """``module:function``, of data and path, and of the path."""

    def __init__(
        self,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=PurePosixPath(filepath), version=version)
        self.metadata = metadata

    def save(self, data: Any) -> None:
        """Write the file, whole or not at all."""
        self._write(data, Path(str(self._get_save_path())))

    def load(self) -> Any:
        """Read the file."""
        return self._read(self._place)

    @property
    def _place(self) -> Path:
        return Path(str(self._get_load_path()))

    def _write(self, data: Any, path: Path) -> None:
        pkgutil.resolve_name(self.WRITE)(data, path)

    def _read(self, path: Path) -> Any:
        return pkgutil.resolve_name(self.READ)(path)

    def _exists(self) -> bool:
        return self._place.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


class FigureDataset(_FileDataset):
    """A :class:`matplotlib.figure.Figure` as PNG, which is loaded, and beside it as PDF."""

    WRITE, READ = "wherewhen.reporting.figures.canvas:save_figure", "PIL.Image:open"
    ALSO = (".pdf",)
    """Suffixes of what is written beside the file."""


class NetworkDataset(_FileDataset):
    """A network: its weights as safetensors, its configuration in the same file's header."""

    WRITE, READ = "wherewhen.model.files:write_network", "wherewhen.model.files:read_network"

    def _read(self, path: Path) -> Any:
        return super()._read(path).eval()


class MetricsDataset(_FileDataset):
    """Fitted metrics by name: arrays as safetensors, the rest as JSON in the same file's header."""

    WRITE = "wherewhen.metric_learning.files:write_metrics"
    READ = "wherewhen.metric_learning.files:read_metrics"


class ModelDataset(_FileDataset):
    """A model: a folder of safetensors and JSON; loaded as its path."""

    WRITE = "wherewhen.pretrained.writing:write_model"

    def _read(self, path: Path) -> Path:
        return path

    def _exists(self) -> bool:
        return self._place.is_dir()


class _JSONDataset(_FileDataset):
    """A small JSON file."""

    def _write(self, data: Any, path: Path) -> None:
        with replacing(path) as partial:
            partial.write_text(json.dumps(data, sort_keys=True) + "\n", encoding="utf-8")

    def _read(self, path: Path) -> Any:
        return json.loads(path.read_text(encoding="utf-8"))


class PlaceDataset(_JSONDataset):
    """The path of a folder as configured: its content decides identities, the path does not.

    What was made of the content stays when the folder is moved, but this file is made anew.
    """

    OF_THIS_MACHINE = True

    def counts(self) -> str:
        """Return what stands for the content in what is made of it."""
        return "place"

    def fault(self) -> str | None:
        """Say that the folder is gone; None if it is there."""
        place = from_root(self.load())
        return None if place.exists() else f"{place} is gone"


class ArrayDataset(_FileDataset):
    """One array of numbers, of any shape, as a safetensors file with one tensor.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     dataset = ArrayDataset(f"{folder}/array.safetensors")
    ...     dataset.save(np.eye(2))
    ...     dataset.load().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    TENSOR = "array"

    def _write(self, data: Any, path: Path) -> None:
        from safetensors.numpy import save_file

        if not isinstance(data, np.ndarray) or data.dtype.kind not in "biuf":
            raise DatasetError(
                f"{self._filepath} is to hold an array of numbers, but was given "
                f"{getattr(data, 'dtype', type(data).__name__)}: make the node return one"
            )
        with replacing(path) as partial:
            save_file({self.TENSOR: np.asarray(data, order="C")}, partial)

    def _read(self, path: Path) -> np.ndarray:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors = load_file(path)
        except SafetensorError as error:
            raise DatasetError(_unreadable(path, str(error))) from error
        if set(tensors) != {self.TENSOR}:
            raise DatasetError(_unreadable(path, f"its tensors are {', '.join(sorted(tensors))}"))
        return tensors[self.TENSOR]


def _unreadable(path: Path, why: str) -> str:
    return (
        f"{path} can't be read as an array ({why}): expected a safetensors file with one tensor; "
        "delete it and run the stage that makes it"
    )


class _StoreDataset(_JSONDataset):
    """A folder of stores, and a file that names one of them.

    Attributes
    ----------
    files : wherewhen.files.Files
        Where the stores are kept.

    Parameters
    ----------
    filepath : str
        The file.
    stores : str
        The folder of all stores.
    version, metadata
        As for `_FileDataset`.
    """

    files = DISK

    def __init__(
        self,
        filepath: str,
        stores: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, version, metadata)
        self._stores = from_root(stores)

    def fault(self) -> str | None:
        """Say what is wrong with the store that is named; None if it is as it was made."""
        raise NotImplementedError

    def counts(self) -> str:
        """Return what stands for the content in what is made of it."""
        return self._store.name

    def remove(self) -> None:
        """Remove the store, so that all of it is made anew."""
        self.files.delete(self._store)

    @property
    def _named(self) -> dict[str, str]:
        return _JSONDataset._read(self, self._place)

    @property
    def _store(self) -> Path:
        return self._stores / self._named["store"]


class SyntheticPeopleDataset(_StoreDataset):
    """Rendered people: saved from a plan, loaded as what their layout's reader is pointed at."""

    OF_THIS_MACHINE = True

    def fault(self) -> str | None:
        """Say whether frames are missing or were changed: by their sizes and times."""
        from wherewhen.lineage.content import content_of

        if content_of(self._store) == self._named["files"]:
            return None
        return f"files in {self._store} are gone or were changed"

    def _write(self, data: Any, path: Path) -> None:
        """Render what is missing of a :class:`wherewhen.synthetic.SyntheticSet`."""
        from wherewhen.lineage.content import content_of
        from wherewhen.synthetic.writer import home_of, write_set

        read_from = write_set(data, self._stores)
        store = home_of(data, self._stores)
        named = {
            "store": store.name,
            "read_from": read_from.relative_to(self._stores).as_posix(),
            "files": content_of(store),
        }
        super()._write(named, path)

    def _read(self, path: Path) -> Path:
        """Return the folder or the archive."""
        return self._stores / super()._read(path)["read_from"]


class CubeStoreDataset(_StoreDataset):
    """Feature cubes: saved from a :class:`CubeExtraction`, loaded as a :class:`CubeStore`.

    Where only some tracklets are kept, loaded as :class:`StreamedCubes`. Each store lies under the
    hash of backbone, weights, preprocessing and data set, which is what counts for all that is made
    of the cubes: whether they are kept or made when they are asked for makes no difference.
    """

    _loaded: CubeStore | StreamedCubes | None = None
    """Cache of the last load: every trial asks, a store compares checksums once, and a backbone
    takes a second to build."""

    def fault(self) -> str | None:
        """Say whether tracklets are missing, by their files' sizes; reading compares checksums.

        Where cubes are made when they are asked for, their frames have to be there, too.
        """
        from wherewhen.features.cube_store import CubeStore, CubeStoreError
        from wherewhen.features.extraction import PLAN

        try:
            store = CubeStore(self._store, self.files)
            complete = store.complete
        except (CubeStoreError, FileNotFoundError) as error:
            return str(error)
        if not complete:
            return f"cubes in {store.folder} are gone or damaged"
        plan = store.folder / PLAN
        is_plan = self.files.update(plan)
        frames = json.loads(plan.read_text(encoding="utf-8"))["root"] if is_plan else "."
        return None if Path(frames).exists() else f"{frames}, of which cubes are made, is gone"

    def _write(self, data: CubeExtraction, path: Path) -> None:
        """Make and store the cubes that are missing."""
        from wherewhen.features.cube_store import CubeStore
        from wherewhen.features.extraction import PLAN, PLAN_FILES, fill

        self._loaded = None
        store = CubeStore.create(self._stores, data.identity, self.files)
        fill(store, data)
        self.files.delete(store.folder / PLAN)
        if data.kept is not None:
            data.save(store.folder)
            for name in reversed(PLAN_FILES):
                self.files.push(store.folder / name)
        super()._write({"store": store.key}, path)

    def _read(self, path: Path) -> CubeStore | StreamedCubes:
        """Open the store."""
        from wherewhen.features.cube_store import CubeStore
        from wherewhen.features.extraction import PLAN_FILES, CubeExtraction, StreamedCubes

        folder = self._store
        if self._loaded is None or self._loaded.key != folder.name:
            self._loaded = CubeStore(folder, self.files)
            if all(self.files.update(folder / name) for name in PLAN_FILES):
                self._loaded = StreamedCubes(self._loaded, CubeExtraction.load(folder))
        return self._loaded
