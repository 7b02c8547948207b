"""The directory of a zip archive is looked at before a library reads it."""

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.tracklets import zip_directory
from wherewhen.tracklets.zip_directory import check_directory

MEMBERS = st.dictionaries(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=40),
    st.binary(max_size=200),
    max_size=12,
)


def zipped(members, comment=b"", before=b"", method=zipfile.ZIP_STORED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as file:
        file.comment = comment
        for name, data in members.items():
            file.writestr(name, data)
    return io.BytesIO(before + content.getvalue())


@settings(max_examples=50, deadline=None)
@given(
    MEMBERS,
    st.binary(max_size=40).filter(lambda comment: b"PK" not in comment),
    st.binary(max_size=40),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
def test_every_archive_that_python_writes_passes(members, comment, before, method):
    check_directory(zipped(members, comment, before, method))


def test_an_archive_with_sizes_of_64_bits_passes(monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    content = zipped({str(number): b"x" for number in range(5)})
    assert b"PK\6\6" in content.getvalue()
    check_directory(content)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_other_bytes_are_no_zip(content):
    with pytest.raises(zipfile.BadZipFile):
        check_directory(io.BytesIO(content))


def test_an_entry_counts_with_header_name_and_data(monkeypatch):
    """Two entries of 30 + 1 + 3 bytes lie in 68; a third at the same place does not."""
    content = zipped({"a": b"xyz", "b": b"xyz"}).getvalue()
    check_directory(io.BytesIO(content))
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    third = content[start : start + 47]
    tail = bytearray(content[end:])
    tail[12:16] = (end - start + 47).to_bytes(4, "little")
    with pytest.raises(zipfile.BadZipFile, match=r"3 entries take at least 102 bytes.* in 68"):
        check_directory(io.BytesIO(content[:end] + third + bytes(tail)))
    monkeypatch.setattr(zip_directory, "MOST_ENTRIES", 1)
    with pytest.raises(zipfile.BadZipFile, match="more than 1 entries"):
        check_directory(io.BytesIO(content))


def test_a_directory_that_ends_early_is_left_to_the_library():
    content = zipped({"a": b"xyz"}).getvalue()
    end = content.index(b"PK\5\6")
    check_directory(io.BytesIO(content[: end - 3] + b"\0" * 3 + content[end:]))
