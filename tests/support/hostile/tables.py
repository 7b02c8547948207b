"""Lists and tables: splits, manifests, MATLAB's matrices, parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from hostile import case
from hostile.pictures import encoded

KIND = "table"
COLUMNS = ("trial", "tracklet", "person", "camera", "role")


def tracklets():
    import pandas as pd

    names = [
        (f"{camera}/{person}", person, camera) for camera in "ab" for person in ("anna", "bert")
    ]
    return pd.DataFrame(names, columns=["tracklet", "person", "camera"]).assign(length=1)


def _splits(given: str, said: str, name: str, write, error: str = "ValueError", **bounds) -> None:
    """Add a case of a file of splits; `write` gets its path, or is its bytes."""

    def act(folder: Path) -> Iterator[None]:
        from wherewhen.tracklets.split_files import read_splits

        path = folder / name
        path.write_bytes(write) if isinstance(write, bytes) else write(path)
        yield
        read_splits(path, tracklets())

    act.__name__ = given.replace(" ", "_")
    case(KIND, given, f"{name}: ... {said}", error, **bounds)(act)


def parquet(rows: int = 1, text: str = "trial_00", repeated: bool = False):
    """Write a table of one row's text, repeated."""

    def write(path: Path) -> None:
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq

        column = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [text])
        pq.write_table(pa.table(dict.fromkeys(COLUMNS, column)), path, compression="zstd")

    return write


def text_in_a_column(path: Path) -> None:
    import pandas as pd

    pd.DataFrame({name: [{"a": [1]}] for name in COLUMNS}).to_parquet(path)


_splits(
    "JSON with 100,000 lists in each other",
    "lists or objects are nested too deeply",
    "s.json",
    b"[" * 100_000,
)
_splits("JSON with a number of 10,000 digits", "not JSON", "s.json", b"[" + b"1" * 10_000 + b"]")
_splits(
    "JSON with a key twice",
    "not JSON (an object has 'train' twice)",
    "s.json",
    b'[{"train": [], "train": [], "test": []}]',
)
_splits("JSON of another form", "no splits in torchreid's form", "s.json", b'{"a": 1}')
_splits("JSON in UTF-16", "not UTF-8 ... UTF-16", "s.json", "[]".encode("utf-16"))
_splits("random bytes called .parquet", "no Parquet table", "s.parquet", bytes(range(256)))
_splits(
    "a Parquet table of a kilobyte with 10 million rows",
    "10,000,000 rows, expected at most 5,000,000",
    "s.parquet",
    parquet(10_000_000),
)
_splits(
    "a Parquet table of texts that take 10 GB",
    "texts of 10,0... bytes, expected at most 1,073,741,824",
    "s.parquet",
    parquet(20_000, "a" * 100_000),
)
_splits("a Parquet table of nested columns", "trial is not text", "s.parquet", text_in_a_column)
_splits("an empty CSV file", "it is empty", "s.csv", b"")
_splits(
    "a CSV file with a NUL character",
    "line 2 has a NUL character, so this is no text",
    "s.csv",
    b"trial,tracklet,person,camera,role\na,\0,b,c,d\n",
)
_splits(
    "a CSV file with a quote that never ends",
    "is not CSV",
    "s.csv",
    b'trial,tracklet,person,camera,role\n"a,b\n' * 50,
)
_splits(
    "a CSV file with a field of a megabyte",
    "is not CSV (field larger than field limit",
    "s.csv",
    b"trial,tracklet\n" + b"a" * 10**6,
)
_splits(
    "a CSV file with a row that is too short",
    "line 2 has 1 fields, but the first line 5",
    "s.csv",
    b"trial,tracklet,person,camera,role\na\n",
)
_splits(
    "a CSV file with a column twice", "column 'trial' stands twice", "s.csv", b"trial,trial\na,b\n"
)
_splits("a picture called .csv", "not UTF-8", "s.csv", encoded())


@case(KIND, "torchreid's JSON with a byte order mark", "read")
def byte_order_mark(folder: Path) -> Iterator[None]:
    from wherewhen.tracklets.split_files import read_splits

    sides = [{"train": ["anna"], "test": ["bert"]}]
    (folder / "s.JSON").write_text("\ufeff" + json.dumps(sides), encoding="utf-8")
    yield
    assert len(read_splits(folder / "s.JSON", tracklets())) == 4


def _matrix(given: str, said: str, value, **options: object) -> None:
    """Add a case of iLIDS-VID's list with another value."""

    def act(folder: Path) -> Iterator[None]:
        from scipy.io import savemat

        from wherewhen.tracklets.split_files import read_ls_set

        path = folder / "s.mat"
        made = value() if callable(value) else value
        if isinstance(made, bytes):
            path.write_bytes(made)
        else:
            savemat(path, {"ls_set": made}, **options)
        yield
        read_ls_set(path, ["anna", "bert"])

    act.__name__ = given.replace(" ", "_")
    case("MATLAB file", given, f"s.mat{said}", "ValueError")(act)


def _cells():
    import numpy as np

    cells = np.empty((1, 2), object)
    cells[:] = 1
    return cells


def _sparse():
    from scipy.sparse import csc_matrix

    return csc_matrix([[1.0, 2.0]])


def _cut():
    import io

    from scipy.io import savemat

    content = io.BytesIO()
    savemat(content, {"ls_set": [[1.0, 2.0]]})
    return content.getvalue()[:-20]


def _large():
    """Return a file whose matrix says that it has 2^30 rows."""
    import io
    import struct

    from scipy.io import savemat

    content = io.BytesIO()
    savemat(content, {"ls_set": [[1.0, 2.0]]})
    return content.getvalue().replace(struct.pack("<ii", 1, 2), struct.pack("<ii", 2**30, 2), 1)


