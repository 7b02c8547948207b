"""Readers of bytes: a sound input of each, how it is read, and which errors it may raise.

Mutated inputs (`tests/hostile/test_mutations.py`) and the fuzzer (`tests/hostile/fuzz.py`) share
them. A reader either reads an input or raises one of its errors; any other is a fault.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

SHARED_MEMORY = Path("/dev/shm")
HOME = Path(mkdtemp(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None, prefix="hostile-"))


class Target(NamedTuple):
    """A reader."""

    seed: Callable[[], bytes]
    read: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]


TARGETS: dict[str, Callable[[], Target]] = {}


def target(make: Callable[[], Target]) -> Callable[[], Target]:
    """Add a target, which imports its reader when it is made."""
    TARGETS[make.__name__.strip("_")] = make
    return make


def _file(name: str, content: bytes) -> Path:
    path = HOME / name
    path.write_bytes(content)
    return path


def _with_header(name: str, text: bytes, rest: bytes) -> Path:
    """Write a .safetensors file of a header's text; its length is right."""
    return _file(name, struct.pack("<Q", len(text)) + text + rest)


def _parts(path: Path) -> tuple[bytes, bytes]:
    content = path.read_bytes()
    end = 8 + struct.unpack("<Q", content[:8])[0]
    return content[8:end], content[end:]


def _small_network() -> Path:
    from hostile.models import network

    return network(HOME / "seed.safetensors")


@target
def network() -> Target:
    from wherewhen.model.files import NetworkFileError, read_network

    text, rest = _parts(_small_network())

    def read(content: bytes) -> object:
        return read_network(_with_header("network.safetensors", content, rest))

    return Target(lambda: text, read, (NetworkFileError,))


@target
def network_file() -> Target:
    from wherewhen.model.files import NetworkFileError, read_network

    seed = _small_network().read_bytes()
    return Target(
        lambda: seed,
        lambda content: read_network(_file("n.safetensors", content)),
        (NetworkFileError,),
    )


def _small_metrics() -> Path:
    import numpy as np

    from wherewhen.metric_learning import fit_metrics
    from wherewhen.metric_learning.files import write_metrics

    persons = np.arange(40) // 4
    vectors = np.random.default_rng(0).normal(size=(40, 6)) + persons[:, None]
    path = HOME / "metrics-seed.safetensors"
    write_metrics(
        fit_metrics(vectors, persons, np.arange(40) % 2, {"kissme": {}}, dimension=3), path
    )
    return path


@target
def metrics() -> Target:
    from wherewhen.metric_learning.files import MetricsFileError, read_metrics

    text, rest = _parts(_small_metrics())

    def read(content: bytes) -> object:
        return read_metrics(_with_header("metrics.safetensors", content, rest))

    return Target(lambda: text, read, (MetricsFileError,))


@target
def cubes() -> Target:
    import numpy as np

    from wherewhen.features.cube_files import CubeFile, write_file

    data = np.ones((1, 2, 1, 1, 3), np.float16)
    write_file(HOME / "cubes-seed", data, "uint8", "source")
    seed = (HOME / "cubes-seed").read_bytes()

    def read(content: bytes) -> None:
        file = CubeFile.open(_file("cubes", content))
        if file.is_whole and file.has_checksum():  # what a store hands out
            out = np.empty(file.shape[1:], np.float16)
            file.read_into(0, 0, out)

    return Target(lambda: seed, read, (ValueError,))


def _tables():
    from hostile.tables import tracklets

    return tracklets()


def _splits(suffix: str, seed: bytes) -> Target:
    from wherewhen.tracklets.split_files import read_splits

    table = _tables()
    return Target(
        lambda: seed,
        lambda content: read_splits(_file(f"s{suffix}", content), table),
        (ValueError,),
    )


@target
def splits_json() -> Target:
    return _splits(".json", json.dumps([{"train": ["anna"], "test": ["bert"]}]).encode())


def _splits_table():
    from wherewhen.tracklets.split_files import from_torchreid

    return from_torchreid([{"train": ["anna"], "test": ["bert"]}], _tables())


@target
def splits_csv() -> Target:
    return _splits(".csv", _splits_table().to_csv(index=False).encode())


@target
def splits_parquet() -> Target:
    content = io.BytesIO()
    _splits_table().to_parquet(content, index=False)
    return _splits(".parquet", content.getvalue())


@target
def matlab() -> Target:
    from scipy.io import savemat

    from wherewhen.tracklets.split_files import read_ls_set

    seed = io.BytesIO()
    savemat(seed, {"ls_set": [[1.0, 2.0]]})
    return Target(
        seed.getvalue,
        lambda content: read_ls_set(_file("s.mat", content), ["anna", "bert"]),
        (ValueError,),
    )


def _archive(name: str, seed: bytes) -> Target:
    import shutil

    from wherewhen.tracklets.archives import ArchiveError, unpack

    def read(content: bytes) -> None:
        shutil.rmtree(HOME / "archives", ignore_errors=True)
        (HOME / "archives").mkdir()
        unpack(_file(f"archives/{name}", content), HOME / "archives/unpacked", progress=False)

    return Target(lambda: seed, read, (ArchiveError,))


