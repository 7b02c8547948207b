import click
import pytest

from wherewhen.commands import SHOW_TRACEBACK, chain, plain_errors, raised_here, read_params
from wherewhen.pipelines.parameters import ParameterError, check_parameters


def refused():
    """Fail as a user's mistake does: by a `raise` in the package."""
    check_parameters({"trian": {}})


def wrapped():
    """Fail as Kedro hands on an error of a data set: inside one of its own."""
    try:
        refused()
    except ParameterError as error:
        raise RuntimeError("Failed while saving data to dataset") from error


def bug_of_ours():
    """Fail inside a library that the package called."""
    check_parameters(None, "too many")


def bug_elsewhere():
    raise ValueError("from this test, not from the package")


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.delenv(SHOW_TRACEBACK, raising=False)


@pytest.mark.parametrize("callback", [refused, wrapped])
def test_an_error_raised_on_purpose_becomes_its_message(callback):
    with pytest.raises(click.ClickException) as caught:
        plain_errors(callback)()
    assert "trian: no such parameter; did you mean train?" in caught.value.message
    assert SHOW_TRACEBACK in caught.value.message
    assert caught.value.exit_code != 0
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("callback", "error"), [(bug_of_ours, TypeError), (bug_elsewhere, ValueError)]
)
def test_a_bug_keeps_its_traceback(callback, error):
    with pytest.raises(error):
        plain_errors(callback)()


@pytest.mark.parametrize(
    ("callback", "error"), [(refused, ParameterError), (wrapped, RuntimeError)]
)
def test_the_traceback_can_be_asked_for(callback, error, monkeypatch):
    monkeypatch.setenv(SHOW_TRACEBACK, "1")
    with pytest.raises(error):
        plain_errors(callback)()


def test_what_a_command_returns_is_handed_on():
    assert plain_errors(lambda *words, **options: (words, options))(1, a=2) == ((1,), {"a": 2})


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("", {}),
        ("a.b=1, a.c=x:y", {"a": {"b": 1, "c": "x:y"}}),
        ("a=[kissme,lfda,xqda],b=null", {"a": ["kissme", "lfda", "xqda"], "b": None}),
        (
            "a.r={k1: 5, k2: 3, lambda: 0.3},b=2",
            {"a": {"r": {"k1": 5, "k2": 3, "lambda": 0.3}}, "b": 2},
        ),
        ("a=[[1,2],[3]]", {"a": [[1, 2], [3]]}),
    ],
)
def test_commas_in_brackets_belong_to_the_value(given, read):
    assert read_params(None, None, given) == read


@pytest.mark.parametrize("given", ["a", "=1", "a=1,b"])
def test_a_parameter_without_a_value_is_refused(given):
    with pytest.raises(click.BadParameter, match="expected NAME=VALUE"):
        read_params(None, None, given)


def test_a_chain_goes_from_the_error_to_its_first_cause():
    with pytest.raises(RuntimeError) as caught:
        wrapped()
    assert [type(error) for error in chain(caught.value)][:2] == [RuntimeError, ParameterError]


def test_an_error_that_nobody_raised_is_not_ours():
    assert not raised_here(ValueError())
