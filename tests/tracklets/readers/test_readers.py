import os
from pathlib import Path

import pytest
from flat_footage import write_flat
from PIL import Image

from wherewhen.pipelines.ingest.nodes import admit, read_frames
from wherewhen.pipelines.parameters import ParameterError, check_parameters
from wherewhen.tracklets.archives import SEAL
from wherewhen.tracklets.folders import image_files
from wherewhen.tracklets.ingest import FoundTracklet, IngestError, ingest
from wherewhen.tracklets.readers import READERS, read
from wherewhen.tracklets.readers.record import Options, Reader

OFFICIAL = {
    "folder": {"distractors": 0},
    "ilids_vid": {},
    "manifest": {},
    "mars": {"cameras": 3, "takes": 2, "distractors": 2, "junk": 2},
    "prid2011": {"distractors": 3},
    "tracklets": {},
}
"""Options of a small set in every layout."""

LAYOUTS = {name: name for name in OFFICIAL} | {"tracklets": "folder"}
"""The layout that a reader is given."""

WRITTEN = sorted(LAYOUTS)
"""Readers of what `write_flat` writes; ``mot`` has tests of its own."""

ARCHIVED = ("ilids_vid", "mars", "prid2011")


@pytest.mark.parametrize("name", WRITTEN)
def test_the_official_tree_is_read(tmp_path, name):
    root = write_flat(LAYOUTS[name], tmp_path, persons=4, **OFFICIAL[name])
    ingested = read(name, str(root), progress=False)
    assert ingested.report["dataset"] == name
    assert ingested.report["faults"] == []
    assert ingested.report["persons"] == (8 if name == "tracklets" else 4)  # without names
    assert ingested.frames["tracklet"].nunique() == len(ingested.tracklets)
    assert (ingested.tracklets["length"] == 2).all()
    assert all((ingested.root / path).is_file() for path in ingested.frames["path"])


@pytest.mark.parametrize("name", ARCHIVED)
def test_the_official_archive_gives_the_same(tmp_path, name):
    tree = write_flat(name, tmp_path / "tree", **OFFICIAL[name])
    packed = write_flat(name, tmp_path / "packed", archive=True, **OFFICIAL[name])
    expected = read(name, tree, progress=False)
    unpacked = tmp_path / "unpacked"
    for _ in range(2):  # the second time it is found unpacked
        ingested = read(name, packed, unpack_to=unpacked, progress=False)
        assert ingested.tracklets.equals(expected.tracklets)
        assert ingested.report["fingerprint"] == expected.report["fingerprint"]
        assert ingested.root.is_relative_to(unpacked)
    seals = list(unpacked.glob(f"*/{SEAL}"))
    assert len(seals) == (3 if name == "mars" else 1)


def test_an_archive_is_unpacked_beside_itself_by_default(tmp_path):
    packed = write_flat("ilids_vid", tmp_path, archive=True)
    for root in (packed, packed.parent):
        ingested = read("ilids_vid", root, progress=False)
        assert ingested.root.is_relative_to(packed.parent / "unpacked")
        assert len(ingested.tracklets) == 8


class FlatOptions(Options):
    """Options of the reader that a test adds."""

    cameras: int = 2


def read_flat(footage):
    """Read ``<person>_<camera>_<frame>.png`` in one folder."""
    groups = {}
    for name in image_files(footage.root):
        person, camera, _ = name.split("_")
        if int(camera) < footage.options.cameras:
            groups.setdefault((person, camera), []).append(name)
    found = [
        FoundTracklet(f"{camera}/{person}", person, camera, files, footage.root)
        for (person, camera), files in groups.items()
    ]
    return ingest("flat", footage.root, found, footage.rules)


def test_a_reader_is_one_record(tmp_path, monkeypatch):
    """Its module and a line in READERS: library, parameters and node know it."""
    record = Reader("flat", "flat folder", "<person>_<camera>_<frame>.png", read_flat, FlatOptions)
    monkeypatch.setitem(READERS, "flat", record)
    for person, camera, frame in [(p, c, f) for p in "ab" for c in range(3) for f in (9, 10)]:
        Image.new("RGB", (4, 8)).save(tmp_path / f"{person}_{camera}_{frame}.png")
    ingested = read("flat", tmp_path, progress=False)
    assert ingested.tracklets["tracklet"].tolist() == ["0/a", "0/b", "1/a", "1/b"]
    assert ingested.frames["frame"].tolist() == [9, 10] * 4
    with pytest.raises(ValueError, match="no option cams: expected among size, cameras"):
        read("flat", tmp_path, cams=3)

    tree = {"reader": "flat", "root": str(tmp_path), "options": {"flat": {"cameras": 3}}}
    found, _ = read_frames(str(tmp_path), check_parameters({"ingest": tree}).ingest)
    assert len(admit(found)[0]) == 6
    tree["options"]["flat"] = {"camera": 3}
    with pytest.raises(ParameterError, match=r"flat\.camera: no such .*; did you mean cameras\?"):
        check_parameters({"ingest": tree})


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match="no reader 'viper': expected one of folder, ilids_vid"):
        read("viper", ".")
    with pytest.raises(ValueError, match=r"no option sise: expected among size, frame_pattern"):
        read("folder", ".", sise=[64, 128])


