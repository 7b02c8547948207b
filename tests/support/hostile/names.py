"""Names of persons, cameras, tracklets and files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hostile import case
from hostile.pictures import encoded, ingested

KIND = "name"


def persons(folder: Path, *names: str) -> Path:
    root = folder / "set"
    for camera in "ab":
        for name in names:
            place = root / camera / name
            place.mkdir(parents=True)
            (place / "1.png").write_bytes(encoded())
    return root


def _refused(given: str, name: str, said: str) -> None:
    def act(folder: Path) -> Iterator[None]:
        root = persons(folder, name)
        yield
        ingested(root)

    act.__name__ = given.replace(" ", "_")
    case(KIND, f"a person's folder whose name {given}", said, "IngestError")(act)


_refused("has a line break", "an\nna", "has the control character U+000A: rename it")
_refused("has an escape sequence", "\x1b[31manna", "has the control character U+001B")
_refused("turns the writing direction", "anna\u202egnp", "has the control character U+202E")
_refused(
    "is not UTF-8", os.fsdecode(b"caf\xe9"), "names in it are not UTF-8, for instance caf\\xe9"
)
_refused(
    "has 85 letters of three bytes", "\u7532" * 85, "takes 765 characters, expected at most 200"
)


@case(
    KIND,
    "persons called CON, =1+1, <b>, %2e%2e, -rf, NA and $(id)",
    "taken as they are; cubes lie in the store's folder, under names that any system can have",
)
def odd(folder: Path) -> Iterator[None]:
    import numpy as np

    from wherewhen.features.cube_store import CubeStore

    names = ["CON", "=1+1", "<b>", "%2e%2e", "-rf", "NA", "$(id)"]
    root = persons(folder, *names)
    yield
    found = ingested(root)
    assert sorted(found.tracklets["person"].unique()) == sorted(names)
    store = CubeStore.create(folder / "cubes", {"made": "by hand"})
    for tracklet in found.tracklets["tracklet"]:
        store.write(tracklet, np.ones((1, 1, 1, 1)))
    written = [path for path in folder.rglob("*.safetensors")]
    assert len(written) == 2 * len(names)
    assert all(store.folder / "cubes" in path.parents for path in written)
    assert not any(path.stem.upper() == "CON" for path in written)
    assert {*store.lengths} == {*found.tracklets["tracklet"]}


@case(KIND, "a tracklet called ../../x, for the store of cubes", "can't name a file", "ValueError")
def parent_in_store(folder: Path) -> Iterator[None]:
    import numpy as np

    from wherewhen.features.cube_store import CubeStore

    store = CubeStore.create(folder / "inside/cubes", {"made": "by hand"})
    yield
    store.write("../../x", np.ones((1, 1, 1, 1)))


@case(
    KIND,
    "tracklets called persons, gallery, marks, CON, ../x, = and 甲",
    "answers of a search lie under names of their own, and overwrite no other file",
)
def answers(folder: Path) -> Iterator[None]:
    from wherewhen.galleries.answers import file_name

    given = ["persons", "gallery", "Marks", "CON", "../x", "=", "甲", "乙", "a" * 300, "a" * 299]
    yield
    names = [file_name(name) for name in given]
    assert len({name.lower() for name in names}) == len(given)
    assert not {name.lower() for name in names} & {"persons", "gallery", "marks", "con"}
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in names)
    assert all(len(name) < 100 and name.isascii() for name in names)


@case(
    KIND,
    "persons called =HYPERLINK(...), +1+1, @SUM(A1), -2+3 and 'x",
    "in the tables of answers an apostrophe stands before what a spreadsheet would compute",
)
def formulas(folder: Path) -> Iterator[None]:
    import pandas as pd

    from wherewhen.galleries.spreadsheets import shielded_table, unshielded

    names = [
        '=HYPERLINK("http://x")',
        "+1+1",
        "@SUM(A1)",
        "-2+3",
        "\t=1",
        "'x",
        "'=1",
        "-2",
        "anna",
    ]
    yield
    shielded_table(pd.DataFrame({"person": names, "rank": 1})).to_csv(folder / "a.csv", index=False)
    written = pd.read_csv(folder / "a.csv", dtype=str, keep_default_na=False)["person"]
    assert not [name for name in written if name[0] in "=+@\t\r" or name == "-2+3"]
    assert [unshielded(name) for name in written] == names


@case(KIND, "a person called <script>alert(1)</script>", "pages show it as text")
def script(folder: Path) -> Iterator[None]:
    from wherewhen.reporting.contact_sheet import Section, Sheet, Tracklet, render

    name = "\"'><script>alert(1)</script>"
    yield
    page = render(Sheet(name, [name], name, [Section(name, [Tracklet(name, [name], [], True)])]))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


@case(KIND, "a link back to a folder above it", "is a link that leads back", "IngestError")
def loop(folder: Path) -> Iterator[None]:
    from wherewhen.tracklets.readers import read

    root = persons(folder, "anna")
    for name in ("one", "two"):
        (root / "a" / name).symlink_to("..")
    yield
    read("tracklets", root, progress=False, workers=1)


@case(KIND, "200 folders in each other", "expected at most 64 folders in each other", "IngestError")
def deep(folder: Path) -> Iterator[None]:
    from wherewhen.tracklets.readers import read

    place = folder / "set" / "/".join(["a"] * 200)
    place.mkdir(parents=True)
    (place / "1.png").write_bytes(encoded())
    yield
    read("tracklets", folder / "set", progress=False, workers=1)
