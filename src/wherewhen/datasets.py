"""Kedro data sets of our own: what pandas can't hold (the Kedro side).

Two of them save something lazy. A node hands over a plan (which tracklets, and how each is made);
saving makes what is missing, tracklet by tracklet, and marks the whole as complete last. A run that
was killed therefore goes on where it stopped, and a half-written tracklet is never taken for whole.
"""

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from kedro.io import AbstractDataset, AbstractVersionedDataset, DatasetError, Version

from wherewhen.atomic import replacing
from wherewhen.features.cube_store import CubeStore
from wherewhen.features.extraction import PLAN, CubeExtraction, StreamedCubes, fill

HEADER = "network"
"""The entry of a network file's header that says how the network was built, as JSON."""


class FolderDataset(AbstractDataset[Any, Path]):
    """A folder that a node keeps for itself, made when it is first asked for.

    Parameters
    ----------
    filepath : str
        The folder.
    metadata : dict, optional
        Not read here; hooks do.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """Return the folder, which then exists."""
        self._filepath.mkdir(parents=True, exist_ok=True)
        return self._filepath

    def save(self, data: Any) -> None:
        """Refuse: a node that has the folder writes into it."""
        raise DatasetError(f"{self._filepath} is a node's own folder: nothing is saved to it")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class _CurrentFolder(AbstractDataset[Any, Any]):
    """A folder of sets, each under its fingerprint, with a note of the current one.

    The note is written when a set is complete, so what is loaded is always whole.
    """

    NOTE = "current.json"

    def __init__(
        self, filepath: str, metadata: dict[str, Any] | None = None, note: str = NOTE
    ) -> None:
        self._filepath = Path(filepath)
        self._note = self._filepath / note
        self.metadata = metadata

    def _current(self) -> Path:
        try:
            name = json.loads(self._note.read_text(encoding="utf-8"))["name"]
        except FileNotFoundError:
            raise DatasetError(
                f"{self._filepath} holds no complete set yet: run the stage that makes it"
            ) from None
        return self._filepath / name

    def _point_to(self, folder: Path) -> None:
        partial = self._note.with_suffix(f".{os.getpid()}.tmp")
        partial.parent.mkdir(parents=True, exist_ok=True)
        name = folder.relative_to(self._filepath).as_posix()
        partial.write_text(json.dumps({"name": name}) + "\n", encoding="utf-8")
        partial.replace(self._note)

    def _exists(self) -> bool:
        return self._note.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class SyntheticPeopleDataset(_CurrentFolder):
    """Rendered people: saved from a plan, loaded as what their layout's reader is pointed at.

    Parameters
    ----------
    filepath : str
        The folder of all rendered sets.
    metadata : dict, optional
        Not read here; hooks do.
    """

    def save(self, data: Any) -> None:
        """Render what is missing of a :class:`wherewhen.synthetic.SyntheticSet`."""
        from wherewhen.synthetic.writer import write_set

        self._point_to(write_set(data, self._filepath))

    def load(self) -> Path:
        """Return the folder or the archive."""
        return self._current()


class CubeStoreDataset(_CurrentFolder):
    """Feature cubes: saved from a :class:`CubeExtraction`, loaded as a :class:`CubeStore`.

    Where only the training tracklets are kept, loaded as :class:`StreamedCubes`.

    Parameters
    ----------
    filepath : str
        The folder of all stores; each lies under the hash of backbone, weights, preprocessing and
        data set.
    metadata : dict, optional
        Not read here; hooks do.
    note : str
        The file in the folder that says which store is current: a variant of a run has its own.
    """

    _streamed: StreamedCubes | None = None
    """What was loaded last: building its backbone takes a second, and every trial asks."""

    def save(self, data: CubeExtraction) -> None:
        """Make and store the cubes that are missing."""
        self._streamed = None
        store = CubeStore.create(self._filepath, data.identity)
        fill(store, data)
        (store.folder / PLAN).unlink(missing_ok=True)
        if data.kept is not None:
            data.save(store.folder)
        self._point_to(store.folder)

    def load(self) -> CubeStore | StreamedCubes:
        """Open the store that was completed last."""
        store = CubeStore(self._current())
        if not (store.folder / PLAN).is_file():
            return store
        if self._streamed is None or self._streamed.key != store.key:
            self._streamed = StreamedCubes(store, CubeExtraction.load(store.folder))
        return self._streamed


class NetworkDataset(AbstractVersionedDataset[Any, Any]):
    """A network: its weights as safetensors, its configuration in the same file's header.

    Parameters
    ----------
    filepath : str
        The ``.safetensors`` file.
    version : Version, optional
        Kedro's.
    metadata : dict, optional
        Not read here; hooks do.
    """

    def __init__(
        self,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=PurePosixPath(filepath), version=version)
        self.metadata = metadata

    def save(self, data: Any) -> None:
        """Write a network."""
        path = Path(str(self._get_save_path()))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_network(data, path)

    def load(self) -> Any:
        """Read a network, in evaluation mode."""
        return read_network(Path(str(self._get_load_path()))).eval()

    def _exists(self) -> bool:
        try:
            return Path(str(self._get_load_path())).is_file()
        except DatasetError:
            return False

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


def write_network(network: Any, path: Path) -> None:
    """Write a network's weights and all that is needed to build it again.

    Equal networks make equal files, to the byte.

    Parameters
    ----------
    network : wherewhen.model.siamese.SiameseAttentionNetwork
        The network.
    path : Path
        The file; it appears whole or not at all.
    """
    from safetensors.torch import save_file

    built = {
        "config": network.config.model_dump(mode="json"),
        "channels": network.channels,
        "grid": network.grid,
    }
    # one entry: safetensors writes several in an order that changes from file to file
    header = {HEADER: json.dumps(built, sort_keys=True)}
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    save_file(weights, partial, metadata=header)
    partial.replace(path)


def read_network_header(path: str | Path) -> dict[str, Any]:
    """Read how a saved network was built: ``config`` (a dict), ``channels``, ``grid``.

    Raises
    ------
    ValueError
        If the file is not a network's.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as opened:
        header = opened.metadata() or {}
    if HEADER not in header:
        raise ValueError(
            f"{path} does not say how its network was built (no `{HEADER}` in its header): it was "
            f"not saved by this version; train again, or save the network with write_network"
        )
    return json.loads(header[HEADER])


