import builtins
import csv
import json
import os
import struct
from functools import partial

import cv2
import numpy as np
import pytest
from flat_footage import write_flat
from PIL import Image

from wherewhen.tracklets import readers
from wherewhen.tracklets.ingest import IngestError

read = partial(readers.read, "manifest", progress=False)
PLAIN = ["tracklet", "person", "camera", "frame", "path"]
BOXED = [*PLAIN, "left", "top", "width", "height"]


def write(folder, rows, columns=BOXED):
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return folder


@pytest.fixture
def pictures(tmp_path):
    """Two whole pictures in which every pixel says where it is."""
    (tmp_path / "full").mkdir()
    for number in (1, 2):
        pixels = np.zeros((20, 30, 3), np.uint8)
        pixels[..., 0], pixels[..., 1] = np.meshgrid(np.arange(30), np.arange(20))
        pixels[..., 2] = number
        Image.fromarray(pixels).save(tmp_path / f"full/{number}.png")
    return tmp_path


def boxes():
    """Person p in two cameras, two crops a picture."""
    return [
        ["a/p", "p", "a", 1, "full/1.png", 3, 4, 5, 6],
        ["a/p", "p", "a", 2, "full/2.png", 25, 14, 5, 6],
        ["b/p", "p", "b", 7, "full/1.png", 0, 0, 5, 6],
    ]


def test_crops_are_cut_where_the_box_stands(pictures):
    ingested = read(write(pictures, boxes()))
    assert ingested.tracklets.to_numpy().tolist() == [["a/p", "p", "a", 2], ["b/p", "p", "b", 1]]
    assert ingested.frames["frame"].tolist() == [1, 2, 7]
    crops = [np.array(Image.open(ingested.root / path)) for path in ingested.frames["path"]]
    assert [crop.shape for crop in crops] == [(6, 5, 3)] * 3
    assert crops[0][0, 0].tolist() == [3, 4, 1]
    assert crops[1][-1, -1].tolist() == [29, 19, 2]
    assert crops[2][0, 0].tolist() == [0, 0, 1]
    assert ingested.root.parent == pictures / "unpacked"
    assert ingested.report["cut_from"] == {"pictures": 3, "videos": 0}


def test_what_is_cut_is_not_cut_again_unless_it_changed(pictures, monkeypatch):
    first = read(write(pictures, boxes()))
    crop = first.root / first.frames["path"][0]
    before = crop.stat().st_mtime_ns
    (first.root / first.frames["path"][1]).unlink()
    again = read(pictures)
    assert again.root == first.root
    assert crop.stat().st_mtime_ns == before
    assert again.report == first.report
    Image.new("RGB", (30, 20), (9, 9, 9)).save(pictures / "full/1.png")
    assert read(pictures).root != first.root


def test_crops_that_are_there_are_read_in_place(tmp_path):
    for path in ("x.png", "y.png", "z.png"):
        Image.new("RGB", (4, 8)).save(tmp_path / path)
    rows = [["a", "p", "north", 10, "y.png"], ["a", "p", "north", 9, "z.png"]]
    rows += [["b", "p", "south", 0, "x.png"]]
    ingested = read(write(tmp_path, rows, PLAIN))
    assert ingested.root == tmp_path
    assert ingested.frames["path"].tolist() == ["z.png", "y.png", "x.png"]
    assert ingested.frames["frame"].tolist() == [9, 10, 0]
    assert not (tmp_path / "unpacked").exists()
    (tmp_path / "manifest.csv").rename(tmp_path / "mine.csv")
    assert len(read(tmp_path / "mine.csv").frames) == 3
    assert len(read(tmp_path, manifest="mine.csv").frames) == 3


def test_it_may_say_what_the_authors_fixed(pictures):
    rows = [
        [*row, "test", query, "person"]
        for row, query in zip(boxes(), ["True", "true", "0"], strict=True)
    ]
    tracklets = read(write(pictures, rows, [*BOXED, "subset", "query", "kind"])).tracklets
    assert tracklets["query"].tolist() == [True, False]
    assert tracklets["subset"].tolist() == ["test", "test"]


