"""Files of networks, metrics, indexes and cubes, and checkpoints of others."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hostile import case


class Runs:
    """Unpickled, it writes a file."""

    def __init__(self, folder: Path) -> None:
        self.place = str(folder / "ran")

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({self.place!r}, 'w')",))


def tensors_file(path: Path, header: dict[str, Any], data: bytes = b"") -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def network(path: Path, **changes: Any) -> Path:
    """Write a small network whose header is then changed."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    from wherewhen.model.config import NetworkConfig
    from wherewhen.model.files import write_network
    from wherewhen.model.siamese import build_network

    with torch.random.fork_rng(devices=[]):
        write_network(build_network(NetworkConfig(channels=[4], projection=3), 5, (2, 2)), path)
    with safe_open(path, framework="pt") as opened:
        built = json.loads(opened.metadata()["network"])
    weights = load_file(path)
    for name, value in changes.items():
        if name == "value":
            first = next(name for name, each in weights.items() if each.is_floating_point())
            weights[first] = torch.full_like(weights[first], value)
        elif name == "config":
            built["config"] |= value
        else:
            built[name] = value
    save_file(weights, path, metadata={"network": json.dumps(built)})
    return path


def _network(
    given: str, said: str, megabytes: int = 100, seconds: float = 10, **changes: Any
) -> None:
    """Add a case of a network's file of another header."""

    def act(folder: Path) -> Iterator[None]:
        from wherewhen.model.files import read_network

        path = network(folder / "network.safetensors", **changes)
        yield
        read_network(path)

    act.__name__ = given.replace(" ", "_")
    said = f"network.safetensors can't be read as a network ({said}"
    case("network", given, said, "NetworkFileError", megabytes, seconds)(act)


def trunk(
    backbone: str, size: tuple[int, int] = (224, 224), trained: str = "last:1"
) -> dict[str, Any]:
    return {"backbone": backbone, "size": size, "trained": trained, "weights_sha256": "0" * 64}


_network("a header with 10^9 channels", "...", channels=10**9)
_network(
    "a header with 10^9 channels on a grid of 1000 x 1000",
    "1000000000 channels on a grid",
    channels=10**9,
    grid=1000,
)
_network("a header with -1 channels", "-1 channels", channels=-1)
_network("a header with layers of 10^9 channels", "...", config={"channels": [10**9]})
_network(
    "a header with a million layers",
    "1,000,000 layers, of which there are",
    megabytes=300,
    config={"channels": [1] * 10**6, "input_kernels": [3], "hidden_kernels": [1]},
)
_network(
    "a header with a transformer of 10^7 layers",
    "10,000,000 layers, of which there are",
    config={"head": "transformer", "transformer_layers": 10**7},
)
_network(
    "a header with kernels of 10^6 + 1 cells", "...", config={"input_kernels": [[10**6 + 1, 1]]}
)
_network("a header with a field that there is not", "...", config={"command": "id"})
_network(
    "a header with an unknown backbone",
    "backbone `os.system` is not known",
    trunk=trunk("os.system"),
)
_network(
    "a header with an unknown network of timm", "... has no model `../x`", trunk=trunk("timm:../x")
)
_network(
    "a header with a backbone for images of 10^5 x 10^5 pixels",
    "... takes at most 4,194,304 pixels",
    trunk=trunk("timm:test_resnet", (10**5, 10**5)),
)
_network(
    "a header with a backbone of 3 GB that is not in the file",
    "trunk... is None, not",
    seconds=30,
    trunk=trunk("timm:vit_huge_patch14_224"),
)
_network("weights of NaN", "... holds values that are no numbers", value=float("nan"))
_network("weights of infinity", "... holds values that are no numbers", value=float("inf"))


def _file(
    kind: str, given: str, said: str, error: str, name: str, write, read: str, **bounds
) -> None:
    """Add a case of a file that a function ``module:function`` reads."""

    def act(folder: Path) -> Iterator[None]:
        import pkgutil

        path = folder / name
        made = write(folder) if callable(write) else write
        if made is not None:
            path.write_bytes(made)
        yield
        try:
            pkgutil.resolve_name(read)(path)
        finally:
            assert not (folder / "ran").exists(), "code of the file ran"

    act.__name__ = f"{kind} {given}".replace(" ", "_")
    case(kind, given, said, error, **bounds)(act)


def _header(length: int, text: bytes = b"{") -> bytes:
    return struct.pack("<Q", length) + text