def read_network(path: str | Path) -> Any:
    """Build a network from its file."""
    from safetensors.torch import load_file

    from wherewhen.model.config import NetworkConfig
    from wherewhen.model.siamese import build_network

    header = read_network_header(path)
    network = build_network(
        NetworkConfig(**header["config"]), channels=header["channels"], grid=header["grid"]
    )
    network.load_state_dict(load_file(path))
    return network


def saved_network(path: Path) -> Any:
    """Read a network from its file, or the newest version where Kedro keeps several.

    Parameters
    ----------
    path : Path
        ``network.safetensors``: the file, or the folder of its versions.

    Raises
    ------
    FileNotFoundError
        If there is neither.
    """
    if path.is_file():
        return read_network(path).eval()
    if not any(path.glob(f"*/{path.name}")):
        raise FileNotFoundError(
            f"{path}: expected a trained network, a file or Kedro's folder of its versions; train "
            "it first, or correct the path"
        )
    return NetworkDataset(str(path), version=Version(None, None)).load()


class MetricsDataset(AbstractVersionedDataset[Any, Any]):
    """Fitted metrics by name: arrays as safetensors, the rest as JSON in the same file's header.

    Parameters
    ----------
    filepath : str
        The ``.safetensors`` file.
    version : Version, optional
        Kedro's.
    metadata : dict, optional
        Not read here; hooks do.
    """

    def __init__(
        self,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=PurePosixPath(filepath), version=version)
        self.metadata = metadata

    def save(self, data: Any) -> None:
        """Write metrics as :func:`wherewhen.metric_learning.fit_metrics` returns them."""
        from wherewhen.metric_learning.files import write_metrics  # scikit-learn: a second

        write_metrics(data, Path(str(self._get_save_path())))

    def load(self) -> Any:
        """Read metrics, in the order in which they were written."""
        from wherewhen.metric_learning.files import read_metrics

        return read_metrics(Path(str(self._get_load_path())))

    def _exists(self) -> bool:
        try:
            return Path(str(self._get_load_path())).is_file()
        except DatasetError:
            return False

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


class ArrayDataset(AbstractDataset[Any, Any]):
    """One array of numbers, of any shape, as a safetensors file with one tensor.

    Parameters
    ----------
    filepath : str
        The ``.safetensors`` file.
    metadata : dict, optional
        Not read here; hooks do.
    """

    TENSOR = "array"

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def save(self, data: Any) -> None:
        """Write an array; an axis order in memory other than C's is not kept."""
        from safetensors.numpy import save_file

        if not isinstance(data, np.ndarray) or data.dtype.kind not in "biuf":
            raise DatasetError(
                f"{self._filepath} is to hold an array of numbers, but was given "
                f"{getattr(data, 'dtype', type(data).__name__)}: make the node return one"
            )
        with replacing(self._filepath) as partial:
            save_file({self.TENSOR: np.asarray(data, order="C")}, partial)

    def load(self) -> np.ndarray:
        """Read the array."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors = load_file(self._filepath)
        except SafetensorError as error:
            raise DatasetError(self._unreadable(str(error))) from error
        if set(tensors) != {self.TENSOR}:
            raise DatasetError(self._unreadable(f"its tensors are {', '.join(sorted(tensors))}"))
        return tensors[self.TENSOR]

    def _unreadable(self, why: str) -> str:
        return (
            f"{self._filepath} can't be read as an array ({why}): expected a safetensors file with "
            f"the tensor `{self.TENSOR}` alone; delete it and run the stage that makes it"
        )

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