def change(row, column, value):
    def rows():
        changed = boxes()
        changed[row][BOXED.index(column)] = value
        return changed

    return rows


FAULTS = {
    "outside": (
        change(1, "left", 30),
        r"full/2.png: manifest.csv, line 3: the box 5x6 at 30, 14 shows nothing of .* of 30x20",
    ),
    "missing": (change(0, "path", "no.png"), "no.png: missing: no such file; 1 crops of it"),
    "broken": (change(0, "path", "manifest.csv"), "manifest.csv: cannot be decoded: .*1 crops"),
    "empty": (change(0, "person", ""), r"person is empty: line 2 \(''\)"),
    "frame": (change(0, "frame", "-1"), r"frame is not a number from 0: line 2 \('-1'\)"),
    "box": (change(2, "top", "x"), r"box is not made of four numbers.*line 4 \('0', 'x', '5', '6'"),
    "half a box": (change(2, "top", ""), r"box is not made of four numbers"),
    "no size": (
        change(2, "width", "0"),
        "line 4: the box 0x6 at 0, 0 shows nothing of",
    ),
    "absolute": (change(0, "path", "/etc/1.png"), "path leaves the manifest's folder.*line 2"),
    "parent": (change(0, "path", "full/../../1.png"), "path leaves the manifest's folder"),
    "hidden": (change(1, "path", "full/.2.png"), r"path is hidden.*line 3 \('full/.2.png'\)"),
    "thumbnail": (change(0, "path", "@eaDir/1.png"), "path is hidden, or left by an operating"),
    "tracklet": (change(0, "tracklet", "../p"), "tracklet is no name that a folder can bear"),
    "twice": (change(1, "frame", 1), r"tracklet and frame have occurred before: line 3 \('a/p'"),
    "person differs": (change(1, "person", "q"), r"person differs inside the tracklet: line 3"),
    "camera differs": (change(1, "camera", "b"), r"camera differs inside the tracklet: line 3"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(pictures, fault):
    rows, message = FAULTS[fault]
    with pytest.raises(IngestError, match=message):
        read(write(pictures, rows()))


def test_a_dot_for_the_folder_itself_hides_nothing(pictures):
    rows = [[*row[:4], f"./{row[4]}", *row[5:]] for row in boxes()]
    assert len(read(write(pictures, rows)).frames) == 3


BAD_PICTURES = {
    "folder": "full/1.png: cannot be read: it is a folder, not a file; 2 crops of it are lost",
    "pipe": "full/1.png: cannot be read: it is a pipe or a device, not a file",
    "unreadable": r"full/1.png: cannot be read: Permission denied \(give .*\); 2 crops",
    "link": "full/1.png: missing: a link that leads nowhere; 2 crops",
    "gif": "full/1.png: cannot be decoded: it is a GIF, expected PNG, JPEG or BMP; 2 crops",
    "grey": "full/1.png: mode L, expected RGB; 2 crops",
    "48 bits": "full/1.png: mode RGB with 16 bits a channel, expected 8: convert it; 2 crops",
    "empty": "full/1.png: empty file; 2 crops",
}


def spoil(path, kind):
    image = Image.open(path).copy()
    path.unlink()
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "unreadable":
            path.touch(0)
        case "link":
            path.symlink_to("gone.png")
        case "gif":
            image.save(path, "GIF")
        case "grey":
            image.convert("L").save(path)
        case "48 bits":
            cv2.imwrite(str(path), np.full((20, 30, 3), 40_000, np.uint16))
        case "empty":
            path.touch()


@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_pictures_that_can_not_be_cut_are_faults(pictures, kind, no_privileges):
    spoil(pictures / "full/1.png", kind)
    with pytest.raises(IngestError, match=BAD_PICTURES[kind]) as caught:
        read(write(pictures, boxes()))
    assert str(pictures) not in json.dumps(caught.value.report)


@pytest.mark.parametrize("kind", ["folder", "pipe", "unreadable", "link", "gif", "grey", "empty"])
def test_crops_that_can_not_be_read_are_faults(pictures, kind, no_privileges):
    spoil(pictures / "full/1.png", kind)
    rows = [[f"{camera}/p", "p", camera, 1, f"full/{n}.png"] for n, camera in ((1, "a"), (2, "b"))]
    message = BAD_PICTURES[kind].partition(";")[0]
    with pytest.raises(IngestError, match=message):
        read(write(pictures, rows, PLAIN))


def test_a_path_that_no_file_can_have_is_a_fault(pictures):
    long = "n" * 300 + ".png"
    fault = rf"{long}: cannot be read: File name too long \(shorten it\)"
    plain = [["a/p", "p", "a", 1, long], ["b/p", "p", "b", 1, "full/2.png"]]
    for rows, columns in ((plain, PLAIN), ([[*row, 0, 0, 5, 6] for row in plain], BOXED)):
        with pytest.raises(IngestError, match=fault) as caught:
            read(write(pictures, rows, columns))
        assert str(pictures) not in json.dumps(caught.value.report)


@pytest.mark.parametrize("name", ["a/" + "n" * 201, "a/" + "人" * 23, "a/" * 600 + "a"])
@pytest.mark.parametrize("columns", [PLAIN, BOXED])
def test_a_tracklet_with_too_long_a_name_is_refused(pictures, name, columns):
    row = [name, "p", "a", 1, "full/1.png", 0, 0, 5, 6]
    with pytest.raises(IngestError, match=r"tracklet is too long a name.*200.*line 2 \('a/"):
        read(write(pictures, [row[: len(columns)]], columns))


WORDS = ("1_000", "0x10", "٣", "9" * 30, "1,5", "--1", "none")
NO_FRAMES = ("nan", "inf", "1e3", "-1", "1.5", "-0")


@pytest.mark.parametrize(
    ("column", "word"),
    [(column, word) for column in ("frame", "left", "width") for word in WORDS]
    + [("frame", word) for word in NO_FRAMES],
)
def test_words_that_are_no_number_are_named(pictures, word, column):
    with pytest.raises(IngestError, match=rf"manifest.csv: .*number.*line 2 \(.*'{word}'"):
        read(write(pictures, change(0, column, word)()))


def test_a_long_field_does_not_fill_the_console(pictures):
    for length in (100_000, 3_000_000):
        with pytest.raises(IngestError, match="line 2") as caught:
            read(write(pictures, change(0, "frame", "9" * length)()))
        assert len(str(caught.value)) < 1000


def test_crops_that_can_not_be_written_stop_with_the_folder(pictures, no_privileges):
    write(pictures, boxes())
    (pictures / "file").touch()
    (pictures / "locked").mkdir(0o555)
    for place in ("file", "file/inside", "locked"):
        with pytest.raises(
            IngestError, match=rf"the crop .*{place}/.* can't be written: .*unpack_to"
        ):
            read(pictures, unpack_to=pictures / place)


def test_a_tracklet_named_as_anothers_frame_is_told(pictures):
    rows = boxes()
    rows[0][0], rows[1][0] = "a", "a/000001.png"
    with pytest.raises(IngestError, match=r"can't be written: .*rename the tracklet"):
        read(write(pictures, rows))


def test_lines_are_those_of_the_file(tmp_path):
    rows = ['a/p,"p\nq",a,1,x.png', "", "b/p,p,b,zz,y.png"]
    (tmp_path / "manifest.csv").write_text("\n".join([",".join(PLAIN), *rows]))
    with pytest.raises(IngestError, match=r"frame is not a number from 0: line 5 \('zz'\)"):
        read(tmp_path)


def test_columns_of_any_name_may_be_there(tmp_path):
    for path in ("x.png", "y.png"):
        Image.new("RGB", (4, 8)).save(tmp_path / path)
    rows = [["a", "p", "a", 1, "x.png", 1, 1, 1, 1], ["b", "p", "b", 1, "y.png", 1, 1, 1, 1]]
    ingested = read(write(tmp_path, rows, [*PLAIN, "line", "boxed", "is_video", ""]))
    assert ingested.root == tmp_path
    assert len(ingested.frames) == 2


def test_a_folder_or_a_locked_file_as_the_manifest(tmp_path, no_privileges):
    (tmp_path / "manifest.csv").mkdir()
    with pytest.raises(IngestError, match=r"manifest\.csv: it is a folder, not a file; expected"):
        read(tmp_path)
    (tmp_path / "other.csv").touch(0)
    with pytest.raises(IngestError, match=r"other\.csv: Permission denied"):
        read(tmp_path, manifest="other.csv")
    with pytest.raises(FileNotFoundError, match="has no mmm"):
        read(tmp_path, manifest="m" * 300)


def test_a_faulty_crop_may_be_left_out(pictures):
    ingested = read(write(pictures, FAULTS["outside"][0]()), allow_faulty=1)
    assert ingested.frames["frame"].tolist() == [1, 7]
    assert len(ingested.report["faults"]) == 1


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        ((-2, 8, 10, 20), (0, 8, 8, 20)),
        ((25, -3, 10, 9), (25, 0, 30, 6)),
        ((-5, -5, 100, 100), (0, 0, 30, 20)),
        ((29, 19, 5, 5), (29, 19, 30, 20)),
        (("6.0", "8.00", "5.", "6"), (6, 8, 11, 14)),
        (("+6", "8", "5e0", "0.6e1"), (6, 8, 11, 14)),
        ((6.4, 8.5, 4.2, 5.9), (6, 9, 11, 14)),  # edges 6.4, 8.5, 10.6, 14.4
        (("1e-1", "-0.4", 3, 4), (0, 0, 3, 4)),
    ],
)
def test_boxes_are_rounded_and_clipped(pictures, box, kept):
    rows = boxes()
    rows[0][5:] = box
    ingested = read(write(pictures, rows))
    crop = np.array(Image.open(ingested.root / ingested.frames["path"][0]))
    left, top, right, bottom = kept
    assert crop.shape == (bottom - top, right - left, 3)
    assert crop[0, 0].tolist() == [left, top, 1]
    assert crop[-1, -1].tolist() == [right - 1, bottom - 1, 1]


