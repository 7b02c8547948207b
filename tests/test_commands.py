import errno
import os
import subprocess
import sys

import click
import pytest
from safetensors.numpy import save_file

from wherewhen.commands import (
    SHOW_TRACEBACK,
    chain,
    is_text,
    of_the_disk,
    plain_errors,
    raised_here,
    read_params,
    split_items,
)
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


class TestTheDisk:
    @pytest.mark.parametrize(
        ("number", "said"),
        [
            (errno.ENOSPC, "No space left on device: a.bin. Free some space, and run again"),
            (errno.EROFS, "Read-only file system: a.bin. Choose a folder that can be written to"),
            (errno.EACCES, "Permission denied: a.bin. Give yourself the right to it"),
        ],
    )
    def test_is_named_with_its_fault_and_the_cure(self, number, said):
        def fail():
            try:
                raise OSError(number, "as the system says it", "a.bin")
            except OSError as error:
                raise RuntimeError("as a library says it") from error

        with pytest.raises(click.ClickException) as caught:
            plain_errors(fail)()
        assert said in caught.value.message

    def test_also_by_a_library_that_names_no_file(self, tmp_path):
        """Safetensors is written in Rust, whose errors are no `OSError`."""
        path = tmp_path / "folder.bin"
        path.mkdir()
        with pytest.raises(Exception) as caught:
            save_file({}, path)
        assert "os error 21" in str(caught.value)
        error = RuntimeError("I/O error: No space left on device (os error 28)")
        error.add_note("while data/a.bin was written")
        assert of_the_disk(error) == (
            "No space left on device: while data/a.bin was written. Free some space, and run "
            "again: what is whole is kept"
        )

    @pytest.mark.parametrize(
        "error", [ValueError("28"), OSError("no number"), FileNotFoundError(2, "no such", "a")]
    )
    def test_other_errors_are_not_its(self, error):
        assert of_the_disk(error) is None


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


@pytest.mark.parametrize(
    ("given", "items"),
    [
        ("", []),
        (" a=1 ,, b=2,", ["a=1", "b=2"]),
        ("a='1,2',b=2", ["a='1,2'", "b=2"]),
        ("a=[\"x,]\", '['],b=2", ["a=[\"x,]\", '[']", "b=2"]),
        ("a={b: ',}', c: 1},d=2", ["a={b: ',}', c: 1}", "d=2"]),
        ("a=O'Brien,b=d'Arc", ["a=O'Brien", "b=d'Arc"]),
        ("a=1],b=2", ["a=1]", "b=2"]),
    ],
)
def test_quotes_count_where_a_word_begins(given, items):
    assert split_items(given) == items


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-12", -12),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-1.50", -1.5),
        ("1e3", 1000.0),
        ("1E-05", 1e-05),
    ],
)
def test_words_and_numbers_are_what_they_say(word, value):
    for given, read in ((f"x={word}", value), (f"x=[{word}]", [value])):
        found = read_params(None, None, given)["x"]
        assert found == read
        assert type(found) is type(read)


@pytest.mark.parametrize(
    "word",
    [
        *("01", "007", "00.5", "1_000", "0x10", "0o17", "0b11", "+3", "-0", "-", "E5", "1.2.3"),
        *("12:30", "1:2:3", "2026-01-01", "on", "off", "yes", "No", "y", "Null", "~", "None"),
        *("1e999", ".inf", ".nan", "NaN", "9" * 19, "9" * 5000, "٣", "<<", "=", "C:\\data"),
    ],
)
def test_all_else_is_text(word):
    """YAML 1.1 makes numbers, truths and nothing of many of these."""
    assert read_params(None, None, f"x={word}") == {"x": word}
    assert read_params(None, None, f"x=[{word}]") == {"x": [word]}
    assert read_params(None, None, f"x={{y: {word}}}") == {"x": {"y": word}}


@pytest.mark.parametrize("word", ["a #b", "a: b", "- 1", "@a", "`a", "%a", "|", "*a", "#", "a&b"])
def test_signs_of_yaml_are_letters_in_a_text(word):
    assert read_params(None, None, f"x={word}") == {"x": word}


@pytest.mark.parametrize("word", ["01", "1", "1e3", "true", "on", "1.50"])
@pytest.mark.parametrize(
    "name",
    [
        "split.probe_camera",  # str or null
        "split.fingerprint",  # may be digits with an e among them
        "ingest.root",
        "extract.weights.path",  # a path
        "evaluate.protocol",  # one of some words
    ],
)
def test_names_and_paths_keep_their_text(name, word):
    def leaf(tree):
        for part in name.split("."):
            tree = tree[part]
        return tree

    assert is_text(name)
    assert leaf(read_params(None, None, f"{name}={word}")) == word
    assert leaf(read_params(None, None, f"{name}='{word}'")) == word
    assert leaf(read_params(None, None, f"{name}=null")) is None
    group, _, field = name.rpartition(".")
    if group:
        assert leaf(read_params(None, None, f"{group}={{{field}: {word}}}")) == word


