from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.features import cube_store
from wherewhen.tracklets.names import (
    DEVICES,
    LONGEST_NAME,
    control_fault,
    file_name,
    look_alike,
    name_fault,
    normalised,
)


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("a/" + "n" * 200, True),
        ("a/" + "n" * 201, False),
        ("n" * 201 + "/a", False),
        ("é" * 33, True),
        ("é" * 34, False),
        ("\ud800", False),
    ],
)
def test_names_that_the_cubes_files_can_bear(name, sound):
    assert (name_fault(name) is None) == sound


def test_the_cube_store_has_the_same_limit():
    assert LONGEST_NAME == cube_store.LONGEST_NAME


@pytest.mark.parametrize(
    ("names", "alike"),
    [
        (["0001", "1"], ["0001, 1"]),
        (["person_1", "person_01", "person_2"], ["person_01, person_1"]),
        (["1", "1.0", "1.5"], ["1, 1.0"]),
        (["Anna", "anna", "anna "], ["Anna, anna, anna "]),
        (["１", "1"], ["1, １"]),
        (["-1", "0000", "0001", "0010", "0100"], []),
        (["1_0", "10"], []),
    ],
)
def test_alike(names, alike):
    assert look_alike([*names, *names]) == alike


def test_one_form_of_unicode():
    assert normalised("Rene\u0301") == "Ren\u00e9" == normalised("Ren\u00e9")


@settings(deadline=None)
@given(st.text(min_size=1) | st.sampled_from(sorted(DEVICES)).map(str.upper))
def test_a_files_name_is_read_back_and_is_no_devices(part):
    name = file_name(part)
    assert unquote(name) == part
    assert name.lower() not in DEVICES
    assert not set(name) & set('/\\:*?"<>|. ')


@pytest.mark.parametrize("letter", ["\n", "\x00", "\x1b", "\x85", "\u2028", "\u202e", "\u2066"])
def test_control_characters_are_named(letter):
    assert f"U+{ord(letter):04X}" in control_fault(f"an{letter}na")
    assert name_fault(f"a/an{letter}na") is not None


@pytest.mark.parametrize(
    "name", ["anna", "Ren\u00e9", "\u0645\u0631\u064a\u0645", "\u200e", "a b", "\U0001f600"]
)
def test_letters_of_every_writing_are_none(name):
    assert control_fault(name) is None