def test_clipped_boxes_are_counted_whether_cut_now_or_before(pictures, caplog):
    rows = boxes()
    rows[0][5], rows[1][7] = -2, 50
    for _ in range(2):
        caplog.clear()
        report = read(write(pictures, rows)).report
        assert report["clipped_boxes"] == 2
        assert report["notes"] == [
            "2 boxes of manifest.csv are clipped to their pictures: lines 2, 3"
        ]
        assert report["notes"][0] in caplog.text
    assert read(write(pictures, boxes())).report["clipped_boxes"] == 0


@pytest.mark.parametrize(
    "box",
    [
        (30, 0, 5, 5),
        (-5, 0, 5, 5),
        (0, 20, 5, 5),
        (0, -9, 5, 5),
        (3, 4, 0, 6),
        (3, 4, 5, -6),
        (3, 4, "nan", 6),
        ("NaN", "NaN", "NaN", "NaN"),
        (3, "inf", 5, 6),
        ("1e30", 4, 5, 6),
        (3, 4, 0.2, 6),
    ],
)
def test_a_box_that_shows_nothing_is_one_faulty_frame(pictures, box):
    rows = boxes()
    rows[0][5:] = box
    write(pictures, rows)
    with pytest.raises(IngestError, match=r"1 faulty(?s:.*)full/1.png: .*line 2: the box .* sho"):
        read(pictures)
    assert read(pictures, allow_faulty=1).frames["frame"].tolist() == [2, 7]


