"""Names of the files that answer a probe."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.galleries.answers import file_name


def test_a_tracklet_of_plain_letters_bears_its_name():
    assert file_name("cam_a/person-1") == "cam_a_person-1"


@pytest.mark.parametrize("name", ["persons", "Gallery", "MARKS", "con", "COM1"])
def test_the_names_of_other_files_are_not_taken(name):
    assert file_name(name).startswith(f"{name}-")


@settings(deadline=None)
@given(st.text(min_size=1, max_size=300))
def test_a_name_is_one_that_every_system_takes(title):
    name = file_name(title)
    assert 0 < len(name) <= 89
    assert name.isascii()
    assert name.replace("-", "").replace("_", "").isalnum()


@settings(deadline=None)
@given(st.text("甲乙. =", min_size=1, max_size=4), st.text("甲乙. =", min_size=1, max_size=4))
def test_names_of_other_letters_do_not_meet(one, other):
    assert (file_name(one) == file_name(other)) is (one == other)


def test_a_picture_elsewhere_is_named_after_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert file_name(Path("/somewhere/1.png")).startswith("somewhere_1_png-")
