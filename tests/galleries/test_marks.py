"""The CSV of marks: what is set, changed, taken back and damaged."""

import csv
from datetime import UTC, datetime

import pytest

from wherewhen.galleries.marks import Mark, MarkError, MarksFile

HEADER = "probe,tracklet,distance,metric,model,mark,time"
GOOD = "hall/anna,yard/anna,0.25,cosine,0123,same,2026-01-02T03:04:05+00:00"


def mark(tracklet="yard/anna", kind="same", distance=0.25, probe="hall/anna"):
    return Mark.now(probe, tracklet, distance, "cosine", "0123", kind)


@pytest.fixture
def file(tmp_path):
    return MarksFile(tmp_path / "search" / "marks.csv")


def kinds(file):
    return {key: mark.mark for key, mark in file.read().by_pair.items()}


def test_there_is_no_file_yet(file):
    assert file.read() == ({}, [])


def test_a_mark_is_one_row_with_what_it_is_about(file):
    before = datetime.now(UTC).replace(microsecond=0)
    file.put(mark())
    with file.path.open(encoding="utf-8", newline="") as opened:
        [row] = csv.DictReader(opened)
    time = datetime.fromisoformat(row.pop("time"))
    assert before <= time <= datetime.now(UTC)
    assert time.utcoffset().total_seconds() == 0
    assert row == {
        "probe": "hall/anna",
        "tracklet": "yard/anna",
        "distance": "0.25",
        "metric": "cosine",
        "model": "0123",
        "mark": "same",
    }


def test_a_mark_is_changed_and_taken_back(file):
    file.put(mark())
    file.put(mark("yard/bert", "not same"))
    file.put(mark(kind="not same"))
    assert kinds(file) == {
        ("hall/anna", "yard/bert"): "not same",
        ("hall/anna", "yard/anna"): "not same",
    }
    file.take_back("hall/anna", "yard/anna")
    file.take_back("hall/anna", "nobody")
    assert kinds(file) == {("hall/anna", "yard/bert"): "not same"}
    assert file.path.read_text("utf-8").count("\n") == 2


def test_a_tracklet_that_is_removed_leaves_no_mark(file):
    file.forget(["yard/anna"])
    assert not file.path.exists()
    for probe, tracklet in (("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")):
        file.put(mark(tracklet, probe=probe))
    file.forget(["a", "b"])
    assert list(kinds(file)) == [("c", "d")]


def test_names_may_have_what_csv_uses_itself(file):
    name = 'a,"b" <img src=x>\r=1+1'
    file.put(mark(name))
    assert list(kinds(file)) == [("hall/anna", name)]


def test_what_can_t_be_kept_is_refused_and_nothing_changes(file):
    file.put(mark())
    before = file.path.read_bytes()
    with pytest.raises(MarkError, match="line break"):
        file.put(mark("a\nb"))
    with pytest.raises(MarkError, match=r"mark is 'sam': did you mean same\?"):
        file.put(mark(kind="sam"))
    with pytest.raises(MarkError, match="finite"):
        file.put(mark(distance=float("nan")))
    assert file.path.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"hall/anna,yard/anna", "2 fields, expected 7"),
        (b'"hall/anna,yard/anna,0.25', "not CSV"),
        (GOOD.replace("same", "maybe").encode(), "mark is 'maybe'"),
        (GOOD.replace("0.25", "near").encode(), "near"),
        (GOOD.replace("2026-01-02", "today").encode(), "today"),
        (GOOD.encode().replace(b"anna", b"ann\xe9"), "not UTF-8"),
    ],
)
def test_a_damaged_line_is_named_and_survives(file, line, reason):
    file.path.parent.mkdir()
    other = GOOD.replace("yard/anna", "yard/bert").encode()
    file.path.write_bytes(b"\n".join([HEADER.encode(), line, other, b""]))
    by_pair, [fault] = file.read()
    assert list(by_pair) == [("hall/anna", "yard/bert")]
    assert f"{file.path}, line 2: " in fault
    assert reason in fault
    file.put(mark("yard/carl"))
    assert file.path.read_bytes().split(b"\n")[:3] == [HEADER.encode(), line, other]
    assert len(file.read().by_pair) == 2


def test_a_file_that_a_spreadsheet_wrote_is_read(file):
    file.path.parent.mkdir()
    file.path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{GOOD}\r\n".encode())
    assert file.read() == (
        {("hall/anna", "yard/anna"): Mark(*GOOD.split(","))._replace(distance=0.25)},
        [],
    )
    file.put(mark("yard/bert"))
    assert len(file.read().by_pair) == 2


def test_another_file_is_left_alone(file):
    file.path.parent.mkdir()
    file.path.write_text("rank,tracklet\n1,yard/anna\n", "utf-8")
    for change in (file.read, lambda: file.put(mark())):
        with pytest.raises(MarkError, match=r"begins with 'rank,tracklet'.*no file of marks"):
            change()
    assert file.path.read_text("utf-8") == "rank,tracklet\n1,yard/anna\n"
