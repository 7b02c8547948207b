import io
import json
import logging
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from wherewhen.features.extraction import read_frame
from wherewhen.tracklets import ingest as ingest_module
from wherewhen.tracklets.folders import image_files
from wherewhen.tracklets.ingest import (
    FoundTracklet,
    IngestError,
    IngestRules,
    ingest,
    published,
)

QUIET = IngestRules(progress=False)


def picture(size=(4, 8), mode="RGB", shade=0, form="PNG"):
    buffer = io.BytesIO()
    Image.new(mode, size, shade).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def found(tmp_path):
    """One person in two cameras, with frames 1, 2 and 10 in each."""
    result = []
    for camera in ("a", "b"):
        folder = tmp_path / camera / "p"
        folder.mkdir(parents=True)
        for number in (10, 1, 2):
            (folder / f"{number}.png").write_bytes(picture())
        result.append(FoundTracklet(f"{camera}/p", "p", camera, image_files(folder), folder))
    return result


def faults(error):
    return {fault["path"]: fault["fault"] for fault in error.value.report["faults"]}


def test_frames_stand_in_numeric_order(tmp_path, found):
    ingested = ingest("tiny", tmp_path, found, QUIET)
    frames = ingested.frames
    assert frames["frame"].tolist() == [1, 2, 10] * 2
    assert frames["position"].tolist() == [0, 1, 2] * 2
    assert frames["path"].tolist()[:3] == ["a/p/1.png", "a/p/2.png", "a/p/10.png"]
    assert frames[["width", "height"]].drop_duplicates().to_numpy().tolist() == [[4, 8]]
    assert ingested.tracklets.to_numpy().tolist() == [["a/p", "p", "a", 3], ["b/p", "p", "b", 3]]


def test_the_report_is_json_and_knows_no_root(tmp_path, found):
    report = ingest("tiny", tmp_path, found, QUIET, {"convention": "all"}).report
    assert str(tmp_path) not in json.dumps(report)
    fingerprint = report.pop("fingerprint")
    assert len(fingerprint) == 16
    assert report == {
        "dataset": "tiny",
        "persons": 1,
        "cameras": ["a", "b"],
        "tracklets": 2,
        "frames": 6,
        "length": {"min": 3, "mean": 3.0, "max": 3},
        "sizes": ["4x8"],
        "faults": [],
        "gaps_in_numbering": ["a/p", "b/p"],
        "identical_frames": 5,
        "persons_in_one_camera": [],
        "convention": "all",
        "notes": [],
    }


def test_the_fingerprint_sees_the_pixels(tmp_path, found):
    before = ingest("tiny", tmp_path, found, QUIET).report["fingerprint"]
    assert ingest("tiny", tmp_path, found, QUIET).report["fingerprint"] == before
    (tmp_path / "a/p/2.png").write_bytes(picture(shade=9))
    assert ingest("tiny", tmp_path, found, QUIET).report["fingerprint"] != before


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty file"),
        (picture((64, 64))[:80], "cannot be decoded"),
        (picture()[:-6], "cannot be decoded"),
        (b"not an image at all", "cannot be decoded"),
        (picture(mode="L"), "mode L, expected RGB"),
        (picture(mode="RGBA"), "mode RGBA, expected RGB"),
        (picture(form="TIFF"), "cannot be decoded: it is a TIFF, expected PNG, JPEG or BMP"),
        (picture(mode="L", form="GIF"), "cannot be decoded: it is a GIF"),
    ],
)
def test_a_faulty_frame_stops_by_name_or_is_left_out(tmp_path, found, content, fault):
    (tmp_path / "a/p/2.png").write_bytes(content)
    with pytest.raises(IngestError, match=f"1 faulty, 0 allowed(?s:.*)a/p/2.png: {fault}") as error:
        ingest("tiny", tmp_path, found, QUIET)
    assert "allow_faulty to 1" in str(error.value)
    assert faults(error)["a/p/2.png"].startswith(fault)
    assert "0x" not in faults(error)["a/p/2.png"]

    allowed = ingest("tiny", tmp_path, found, IngestRules(allow_faulty=1, progress=False))
    assert allowed.frames["path"].tolist()[:2] == ["a/p/1.png", "a/p/10.png"]
    assert allowed.frames["position"].tolist() == [0, 1, 0, 1, 2]
    assert allowed.tracklets["length"].tolist() == [2, 3]
    assert len(allowed.report["faults"]) == 1


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
@pytest.mark.parametrize("check", ["decode", "header"])
def test_frames_of_other_modes_are_converted_if_asked_for(tmp_path, found, mode, check):
    (tmp_path / "a/p/2.png").write_bytes(picture(mode=mode))
    with pytest.raises(IngestError, match=f"2.png: mode {mode}, expected RGB"):
        ingest("tiny", tmp_path, found, replace(QUIET, check=check))
    rules = replace(QUIET, check=check, convert="rgb")
    report = ingest("tiny", tmp_path, found, rules).report
    assert report["notes"] == [f"1 frames are converted to RGB: 1 of mode {mode}"]
    path = tmp_path / "a/p/2.png"
    assert (read_frame(path) == np.asarray(Image.open(path).convert("RGB"))).all()


