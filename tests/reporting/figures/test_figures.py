"""The records of the figures."""

import pytest

from wherewhen.reporting.figures import FIGURES, kind_of, shows_nobody


def test_records_are_complete():
    for name, kind in FIGURES.items():
        assert kind.name == name
        assert kind.caption.endswith(".")
        assert kind.description.endswith(".")
        assert kind.needs and (kind.stage == "experiment") == (kind.table is not None)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("cmc", "cmc"),
        ("cmc_curves", "cmc_curves"),
        ("lengths_ours", "lengths"),
        ("attention_over_time", "attention_over_time"),
        ("attention_ours", "attention"),
    ],
)
def test_a_file_is_known_by_the_longest_name_that_it_begins_with(file, name):
    assert kind_of(file) is FIGURES[name]


def test_what_is_unknown_may_show_people():
    assert kind_of("unheard_of") is None
    assert not shows_nobody("unheard_of")
    assert not shows_nobody("best_ranked")
    assert shows_nobody("training_curves")