@pytest.mark.parametrize("name", ["dukemtmc", "DukeMTMC-VideoReID", "duke"])
def test_duke_is_refused_with_the_reason(name):
    with pytest.raises(ValueError, match=r"refused: its authors withdrew DukeMTMC in 2019"):
        read(name, ".")


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    root = write_flat("mars", tmp_path / "m", persons=4, **OFFICIAL["mars"])
    (root / "info").rename(tmp_path / "lists")
    inside = root.relative_to(tmp_path)
    ingested = read("mars", f"~/{inside}", info="~/lists", progress=False)
    assert ingested.root == root
    root = write_flat("manifest", tmp_path / "n", persons=2)
    (root / "manifest.csv").rename(tmp_path / "other.csv")
    assert read("manifest", root, manifest="~/other.csv", progress=False).report["persons"] == 2


@pytest.mark.parametrize(
    ("name", "option", "value", "expected"),
    [
        ("folder", "size", "64x128", "Input should be a valid tuple"),
        ("folder", "size", [64, 128, 3], "Tuple should have at most 2 items"),
        ("folder", "size", [64, 0], "Input should be greater than 0"),
        ("folder", "check", "none", "Input should be 'decode' or 'header'"),
        ("folder", "allow_faulty", -1, "Input should be greater than or equal to 0"),
        ("folder", "frame_pattern", "f[0-9]+", "expected a group, e.g. .*"),
        ("folder", "frame_pattern", "f([0-9]+", "no regular expression .*"),
        ("prid2011", "persons", "some", "Input should be 'all200' or 'min_frames'"),
        ("folder", "size", ["64", 128], "Input should be a valid integer"),
        ("folder", "size", [True, 128], "Input should be a valid integer"),
        ("folder", "progress", "no", "Input should be a valid boolean"),
        ("folder", "allow_faulty", "3", "Input should be a valid integer"),
        ("folder", "workers", True, "Input should be a valid integer"),
        ("folder", "frame_pattern", True, "Input should be a valid string"),
        ("prid2011", "distractors", "no", "Input should be a valid boolean"),
        ("prid2011", "distractors", 0, "Input should be a valid boolean"),
        ("prid2011", "min_frames", "27", "Input should be a valid integer"),
        ("prid2011", "min_frames", True, "Input should be a valid integer"),
        ("prid2011", "shared_persons", 200.0, "Input should be a valid integer"),
        ("manifest", "manifest", True, "Input should be a valid string"),
        ("mars", "info", True, "Input should be an instance of Path"),
        ("prid2011", "min_frames", "27.5", "Input should be a valid integer.*"),
        ("manifest", "manifest", None, "Input should be a valid string"),
    ],
)
def test_options_have_types(tmp_path, name, option, value, expected):
    with pytest.raises(ValueError, match=rf"option {option}[.0-9]* is .*: {expected}"):
        read(name, tmp_path, **{option: value})


@pytest.mark.parametrize("name", sorted(READERS))
@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("x" * 300, "File name too long"),
        ("file/set", "a part of its path is a file"),
        ("file", "it is a file"),
        ("link", "it is a link that leads nowhere"),
        ("loop", "Too many levels of symbolic links"),
        ("a\0b", "no folder can have this name"),
        ("locked/set", "Permission denied"),
    ],
)
def test_a_root_that_is_no_folder_says_why(tmp_path, name, root, message, no_privileges):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "locked").mkdir(0o000)
    if READERS[name].reads_file and root == "file":
        with pytest.raises(FileNotFoundError, match="has no boxes"):
            read(name, tmp_path / root, progress=False)
        return
    with pytest.raises(FileNotFoundError, match=rf"no folder .* \({message}.*Expected"):
        read(name, tmp_path / root, progress=False)


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_root_that_is_not_utf8_is_named(tmp_path, name):
    with pytest.raises(IngestError, match=r"caf\\xe9: this path is not UTF-8.*rename"):
        read(name, os.fsencode(tmp_path).decode() + os.fsdecode(b"/caf\xe9"), progress=False)