def _bomb():
    """Return a file whose compressed matrix grows a thousandfold."""
    import io

    import numpy as np
    from scipy.io import savemat

    content = io.BytesIO()
    zeros = np.zeros((10_000, 3_000), "u1")
    savemat(content, {"ls_set": zeros}, do_compression=True)
    return content.getvalue()


_matrix(
    "1.5 where whole numbers belong",
    ": ls_set is not made of whole numbers: 1.5 in row 1, column 1",
    [[1.5, 2.0]],
)
_matrix("NaN", ": ls_set is not made of whole numbers: nan", [[float("nan"), 2.0]])
_matrix("cells", ": ls_set is a cell array, expected a full matrix", _cells)
_matrix("a sparse matrix", ": ls_set is a sparse matrix, expected a full matrix", _sparse)
_matrix("text", ": ls_set is text, expected a full matrix", "text")
_matrix("a struct", ": ls_set is a struct, expected a full matrix", {"a": 1})
_matrix("complex numbers", ": ls_set is a matrix of complex numbers", [[1j, 2.0]])
_matrix("version 7.3", ": a MATLAB 7.3 file (HDF5) ... '-v7')", b"MATLAB 7.3 MAT-file".ljust(600))
_matrix("a file that is cut off", " can't be read as a .mat file", _cut)
_matrix("random bytes called .mat", " can't be read as a .mat file", bytes(range(256)) * 4)
_matrix("a matrix that says it has 2^30 rows", " can't be read as a .mat file", _large)
_matrix(
    "a matrix that grows a thousandfold",
    " can't be read as a .mat file (ls_set of 30,000,000 numbers, expected at most 10,000,000)",
    _bomb,
)


def _manifest(given: str, said: str, *changes: tuple[str, str]) -> None:
    """Add a case of a manifest with other values in its first row."""

    def act(folder: Path) -> Iterator[None]:
        from wherewhen.tracklets.readers import read

        (folder / "1.png").write_bytes(encoded())
        names = ["tracklet", "person", "camera", "frame", "path", "left", "top", "width", "height"]
        rows = [
            dict(zip(names, (f"{c}/p", "p", c, "0", "1.png", "0", "0", "5", "5"), strict=True))
            for c in "ab"
        ]
        rows[0] |= dict(changes)
        lines = [",".join(names), *(",".join(row.values()) for row in rows)]
        (folder / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
        yield
        read("manifest", folder, progress=False, workers=1)

    act.__name__ = given.replace(" ", "_")
    case("manifest", given, said, "IngestError")(act)


_manifest("a path through ..", "path leaves the manifest's folder", ("path", "../../etc/1.png"))
_manifest("an absolute path", "path leaves the manifest's folder", ("path", "/etc/1.png"))
_manifest("a path of 300 characters", "File name too long", ("path", "a" * 300 + ".png"))
_manifest(
    "a tracklet called ../x", "tracklet is no name that a folder can bear", ("tracklet", "../x")
)
_manifest(
    "a tracklet with a part called ..",
    "tracklet is no name that a folder can bear",
    ("tracklet", "a/../../x"),
)
_manifest("a tracklet of 300 characters", "tracklet is too long a name", ("tracklet", "a" * 300))
_manifest(
    "a person that turns the writing direction",
    "person has a control character",
    ("person", "an\u202ena"),
)
_manifest("a box of nan", "shows nothing of the picture", ("left", "nan"))
_manifest("a box of 1e99 pixels", "shows nothing of the picture", ("left", "1e99"))
_manifest("a box of words", "the box is not made of four numbers", ("width", "wide"))
_manifest("frame number 10^20", "frame is not a number from 0", ("frame", "1" + "0" * 20))
_manifest("frame number ²", "frame is not a number from 0", ("frame", "²"))


@case("manifest", "a box that begins left of its picture", "clipped to the picture and counted")
def clipped(folder: Path) -> Iterator[None]:
    from wherewhen.tracklets.readers import read

    (folder / "1.png").write_bytes(encoded())
    rows = [
        f"{camera}/p,p,{camera},0,1.png,{left},0,6.0,5" for camera, left in (("a", -2), ("b", 0))
    ]
    names = "tracklet,person,camera,frame,path,left,top,width,height"
    (folder / "manifest.csv").write_text("\n".join([names, *rows]))
    yield
    found = read("manifest", folder, progress=False, workers=1)
    assert found.frames["width"].tolist() == [4, 6]
    assert found.report["clipped_boxes"] == 1


def _params(given: str, said: str, text: str) -> None:
    """Add a case of --params."""

    def act(folder: Path) -> Iterator[None]:
        from wherewhen.commands import parse_params

        yield
        parse_params(text)

    act.__name__ = given.replace(" ", "_")
    case("--params", given, said, "ValueError")(act)


_params(
    "YAML that builds Python objects",
    "without a YAML tag",
    "seed=!!python/object/apply:os.system [id]",
)
_params(
    "the same inside a list", "expected no !, & and * of YAML", "seed=[!!python/name:os.system x]"
)
_params(
    "YAML's anchors, each ten times the one before",
    "expected no !, & and * of YAML",
    "seed=[&a [1, 1], &b [*a, *a], [*b, *b]]",
)
_params("100,000 lists in each other", "nested too deeply", f"seed={'[' * 100_000}{']' * 100_000}")
_params("a reference to the environment", "expected the value itself", "seed=${oc.env:HOME}")