def test_whole_numbers_may_be_written_as_floats(pictures):
    rows = boxes()
    rows[0][3], rows[1][3] = "1.0", "2."
    rows = [[*row, "test", query] for row, query in zip(rows, ["1.0", "1", "0.0"], strict=True)]
    ingested = read(write(pictures, rows, [*BOXED, "subset", "query"]))
    assert ingested.frames["frame"].tolist() == [1, 2, 7]
    assert ingested.tracklets["query"].tolist() == [True, False]
    rows[1][3] = "1"
    with pytest.raises(IngestError, match=r"have occurred before: line 3 \('a/p', '1'\)"):
        read(write(pictures, rows, [*BOXED, "subset", "query"]))


TURNS = {  # what a viewer shows at the top of a picture whose stored corners are AB above CD
    1: "AB",
    2: "BA",
    3: "DC",
    4: "CD",
    5: "AC",
    6: "CA",
    7: "DB",
    8: "BD",
}
CORNERS = {"A": (250, 0, 0), "B": (0, 250, 0), "C": (0, 0, 250), "D": (250, 250, 0)}


def four_corners(size=(64, 48)):
    """Draw quarters: A left top, B right top, C left bottom, D right bottom."""
    image = Image.new("RGB", size)
    half = (size[0] // 2, size[1] // 2)
    for place, corner in zip([(0, 0), (half[0], 0), (0, half[1]), half], "ABCD", strict=True):
        image.paste(CORNERS[corner], (*place, place[0] + half[0], place[1] + half[1]))
    return image


def top_corners(path):
    """Name the colours of the left and the right top corner of a picture."""
    pixels = np.array(Image.open(path)).astype(int)
    return "".join(
        min(CORNERS, key=lambda name: abs(pixels[4, column] - CORNERS[name]).sum())
        for column in (4, -5)
    )


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", TURNS)
def test_crops_are_those_of_the_picture_that_viewers_show(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[274] = orientation
    four_corners().save(tmp_path / f"x.{suffix}", exif=exif)
    size = (64, 48) if orientation < 5 else (48, 64)
    rows = [[f"{camera}/p", "p", camera, 1, f"x.{suffix}", 0, 0, *size] for camera in "ab"]
    ingested = read(write(tmp_path, rows))
    assert ingested.report["sizes"] == [f"{size[0]}x{size[1]}"]
    assert ingested.report["clipped_boxes"] == 0
    assert top_corners(ingested.root / ingested.frames["path"][0]) == TURNS[orientation]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_crops_of_other_modes_are_converted_if_asked_for(pictures, mode):
    path = pictures / "full/1.png"
    Image.open(path).convert(mode).save(path)
    write(pictures, boxes())
    with pytest.raises(IngestError, match=f"full/1.png: mode {mode}, expected RGB; 2 crops"):
        read(pictures)
    ingested = read(pictures, convert="rgb")
    crop = np.array(Image.open(ingested.root / ingested.frames["path"][0]))
    whole = np.array(Image.open(path).convert("RGB"))
    assert (crop == whole[4:10, 3:8]).all()
    assert "converted to RGB" in ingested.report["notes"][0]
    with pytest.raises(IngestError, match=f"mode {mode}, expected RGB"):  # crops of now
        read(pictures)


def test_a_turned_picture_that_is_read_in_place_is_a_fault(tmp_path):
    exif = Image.Exif()
    exif[274] = 8
    four_corners().save(tmp_path / "x.jpg", exif=exif)
    rows = [[f"{camera}/p", "p", camera, 1, "x.jpg"] for camera in "ab"]
    with pytest.raises(IngestError, match=r"x\.jpg: its EXIF orientation is 8"):
        read(write(tmp_path, rows, PLAIN))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["manifest.csv", "Manifest.CSV"])
def test_a_manifest_of_windows(pictures, mark, name):
    write(pictures, boxes())
    content = (pictures / "manifest.csv").read_bytes()
    (pictures / "manifest.csv").unlink()
    (pictures / name).write_bytes(mark + content.replace(b"\n", b"\r\n"))
    assert len(read(pictures).frames) == 3
    assert len(read(pictures / name).frames) == 3


def test_accents_are_one_tracklet_whatever_system_wrote_them(pictures):
    rows = boxes()
    rows[0][:2], rows[1][:2], rows[2][1] = ("Ren\u00e9",) * 2, ("Rene\u0301",) * 2, "Rene\u0301"
    tracklets = read(write(pictures, rows)).tracklets
    assert set(tracklets["tracklet"]) == {"Ren\u00e9", "b/p"}
    assert set(tracklets["person"]) == {"Ren\u00e9"}


HEADER = b"tracklet,person,camera,frame,path\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"tracklet,person,camera,frame\na,p,c,1\n", "no column path.*it has tracklet, person"),
        (b"tracklet,person,camera,frame,path,left\n", "no column top, width, height"),
        (b"tracklet,person,camera,frame,path\n", "has no rows"),
        (b"", "it is empty; expected a CSV file with the columns tracklet, person"),
        (b"\n\n", "it is empty"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"\x00\x01", "line 1 has a NUL character"),
        (HEADER + b"a,p,c,1,x\0.png\n", "line 2 has a NUL character"),
        (HEADER + b"a,p,c,1\n", "line 2 has 4 fields, but the first line 5"),
        (HEADER + b"a,p,c,1,x.png,\n", "line 2 has 6 fields"),
        (HEADER + b'"a,p,c,1,x.png\n', "line 2 is not CSV"),
        (HEADER.replace(b",", b";"), "no column tracklet, .*it has tracklet;person;"),
        (HEADER.replace(b"camera", b"person"), "column 'person' stands twice"),
        (
            b"tracklet,person,camera,frame,path,query\na,p,c,1,x.png,maybe\n",
            "query is neither true",
        ),
    ],
)
def test_what_is_no_manifest_is_named(tmp_path, content, message):
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(IngestError, match=f"manifest.csv: {message}"):
        read(tmp_path)