READERS = {
    "network": ("NetworkFileError", "wherewhen.model.files:read_network"),
    "metrics": ("MetricsFileError", "wherewhen.metric_learning.files:read_metrics"),
    "statistics of cubes": ("ValueError", "wherewhen.features.domain:read_statistics"),
    "weights": ("WeightsError", "wherewhen.features.checkpoint_files:read_checkpoint"),
}
for _kind, (_error, _read) in READERS.items():
    _name = "x.safetensors"
    for _given, _said, _content in (
        ("an empty file", "it is empty", b""),
        ("a header that is longer than the file", "but the file has", _header(2**62)),
        (
            "a header of 20 MB",
            "and at most 4,194,304 are read",
            _header(20 * 2**20, b"{" + b" " * (20 * 2**20)),
        ),
        ("a pickle", "does not begin with a brace", lambda folder: pickle.dumps(Runs(folder))),
        (
            "a header of 100,000 lists in each other",
            "x.safetensors",
            _header(100_008, b'{"a":' + b"[" * 100_003),
        ),
        (
            "a tensor of 2^80 bytes",
            "x.safetensors",
            lambda folder: tensors_file(
                folder / "y",
                {"a": {"dtype": "F32", "shape": [2**39, 2**39], "data_offsets": [0, 8]}},
                bytes(8),
            ).read_bytes(),
        ),
        (
            "tensors beyond the file's end",
            "x.safetensors",
            lambda folder: tensors_file(
                folder / "y",
                {"a": {"dtype": "F32", "shape": [2], "data_offsets": [2**40, 2**40 + 8]}},
                bytes(8),
            ).read_bytes(),
        ),
        (
            "tensors that mean something else",
            "x.safetensors",
            lambda folder: tensors_file(
                folder / "y",
                {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}},
                bytes(8),
            ).read_bytes(),
        ),
    ):
        if (_kind, _given) != ("weights", "tensors that mean something else"):
            _file(_kind, _given, _said, _error, _name, _content, _read, megabytes=100)


def _torch(folder: Path, content: Any, **options: Any) -> None:
    import torch

    torch.save(content, folder / "x.pth", **options)


def _zip_checkpoint(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "y", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x/data.pkl", b"\x80\x02}.")
        file.writestr("x/data/0", bytes(200 * 2**20))
    return (folder / "y").read_bytes()


def _numpy_number(folder: Path) -> None:
    import numpy as np
    import torch

    _torch(folder, {"state_dict": {"a": torch.ones(1)}, "rank1": np.float32(0.85)})


_W = ("WeightsError", "x.pth")
_READ = READERS["weights"][1]
_file(
    "weights",
    "a pickle that runs a command",
    "holds more than tensors ... unpickling more may run code",
    *_W,
    lambda folder: pickle.dumps(Runs(folder), 2),
    _READ,
)
_file(
    "weights",
    "a file of torch.save that runs a command",
    "holds more than tensors ... unpickling more may run code",
    *_W,
    lambda folder: _torch(folder, {"a": Runs(folder)}),
    _READ,
)
_file(
    "weights",
    "a file of torch.save with a number of numpy",
    "holds more than tensors (numpy... write its tensors alone",
    *_W,
    _numpy_number,
    _READ,
)
_file(
    "weights",
    "a zip that grows a thousandfold",
    "its entries say that they take",
    *_W,
    _zip_checkpoint,
    _READ,
)
_file("weights", "a text", "it is a text that begins with 'hello'", *_W, b"hello", _READ)
_file(
    "weights",
    "nothing but numbers",
    "holds no state dict",
    *_W,
    lambda folder: _torch(folder, [1, 2]),
    _READ,
)


def _cubes(given: str, said: str, header: dict[str, Any]) -> None:
    def act(folder: Path) -> Iterator[None]:
        from wherewhen.features.cube_files import CubeFile

        path = tensors_file(folder / "x.safetensors", header, bytes(8))
        yield
        CubeFile.open(path)

    act.__name__ = given.replace(" ", "_")
    case("cubes", given, said, "ValueError", megabytes=100)(act)


def _cube(shape: list[Any], end: int, dtype: str = "F16") -> dict[str, Any]:
    about = {"sha256": "0" * 64, "source": ""}
    return {
        "cubes": {"dtype": dtype, "shape": shape, "data_offsets": [0, end]},
        "__metadata__": about,
    }


_cubes(
    "sizes that contradict each other",
    "sizes that contradict each other",
    _cube([1, 2**40, 1, 1, 1], 8),
)
_cubes("negative sizes", "five dimensions", _cube([1, -1, 1, 1, -4], 8))
_cubes("sizes of 1.5", "sizes that contradict each other", _cube([1, 1.5, 1, 1, 4], 8))
_cubes("another type", "expected float16 or 8 bits", _cube([1, 1, 1, 1, 4], 8, "F64"))
_cubes("no such tensor", "not a cube file", {"a": 1})