@pytest.mark.parametrize("mode", ["I;16", "CMYK"])
def test_frames_that_the_extraction_does_not_convert_stay_faults(tmp_path, found, mode):
    content = picture(mode=mode, form="JPEG" if mode == "CMYK" else "PNG")
    (tmp_path / "a/p/2.png").write_bytes(content)
    with pytest.raises(IngestError, match=f"2.png: mode {mode}, expected RGB, L, LA"):
        ingest("tiny", tmp_path, found, replace(QUIET, convert="rgb"))


def test_sizes(tmp_path, found):
    (tmp_path / "a/p/2.png").write_bytes(picture((5, 8)))
    assert ingest("tiny", tmp_path, found, QUIET).report["sizes"] == ["4x8", "5x8"]
    with pytest.raises(IngestError, match=r"a/p/2.png: size 5x8, expected 4x8"):
        ingest("tiny", tmp_path, found, IngestRules(common_size=True, progress=False))
    with pytest.raises(IngestError, match=r"5 faulty.*") as error:
        ingest("tiny", tmp_path, found, IngestRules(size=(5, 8), progress=False))
    assert "a/p/2.png" not in faults(error)


@pytest.mark.parametrize("field", ["name", "person", "camera", "folder"])
def test_a_tracklet_of_which_a_name_is_not_utf8_is_a_fault(tmp_path, found, field):
    odd = os.fsdecode(b"caf\xe9")
    folder = tmp_path / odd if field == "folder" else found[0].folder
    if field == "folder":
        shutil.copytree(found[0].folder, folder)
    other = replace(found[0], name="c/q", person="q", camera="c", folder=folder)
    other = replace(other, files=image_files(folder), **({} if field == "folder" else {field: odd}))
    with pytest.raises(IngestError, match=r"its name is not UTF-8.*rename it") as error:
        ingest("tiny", tmp_path, [*found, other], QUIET)
    str(error.value).encode()
    json.dumps(error.value.report, ensure_ascii=False).encode()
    allowed = ingest("tiny", tmp_path, [*found, other], replace(QUIET, allow_faulty=1))
    assert allowed.tracklets["tracklet"].tolist() == ["a/p", "b/p"]


def test_names_without_or_with_the_same_number(tmp_path, found):
    extra = [tmp_path / "a/p" / name for name in ("0002.png", "cover.png", "9" * 30 + ".png")]
    for path in extra:
        path.write_bytes(picture())
    first = found[0]
    changed = FoundTracklet(
        first.name,
        first.person,
        first.camera,
        [*first.files, *(path.name for path in extra)],
        first.folder,
    )
    with pytest.raises(IngestError) as error:
        ingest("tiny", tmp_path, [changed, found[1]], QUIET)
    assert faults(error) == {
        "a/p/cover.png": "name has no frame number",
        "a/p/2.png": "frame number 2 is already that of 0002.png",
        f"a/p/{'9' * 30}.png": f"frame number {'9' * 30} is too large for the table",
    }
    assert "option frame_pattern" in str(error.value)


def test_numbers_that_count_together_are_found_by_a_pattern(tmp_path, found):
    """Seconds of a clock, and frames in each second: neither rises by itself."""
    names = ("12-30-05_001.png", "12-30-05_002.png", "12-30-06_001.png")
    first = named(found, *names)[0]
    both = [first, replace(first, name="b/p", camera="b")]
    with pytest.raises(IngestError, match=r"is already that of(?s:.*)option frame_pattern"):
        ingest("tiny", tmp_path, both, QUIET)
    rules = replace(QUIET, frame_pattern="([0-9]+)-([0-9]+)-([0-9]+)_([0-9]+)")
    numbers = ingest("tiny", tmp_path, both, rules).frames["frame"]
    assert numbers.tolist() == [123005001, 123005002, 123006001] * 2


def test_many_faults_are_listed_then_counted(tmp_path, found):
    folder = tmp_path / "a/p"
    for number in range(20, 50):
        (folder / f"{number}.png").write_bytes(b"")
    first = FoundTracklet("a/p", "p", "a", image_files(folder), folder)
    with pytest.raises(IngestError, match=r"30 faulty(?s:.*)and 10 more") as error:
        ingest("tiny", tmp_path, [first, found[1]], QUIET)
    assert str(error.value).count("empty file") == 20
    assert len(faults(error)) == 30


