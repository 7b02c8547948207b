import pytest

from wherewhen.features import cube_store
from wherewhen.tracklets.names import LONGEST_NAME, look_alike, name_fault, normalised


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