@pytest.mark.parametrize("name", ARCHIVED)
def test_an_archive_that_can_not_be_read_or_unpacked(tmp_path, name, no_privileges):
    packed = write_flat(name, tmp_path / "packed", archive=True, **OFFICIAL[name])
    home = packed if packed.is_dir() else packed.parent
    home.chmod(0o555)
    with pytest.raises(IngestError, match=r"unpacked: Permission denied .*set ingest\.root and"):
        read(name, packed, progress=False)
    for archive in home.iterdir():
        archive.chmod(0)
    with pytest.raises(IngestError, match="Permission denied"):
        read(name, packed, unpack_to=tmp_path / "out", progress=False)
    home.chmod(0o755)


def folders_of(root):
    """Every folder of a data set that a reader looks into, the root first."""
    return [root, *sorted(path for path in root.rglob("*") if path.is_dir())]


@pytest.mark.parametrize("name", WRITTEN)
def test_leavings_of_systems_at_every_level_change_nothing(tmp_path, name, no_privileges):
    root = write_flat(LAYOUTS[name], tmp_path, persons=4, **OFFICIAL[name])
    expected, folders = read(name, root, progress=False), folders_of(root)
    for folder in folders:
        for leaving in ("@eaDir", "#recycle", "__MACOSX", "lost+found"):
            (folder / leaving / "0009.png").mkdir(parents=True)
            Image.new("RGB", (4, 8)).save(folder / leaving / "0009.png/1.jpg")
        (folder / "lost+found").chmod(0)
        for leaving in (".DS_Store", "Thumbs.db", "desktop.ini", "._0001.png"):
            (folder / leaving).write_bytes(b"none")
    ingested = read(name, root, progress=False)
    assert ingested.frames.equals(expected.frames)
    assert ingested.tracklets.equals(expected.tracklets)
    if name != "manifest":  # which lists what there is
        (note,) = ingested.report["notes"]
        used = {Path(path).parent for path in ingested.frames["path"]}
        above = {parent for folder in used for parent in folder.parents}
        assert int(note.split()[0]) == 8 * len(used | above)
        assert "leavings of operating systems are passed over: #recycle, .DS_Store" in note
    for folder in folders:
        (folder / "lost+found").chmod(0o755)


@pytest.mark.parametrize("name", sorted(set(WRITTEN) - {"manifest"}))
def test_links_that_lead_nowhere_are_faults_at_every_level(tmp_path, name):
    root = write_flat(LAYOUTS[name], tmp_path, persons=4, **OFFICIAL[name])
    expected = read(name, root, progress=False)
    folders = {(root / path).parent for path in expected.frames["path"]}
    folders |= {parent for folder in folders for parent in folder.parents}
    folders = {folder for folder in folders if folder.is_relative_to(root)}
    for folder in folders:
        (folder / "gone").symlink_to("nowhere")
        (folder / "loop").symlink_to("loop")
    ingested = read(name, root, progress=False, allow_faulty=2 * len(folders))
    assert {fault["path"] for fault in ingested.report["faults"]} == {
        (folder / link).relative_to(root).as_posix()
        for folder in folders
        for link in ("gone", "loop")
    }
    assert ingested.frames.equals(expected.frames)
    (tmp_path / "link").symlink_to(root)
    assert read(name, tmp_path / "link", progress=False, allow_faulty=99).frames.equals(
        expected.frames
    )


@pytest.mark.parametrize("name", sorted(set(WRITTEN) - {"manifest"}))
def test_what_no_reader_reads_is_named(tmp_path, name):
    root = write_flat(LAYOUTS[name], tmp_path, persons=4, **OFFICIAL[name])
    expected = read(name, root, progress=False)
    folder = (root / expected.frames["path"].iloc[-1]).parent
    (folder / "0009.webp").touch()
    (folder / "deeper").touch()
    (folder.parent / "list.txt").touch()
    ingested = read(name, root, progress=False)
    assert ingested.frames.equals(expected.frames)
    inside, beside = (each.relative_to(root).as_posix() for each in (folder, folder.parent))
    assert ingested.report["notes"][-1] == (
        "3 files or folders that are no frames are passed over: "
        f"{beside}/list.txt, {inside}/0009.webp, {inside}/deeper"
    )


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lists_of_names_may_have_a_byte_order_mark(tmp_path, mark):
    root = write_flat("mars", tmp_path, persons=4, **OFFICIAL["mars"])
    expected = read("mars", root, progress=False).frames
    for path in (root / "info").glob("*.txt"):
        path.write_text(mark + path.read_text().replace("\n", "\r\n"), newline="")
    assert read("mars", root, progress=False).frames.equals(expected)