def test_a_folder_without_frames_is_a_fault(tmp_path, found):
    folder = tmp_path / "b/q"
    folder.mkdir()
    found = [*found, FoundTracklet("b/q", "q", "b", [], folder)]
    with pytest.raises(IngestError, match="b/q: no frames in this folder"):
        ingest("tiny", tmp_path, found, QUIET)
    allowed = ingest("tiny", tmp_path, found, IngestRules(allow_faulty=1, progress=False))
    assert allowed.tracklets["tracklet"].tolist() == ["a/p", "b/p"]


def test_one_camera_is_enough_to_be_searched(tmp_path, found):
    ingested = ingest("tiny", tmp_path, found[:1], QUIET)
    assert ingested.report["persons_in_one_camera"] == ["p"]


def test_no_frame_at_all(tmp_path):
    folder = tmp_path / "b/q"
    folder.mkdir(parents=True)
    empty = [FoundTracklet("b/q", "q", "b", [], folder)]
    with pytest.raises(IngestError, match="no tracklet of it has a frame"):
        ingest("tiny", tmp_path, empty, IngestRules(allow_faulty=1, progress=False))


def test_a_person_in_one_camera_is_named(tmp_path, found, caplog):
    one = FoundTracklet("a/q", "q", "a", found[0].files, found[0].folder)
    with caplog.at_level(logging.WARNING):
        ingested = ingest("tiny", tmp_path, [*found, one], QUIET)
    assert ingested.report["persons_in_one_camera"] == ["q"]
    assert "in one camera only" in caplog.text
    assert "q" in caplog.text


def test_what_the_authors_fixed_becomes_columns_and_counts(tmp_path, found):
    found = [
        replace(
            tracklet, fixed={"subset": "test", "query": tracklet.camera == "a", "kind": "person"}
        )
        for tracklet in found
    ]
    odd = replace(found[0], name="c/0", person="0", camera="c")
    odd = replace(odd, fixed={"subset": "test", "query": False, "kind": "distractor"})
    ingested = ingest("tiny", tmp_path, [*found, odd], QUIET)
    assert ingested.tracklets["query"].tolist() == [True, False, False]
    assert ingested.tracklets["kind"].tolist() == ["person", "person", "distractor"]
    assert ingested.report["kind"] == {"distractor": 1, "person": 2}
    assert ingested.report["query"] == {"False": 2, "True": 1}
    assert ingested.report["persons"] == 1
    assert ingested.report["persons_in_one_camera"] == []


def test_numbers_and_names_in_the_folder_may_be_given(tmp_path, found):
    first = replace(found[0], files=["10.png", "2.png"], numbers=[4, 5])
    frames = ingest("tiny", tmp_path, [first, found[1]], QUIET).frames
    assert frames[["frame", "path"]].to_numpy().tolist()[:2] == [
        [4, "a/p/10.png"],
        [5, "a/p/2.png"],
    ]


def test_a_file_that_is_not_there_is_missing(tmp_path, found):
    first = replace(found[0], files=[*found[0].files, "3.png"])
    with pytest.raises(IngestError, match=r"a/p/3\.png: missing: no such file"):
        ingest("tiny", tmp_path, [first, found[1]], QUIET)


def test_headers_alone_find_no_broken_pixels(tmp_path, found):
    (tmp_path / "a/p/2.png").write_bytes(picture((64, 64))[:80])
    quick = IngestRules(progress=False, check="header", size=None)
    ingested = ingest("tiny", tmp_path, found, quick)
    assert ingested.frames["sha256"].str.len().tolist() == [64] * 6
    (tmp_path / "a/p/2.png").write_bytes(b"nothing")
    with pytest.raises(IngestError, match="cannot be decoded"):
        ingest("tiny", tmp_path, found, quick)
    with pytest.raises(ValueError, match=r"check\n.*'decode' or 'header'"):
        IngestRules(check="none")


@pytest.mark.parametrize("workers", [1, 7])
def test_threads_change_nothing(tmp_path, found, workers, monkeypatch):
    monkeypatch.setattr(ingest_module, "_CHUNK", 2)
    (tmp_path / "b/p/2.png").write_bytes(b"")
    rules = IngestRules(progress=False, allow_faulty=1)
    expected = ingest("tiny", tmp_path, found, rules)
    several = ingest("tiny", tmp_path, found, replace(rules, workers=workers))
    assert several.frames.equals(expected.frames)
    assert several.report == expected.report
    with pytest.raises(ValueError, match=r"workers\n.*greater than 0"):
        IngestRules(workers=0)