@pytest.mark.parametrize(
    "name",
    [
        "split.trials",
        "embed.frames",
        "train.training.learning_rate",
        "split",
        "no.such",
        "split.no",
    ],
)
def test_other_parameters_may_be_numbers(name):
    assert not is_text(name)


@pytest.mark.parametrize(
    "item",
    [
        "embed.baselines.fv3d.signed=no",
        "embed.baselines={fv3d: {signed: Off}}",
        "learn_metric.kissme.a=[on]",
    ],
)
def test_a_word_for_a_truth_is_no_text_where_any_value_goes(item):
    with pytest.raises(click.BadParameter, match="expected true or false; put "):
        read_params(None, None, item)


def test_lists_of_names_are_text():
    assert is_text("embed.features")
    assert read_params(None, None, "embed.features=[1]") == {"embed": {"features": ["1"]}}


def test_the_last_counts_and_mappings_are_joined():
    assert read_params(None, None, "a=1,a=2") == {"a": 2}
    assert read_params(None, None, "a={b: 1},a.c=2,a={d: 3}") == {"a": {"b": 1, "c": 2, "d": 3}}


@pytest.mark.parametrize("given", ["a", "=1", "a=1,b", "a=", ".a=1", "a.=1", "a..b=1", "=", "a= "])
def test_a_parameter_without_name_or_value_is_refused(given):
    with pytest.raises(click.BadParameter, match="expected NAME=VALUE"):
        read_params(None, None, given)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("a=[1,2", r"expected a list \[a, b\], a mapping .* or a text in quotes \(expected ','"),
        ("a={b", "expected a list"),
        ("a=[1]]", "expected a list"),
        ("a=[1] 2", "expected a list"),
        ("a='b", "expected a list"),
        ("a='b' c", "expected a list"),
        ('a="\\q"', "expected a list"),
        ("a=b[1", "brackets are not paired"),
        ("a=b]", "brackets are not paired"),
        ("a={b}", "b has no value"),
        ("a={b: 1, b: 2}", "b stands twice"),
        ("a={[1]: 2}", "expected words as the names"),
        ("a=!!python/object/apply:os.system ['echo it ran']", "without a YAML tag"),
        ("a=[!!python/name:os.system ]", "expected no !, & and"),
        ("a=[!!str 1]", "expected no !, & and"),
        ("a=[&b [*b]]", "expected no !, & and"),
        pytest.param("a=" + "[" * 3000 + "]" * 3000, "nested too deeply", id="nested"),
        ("a=${HOME}/b", "expected the value itself"),
        ("a=${", "brackets|expected the value itself"),
        ("a=b\nc", "in one line, without control characters"),
        ("a=caf\udce9", "expected text in UTF-8"),
    ],
)
def test_what_can_not_be_read_is_shown_with_what_was_expected(item, expected, capfd):
    with pytest.raises(click.BadParameter, match=f"(?s)`a=.*`: .*{expected}") as caught:
        read_params(None, None, f"{item}")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500
    assert "it ran" not in capfd.readouterr().out


@pytest.mark.parametrize("given", ["a=1,a.b=2", "a.b=2,a=1", "a={b: {c: 1}},a.b=2"])
def test_a_value_has_no_parts(given):
    with pytest.raises(click.BadParameter, match="parts"):
        read_params(None, None, given)


def test_a_file_of_options_is_handed_on():
    assert read_params(None, None, {"a": 1}) == {"a": 1}


def test_a_chain_goes_from_the_error_to_its_first_cause():
    with pytest.raises(RuntimeError) as caught:
        wrapped()
    assert [type(error) for error in chain(caught.value)][:2] == [RuntimeError, ParameterError]


def test_an_error_that_nobody_raised_is_not_ours():
    assert not raised_here(ValueError())


TALKING = """
import logging, pathlib, sys
from rich.logging import RichHandler
from wherewhen.commands import plain_errors

logging.basicConfig(level="INFO", handlers=[RichHandler()])

@plain_errors
def command():
    for number in range(3000):
        print("λ =", number)
        print("字 ±", number, file=sys.stderr)
        logging.info("λ is %d", number)
    pathlib.Path(sys.argv[1]).write_text("done")

command()
"""


def talking(file, **streams):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    return subprocess.Popen([sys.executable, "-c", TALKING, file], env=environment, **streams)


def test_a_command_goes_on_when_nobody_reads_it(tmp_path):
    """As with ``kedro run 2>&1 | head -1``."""
    process = talking(tmp_path / "out", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 0
    assert (tmp_path / "out").read_text() == "done"


def test_letters_that_the_console_lacks_are_spelled_in_ascii(tmp_path):
    process = talking(tmp_path / "out", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"l = 2999" in out and b"l is 2999" in out
    assert error.splitlines()[-1] == b"? +- 2999" and b"Traceback" not in error


def test_a_console_without_buffers_stays_so(tmp_path):
    """As with ``python -u`` in a container: what was printed before a kill is there."""
    command = "import os\nfrom wherewhen.commands import plain_errors\n\n\n@plain_errors\n"
    command += "def command():\n    print('begun')\n    os._exit(9)\n\n\ncommand()\n"
    done = subprocess.run([sys.executable, "-u", "-c", command], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout.split()) == (9, [b"begun"])