def test_a_missing_manifest_says_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no manifest.csv. Expected a CSV file with"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        read(tmp_path / "nowhere")


def test_an_archive_with_a_manifest_is_read(tmp_path):
    import shutil

    root = write_flat("manifest", tmp_path / "set", persons=2)
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", root)
    ingested = read(archive, unpack_to=tmp_path / "out")
    assert len(ingested.tracklets) == 4
    assert ingested.root.is_relative_to(tmp_path / "out")


def test_without_pyav_videos_are_refused(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "av":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    rows = [["a", "p", "north", 0, "a.mp4"], ["b", "p", "south", 0, "b.mp4"]]
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"\0\0\0 ftypisom")
    with pytest.raises(IngestError, match=r"there are videos \(a.mp4\), and PyAV, .* is not inst"):
        read(write(tmp_path, rows, PLAIN))


def shades(ingested):
    return [
        round((np.array(Image.open(ingested.root / path)).mean() - 20) / 20)
        for path in ingested.frames["path"]
    ]


def test_crops_are_cut_from_videos(tmp_path, film):
    film(tmp_path / "a.mp4")
    film(tmp_path / "b.MP4")
    rows = [
        ["a/p", "p", "a", 0, "a.mp4", 10, 4, 5, 6],
        ["a/p", "p", "a", 7, "a.mp4", 59, 42, 5, 6],
        ["a/q", "q", "a", 3, "a.mp4", 0, 0, 5, 6],
        ["b/p", "p", "b", 5, "b.MP4", "", "", "", ""],
    ]
    ingested = read(write(tmp_path, rows))
    assert shades(ingested) == [0, 7, 3, 5]
    assert ingested.report["sizes"] == ["5x6", "64x48"]
    assert ingested.report["cut_from"] == {"pictures": 0, "videos": 2}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("x.ts", "mpegts"),
        ("x.MTS", "mpegts"),
        ("x.wmv", "asf"),
        ("x.flv", "flv"),
        ("x.3gp", "mp4"),
        ("x.mkv", "matroska"),
        ("x.vob", "mpeg"),
        ("x.dat", "mp4"),
        ("x", "avi"),
    ],
)
def test_what_is_a_video_is_told_by_its_content(tmp_path, film, name, form):
    film(tmp_path / "film", form=form)
    (tmp_path / "film").rename(tmp_path / name)
    rows = [[f"{camera}/p", "p", camera, n, name] for camera in "ab" for n in (0, 4)]
    ingested = read(write(tmp_path, rows, PLAIN))
    assert shades(ingested) == [0, 4] * 2
    assert ingested.report["cut_from"] == {"pictures": 0, "videos": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"GIF89a" + bytes(20), "it is a GIF, expected PNG"),
        (b"II*\0" + bytes(20), "it is a TIFF, expected PNG"),
        (b"some text" * 20, "cannot be decoded: "),
        (b"", "empty file"),
    ],
)
@pytest.mark.parametrize("name", ["x.gif", "x.nfo", "x"])
def test_what_is_neither_picture_nor_video_is_a_fault(tmp_path, content, message, name):
    (tmp_path / name).write_bytes(content)
    rows = [[f"{camera}/p", "p", camera, 0, name, 0, 0, 5, 5] for camera in "ab"]
    with pytest.raises(IngestError, match=rf"{name}: .*({message}|it is text)"):
        read(write(tmp_path, rows))