def test_only_what_differs_is_told(tmp_path, found, caplog):
    facts = {
        "differs_from_published": published({"sequences": 600, "cameras": 2}, [2, 2]),
        "notes": ["no splits"],
    }
    with caplog.at_level(logging.WARNING):
        report = ingest("tiny", tmp_path, found, QUIET, facts).report
    assert report["differs_from_published"] == {"sequences": {"published": 600, "found": 2}}
    assert "sequences 2 (published: 600)" in caplog.text
    assert "no splits" in caplog.text


def turned(folder, orientation, name="2.jpg"):
    (folder / "2.png").unlink()
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", (4, 8)).save(folder / name, exif=exif)


@pytest.mark.parametrize("check", ["decode", "header"])
@pytest.mark.parametrize("name", ["2.jpg", "2.png"])
def test_a_frame_that_viewers_turn_is_a_fault(tmp_path, found, check, name):
    turned(tmp_path / "a/p", 6, name)
    first = replace(found[0], files=image_files(found[0].folder))
    with pytest.raises(IngestError, match=rf"a/p/{name}: its EXIF orientation is 6"):
        ingest("tiny", tmp_path, [first, found[1]], replace(QUIET, check=check))


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_a_frame_that_viewers_leave_upright_is_read(tmp_path, found, orientation):
    turned(tmp_path / "a/p", orientation)
    first = replace(found[0], files=image_files(found[0].folder))
    assert len(ingest("tiny", tmp_path, [first, found[1]], QUIET).frames) == 6


def test_broken_exif_data_turn_nothing(tmp_path, found):
    (tmp_path / "a/p/2.png").unlink()
    Image.new("RGB", (4, 8)).save(tmp_path / "a/p/2.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    first = replace(found[0], files=image_files(found[0].folder))
    assert len(ingest("tiny", tmp_path, [first, found[1]], QUIET).frames) == 6


def named(found, *names):
    """Give the frames of the first tracklet other names, in no order."""
    folder = found[0].folder
    for file, name in zip(image_files(folder), names, strict=True):
        (folder / file).rename(folder / name)
    return [replace(found[0], files=image_files(found[0].folder)), found[1]]


def test_the_number_that_rises_is_the_frame(tmp_path, found):
    """As in Market-1501: person, camera and sequence, frame, detection."""
    names = ("0002_c1s1_000801_02.png", "0002_c1s1_000451_03.png", "0002_c1s1_000776_01.png")
    first = named(found, *names)[0]
    ingested = ingest("tiny", tmp_path, [first, replace(first, name="b/p", camera="b")], QUIET)
    assert ingested.frames["frame"].tolist() == [451, 776, 801] * 2
    note = ingested.report["notes"][-1]
    assert "the frame number in 0002_c1s1_000451_03.png is taken to be 451" in note
    assert "2 of 2 tracklets, and the last one in 0" in note


def test_a_pattern_finds_the_frame(tmp_path, found):
    first = named(found, "9_f1x7.png", "8_f3x8.png", "7_f2x9.png")[0]
    both = [first, replace(first, name="b/p", camera="b")]
    rules = replace(QUIET, frame_pattern="f([0-9]+)")
    ingested = ingest("tiny", tmp_path, both, rules)
    assert ingested.frames["frame"].tolist() == [1, 2, 3] * 2
    assert not any("frame number" in note for note in ingested.report["notes"])
    with pytest.raises(IngestError, match=r"6 faulty(?s:.*)name has no frame number"):
        ingest("tiny", tmp_path, both, replace(rules, frame_pattern="g([0-9]+)"))


def test_accents_are_one_person_whatever_system_wrote_them(tmp_path, found):
    composed, decomposed = "Ren\u00e9", "Rene\u0301"
    pair = [replace(found[0], person=composed), replace(found[1], person=decomposed)]
    ingested = ingest("tiny", tmp_path, pair, QUIET)
    assert ingested.tracklets["person"].tolist() == [composed] * 2
    same = [replace(found[0], name=f"a/{name}") for name in (composed, decomposed)]
    with pytest.raises(IngestError, match="its name differs from that of a/p in Unicode's form"):
        ingest("tiny", tmp_path, [*same, found[1]], QUIET)


def test_names_that_look_alike_are_noted(tmp_path, found, caplog):
    pairs = [
        replace(each, person=person, name=f"{each.camera}/{person}")
        for each in found
        for person in ("0001", "1", "q")
    ]
    (note,) = ingest("tiny", tmp_path, pairs, QUIET).report["notes"]
    assert "person are told apart although their names look alike: 0001, 1." in note
    assert note in caplog.text
