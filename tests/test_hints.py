import pytest

from wherewhen.hints import did_you_mean

KNOWN = ("train", "embed", "evaluate")


@pytest.mark.parametrize(
    ("name", "meant"), [("trian", "train"), ("evalute", "evaluate"), ("Embed", "embed")]
)
def test_the_name_that_is_most_alike(name, meant):
    assert did_you_mean(name, KNOWN, "there are others") == f"did you mean {meant}?"


@pytest.mark.parametrize("name", ["", "report", "xyz"])
def test_where_none_is_alike_something_else_is_said(name):
    assert did_you_mean(name, KNOWN, "there are others") == "there are others"
    assert did_you_mean(name, ()) == ""
