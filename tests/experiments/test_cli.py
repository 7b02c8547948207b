import re
import shlex

import pytest
from click.testing import CliRunner

from wherewhen.experiments import engine, tables
from wherewhen.experiments.cli import experiment
from wherewhen.experiments.config import load_experiments
from wherewhen.experiments.engine import Failure

COMMAND = re.compile(r"uv run kedro experiment ([^`\n]+)")


def documented(repository):
    for page in (repository / "README.md", *sorted((repository / "docs").glob("*.md"))):
        for found in COMMAND.finditer(page.read_text(encoding="utf-8")):
            yield shlex.split(found[1])


@pytest.fixture(scope="module")
def known(repository):
    return load_experiments(root=repository)


def call(*words):
    return CliRunner().invoke(experiment, words)


def test_the_documents_commands_can_be_given(repository, known):
    commands = list(documented(repository))
    assert len(commands) > 3
    for name, *words in commands:
        context = experiment.commands[name].make_context(name, words)
        if name in ("run", "show"):
            for each in context.params["names"]:
                chosen = known[each].only(context.params["rows"])
                assert chosen.rows, each


def test_the_list_names_experiments_and_rows(repository, monkeypatch):
    monkeypatch.chdir(repository)
    output = call("list").output
    assert "table_viii (table VIII): Trained on one data set" in output
    assert "  RCN (quoted)" in output


@pytest.mark.parametrize("command", ["run", "show"])
def test_an_unknown_experiment_is_one_line(repository, monkeypatch, command):
    monkeypatch.chdir(repository)
    result = call(command, "table_ix")
    assert result.exit_code == 1
    assert "Error: no experiment table_ix: there are table_iii" in result.output


class TestRun:
    @pytest.fixture
    def asked(self, repository, monkeypatch):
        """Note what the engine is asked for; it fails at a row of table IV."""
        monkeypatch.chdir(repository)
        asked = []

        class Engine:
            def __init__(self, *words):
                asked.append(words)

            def run(self, experiment, rows):
                asked.append((experiment.name, rows))
                failing = experiment.name == "table_iv"
                return [Failure("table_iv", "max pooling", "trial_01", "why")] if failing else []

        monkeypatch.setattr(engine, "Engine", Engine)
        return asked

    def test_options_reach_the_engine(self, asked):
        words = ["table_v", "--env", "mars", "--trials", "3", "--rows", "ours"]
        result = call(
            "run", *words, "--params", "embed.frames=3,a.b=[1,2]", "--trained-on", "prid2011"
        )
        assert result.exit_code == 0, result.output
        params = {"embed": {"frames": 3}, "a": {"b": [1, 2]}}
        assert asked == [("mars", params, "prid2011", 3), ("table_v", ("ours",))]

    def test_failures_are_named_after_all_is_run(self, asked):
        result = call("run", "table_iv", "table_v")
        assert [name for name, _ in asked[1:]] == ["table_iv", "table_v"]
        assert result.exit_code == 1
        assert (
            "1 failed, all else is done:\n- table_iv, max pooling, trial_01: why" in result.output
        )


def test_show_gives_its_options_on(repository, monkeypatch):
    monkeypatch.chdir(repository)
    asked = []
    monkeypatch.setattr(
        tables, "show", lambda experiment, *words: asked.append((experiment.name, *words))
    )
    assert call("show", "table_v", "-r", "ours", "--trained-on", "mars").exit_code == 0
    assert asked == [("table_v", None, {}, "mars", ("ours",))]