def index(folder: Path, kind: str = "exact") -> Path:
    import numpy as np
    import pandas as pd

    from wherewhen.search import Index

    rows = 200
    table = pd.DataFrame(
        {"tracklet": [f"t{row}" for row in range(rows)], "person": "p", "camera": "c", "length": 1}
    )
    vectors = np.random.default_rng(0).normal(size=(rows, 8)).astype(np.float32)
    made = Index.create(table, vectors, {"model": "m"}, kind)
    made.save(folder / "index")
    return folder / "index"


def forged(place: Path, **changes: Any) -> None:
    """Change a head of an index, and its hash with it."""
    import hashlib

    from wherewhen.tracklets.fingerprint import canonical_json, file_sha256

    head = json.loads((place / "index.json").read_bytes())
    head.pop("sha256")
    for name, entry in head["files"].items():
        path = place / head["generation"] / name
        entry |= {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    head |= changes
    head["sha256"] = hashlib.sha256(canonical_json(head).encode()).hexdigest()
    (place / "index.json").write_text(json.dumps(head))


def _index(given: str, said: str, change, kind: str = "exact") -> None:
    def act(folder: Path) -> Iterator[None]:
        from wherewhen.search import Index

        place = index(folder, kind)
        change(place)
        yield
        Index.open(place)

    act.__name__ = f"index_{given}".replace(" ", "_")
    case("index", given, said, "GalleryError")(act)


def _graph(place: Path) -> None:
    """Let FAISS's graph say that it has 2^40 entries."""
    path = next(place.glob("generation-*/graph.faiss"))
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<Q", 200))  # the levels of 200 vectors
    content[at : at + 8] = struct.pack("<Q", 2**32)
    path.write_bytes(content)
    forged(place)


def _pickled(place: Path) -> None:
    path = next(place.glob("generation-*/vectors.npy"))
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    path.write_bytes(
        b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + pickle.dumps(Runs(place))
    )
    forged(place)


_index(
    "a head that names a folder elsewhere",
    "names the generation '../..'",
    lambda place: forged(place, generation="../.."),
)
_index(
    "a head that names files elsewhere",
    "does not name the files",
    lambda place: forged(place, files={"../../etc/passwd": {"bytes": 1, "sha256": ""}}),
)
_index(
    "a head of an unknown kind",
    "names the kind 'pickle'",
    lambda place: forged(place, kind="pickle"),
)
_index(
    "a head of 100,000 lists in each other",
    "can't be read",
    lambda place: (place / "index.json").write_text("[" * 100_000),
)
_index(
    "a head that was changed",
    "does not match its checksum",
    lambda place: (place / "index.json").write_text(
        (place / "index.json").read_text().replace('"m"', '"n"')
    ),
)
_index("vectors that are a pickle", "can't be used", _pickled)
_index("a graph that says it has 2^32 entries", "FAISS can't read it", _graph, "hnsw")


@case(
    "checkpoint",
    "a header that names a class",
    "cannot be read as a checkpoint ... run again",
    "CheckpointError",
)
def checkpoint_of_a_class(folder: Path) -> Iterator[None]:
    from wherewhen.training.checkpoints import Checkpoints

    text = json.dumps({"fingerprint": "run", "state": {"os.system": ["id"]}})
    tensors_file(folder / "checkpoint.safetensors", {"__metadata__": {"checkpoint": text}})
    yield
    Checkpoints(folder, "run").load()


@case(
    "checkpoint",
    "a header of 100,000 lists in each other",
    "cannot be read as a checkpoint ... run again",
    "CheckpointError",
)
def checkpoint_that_is_deep(folder: Path) -> Iterator[None]:
    from wherewhen.training.checkpoints import Checkpoints

    tensors_file(folder / "checkpoint.safetensors", {"__metadata__": {"checkpoint": "[" * 100_000}})
    yield
    Checkpoints(folder, "run").load()


def _card(given: str, content: bytes) -> None:
    def act(folder: Path) -> Iterator[None]:
        from wherewhen.pretrained import load_card

        (folder / "card.json").write_bytes(content)
        yield
        load_card(folder)

    act.__name__ = f"card_{given}".replace(" ", "_")
    case("card of a model", given, "card.json can't be read as the card", "PretrainedError")(act)


_card("100,000 lists in each other", b"[" * 100_000)
_card("another object", b'{"layout": 2}')
_card("no text", bytes(range(256)))
_card("20 MB", b" " * (20 * 2**20))


@case(
    "cube store",
    "an identity of 100,000 lists in each other",
    "identity.json is damaged",
    "CubeStoreError",
)
def deep_identity(folder: Path) -> Iterator[None]:
    from wherewhen.features.cube_store import CubeStore

    (folder / "identity.json").write_text("[" * 100_000)
    yield
    CubeStore(folder)