ONE = 2**16
MATRICES = {  # of a video's track header, by the EXIF orientation that means the same
    1: (ONE, 0, 0, 0, ONE),
    2: (-ONE, 0, 0, 0, ONE),
    3: (-ONE, 0, 0, 0, -ONE),
    4: (ONE, 0, 0, 0, -ONE),
    5: (0, ONE, 0, ONE, 0),
    6: (0, ONE, 0, -ONE, 0),
    7: (0, -ONE, 0, -ONE, 0),
    8: (0, -ONE, 0, ONE, 0),
}


def turn(path, matrix):
    """Write a display matrix into the header of an MP4 file's only track."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    content[start : start + 36] = struct.pack(">9i", *matrix, 0, 0, 0, 2**30)
    path.write_bytes(content)


@pytest.mark.parametrize("orientation", MATRICES)
def test_crops_are_those_of_the_video_that_players_show(tmp_path, film, orientation):
    film(tmp_path / "x.mp4", 2, picture=np.array(four_corners()))
    turn(tmp_path / "x.mp4", MATRICES[orientation])
    rows = [[f"{camera}/p", "p", camera, 1, "x.mp4"] for camera in "ab"]
    ingested = read(write(tmp_path, rows, PLAIN))
    assert ingested.report["sizes"] == ["64x48" if orientation < 5 else "48x64"]
    assert top_corners(ingested.root / ingested.frames["path"][0]) == TURNS[orientation]


def test_a_video_that_is_turned_by_half_a_right_angle_is_a_fault(tmp_path, film):
    film(tmp_path / "x.mp4", 2)
    turn(tmp_path / "x.mp4", (46341, 46341, 0, -46341, 46341))
    rows = [[f"{camera}/p", "p", camera, 1, "x.mp4"] for camera in "ab"]
    with pytest.raises(IngestError, match=r"x\.mp4: .*turned by -45 degrees, expected a multiple"):
        read(write(tmp_path, rows, PLAIN))


def test_faults_of_videos_are_named(tmp_path, film, no_privileges):
    film(tmp_path / "a.mp4")
    film(tmp_path / "b.mp4")
    (tmp_path / "c.mp4").write_bytes(b"no video at all")
    rows = [["a", "p", "a", 0, "a.mp4"], ["b", "p", "b", 1, "b.mp4"]]
    late = [*rows, ["b", "p", "b", 20, "b.mp4"], ["b", "p", "b", 21, "b.mp4"]]
    with pytest.raises(IngestError, match=r"b.mp4: ends after frame 7, .* asks for 20, 21"):
        read(write(tmp_path, late, PLAIN))
    with pytest.raises(IngestError, match=r"c.mp4: cannot be decoded: .*; 1 crops of it are lost"):
        read(write(tmp_path, [*rows, ["c", "p", "c", 1, "c.mp4"]], PLAIN))
    with pytest.raises(IngestError, match=r"d.mp4: missing: no such file; 1 crops"):
        read(write(tmp_path, [*rows, ["d", "p", "d", 1, "d.mp4"]], PLAIN))
    (tmp_path / "e.mp4").mkdir()
    with pytest.raises(IngestError, match=r"e.mp4: cannot be read: it is a folder, not a file"):
        read(write(tmp_path, [*rows, ["e", "p", "e", 1, "e.mp4"]], PLAIN))
    (tmp_path / "f.mp4").touch(0)
    with pytest.raises(IngestError, match=r"f.mp4: cannot be read: Permission denied"):
        read(write(tmp_path, [*rows, ["f", "p", "f", 1, "f.mp4"]], PLAIN))
    content = (tmp_path / "b.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(content[: len(content) // 2])  # its index is at the end
    with pytest.raises(IngestError, match=r"b.mp4: cannot be decoded"):
        read(write(tmp_path, rows, PLAIN))