@target
def archive_zip() -> Target:
    from hostile.archives import zipped

    return _archive("set.zip", zipped(HOME, "a/1.png", "b/2.png", content=b"x" * 40).read_bytes())


@target
def archive_tar() -> Target:
    from hostile.archives import entry, tar

    return _archive(
        "set.tar", tar(HOME, entry("a/1.png", size=40), entry("b.png")).read_bytes()[:4096]
    )


def _picture(form: str, **options: object) -> Target:
    from hostile.pictures import encoded
    from wherewhen.recogniser.frames import frame_of
    from wherewhen.tracklets.picture_files import PictureError

    return Target(
        lambda: encoded(form, **options), lambda content: frame_of(content, 10**6), (PictureError,)
    )


@target
def picture_png() -> Target:
    return _picture("PNG")


@target
def picture_jpeg() -> Target:
    from PIL import Image

    upright = Image.Exif()
    upright[274] = 1
    return _picture("JPEG", exif=upright, progressive=True)


@target
def picture_bmp() -> Target:
    return _picture("BMP")


@target
def manifest() -> Target:
    from hostile.pictures import encoded
    from wherewhen.tracklets.ingest import IngestError
    from wherewhen.tracklets.readers import read

    root = HOME / "manifest"
    root.mkdir(exist_ok=True)
    (root / "1.png").write_bytes(encoded())
    rows = [f"{camera}/p,p,{camera},0,1.png,0,0,5,5" for camera in "ab"]
    head = "tracklet,person,camera,frame,path,left,top,width,height"
    seed = "\n".join([head, *rows, ""]).encode()

    def check(content: bytes) -> object:
        (root / "manifest.csv").write_bytes(content)
        return read("manifest", root, HOME / "crops", progress=False, workers=1)

    return Target(lambda: seed, check, (IngestError, FileNotFoundError))


@target
def boxes() -> Target:
    from wherewhen.tracklets.files import FileError
    from wherewhen.tracklets.ingest import IngestError
    from wherewhen.tracklets.mot_files import read_boxes

    seed = b"1,1,0,0,5,5,1,1,1\n1,2,7,7,5,5,1,1,0.5\n2,1,1,0,5,5,1,1,1\n"
    return Target(
        lambda: seed, lambda content: read_boxes(_file("gt.txt", content)), (IngestError, FileError)
    )


@target
def request() -> Target:
    from hostile.requests import PICTURE
    from wherewhen.recogniser.requests import RequestError, _tracklets

    def read(content: bytes) -> object:
        import pandas as pd

        try:
            rows = pd.DataFrame(json.loads(content))
        except Exception:  # MLflow's part
            return None
        return list(_tracklets(rows))

    seed = json.dumps([{"tracklet": "a", "role": "probe", "frames": [PICTURE]}]).encode()
    return Target(lambda: seed, read, (RequestError,))


@target
def checkpoint() -> Target:
    import torch

    from wherewhen.features.checkpoint_files import WeightsError, read_checkpoint

    content = io.BytesIO()
    torch.save({"state_dict": {"a": torch.ones(2)}}, content)

    def read(content: bytes) -> object:
        with redirect_stderr(io.StringIO()):
            return read_checkpoint(_file("x.pth", content))

    return Target(content.getvalue, read, (WeightsError,))


@target
def params() -> Target:
    from wherewhen.commands import parse_params

    def read(content: bytes) -> dict[str, Any]:
        return parse_params(content.decode(errors="replace"))

    return Target(lambda: b"seed=[1, {a: 'b'}],train.x=1e3", read, (ValueError,))


@target
def index_head() -> Target:
    from hostile.models import index
    from wherewhen.search import GalleryError, Index

    place = index(HOME)
    seed = (place / "index.json").read_bytes()

    def read(content: bytes) -> object:
        from hostile.models import forged

        (place / "index.json").write_bytes(content)
        try:
            head = json.loads(content)
            forged_head = isinstance(head, dict) and "sha256" in head
        except (ValueError, RecursionError):
            forged_head = False
        if forged_head:
            try:
                forged(place)
            except Exception:  # what can't be given a hash is refused without one
                (place / "index.json").write_bytes(content)
        return Index.open(place)

    return Target(lambda: seed, read, (GalleryError,))


@target
def card() -> Target:
    from wherewhen import pretrained

    seed = (
        (pretrained.FOLDER / "card.json").read_bytes()
        if (pretrained.FOLDER / "card.json").is_file()
        else b"{}"
    )
    return Target(
        lambda: seed,
        lambda content: pretrained.load_card(_file("card.json", content).parent),
        (pretrained.PretrainedError,),
    )


@target
def marks() -> Target:
    from wherewhen.galleries.marks import MarkError, MarksFile

    seed = (
        b"probe,tracklet,distance,metric,model,mark,time\n"
        b"hall/anna,yard/anna,0.25,cosine,0123,same,2026-01-02T03:04:05+00:00\n"
    )

    def read(content: bytes) -> object:
        return MarksFile(_file("m.csv", content)).read()

    return Target(lambda: seed, read, (MarkError,))
