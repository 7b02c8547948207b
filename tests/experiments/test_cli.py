import re
import shlex

import pytest
from click.testing import CliRunner

from wherewhen.cli import experiment
from wherewhen.experiments import engine, figures, tables
from wherewhen.experiments.config import load_experiments
from wherewhen.experiments.engine import Failure
from wherewhen.experiments.rows import Request

COMMAND = re.compile(r"uv run kedro experiment ([^`\n]+)")


def documented(repository):
    for page in (repository / "README.md", *sorted((repository / "docs").glob("**/*.md"))):
        for found in COMMAND.finditer(page.read_text(encoding="utf-8")):
            yield shlex.split(found[1])


@pytest.fixture
def known(repository, monkeypatch):
    monkeypatch.chdir(repository)
    return load_experiments()


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

        def run_rows(rows):
            asked.append(rows)
            failing = "max pooling" in rows
            return [Failure("table_iv", "max pooling", "why")] if failing else []

        monkeypatch.setattr(engine, "run_rows", run_rows)
        return asked

    def test_options_reach_the_engine(self, asked):
        words = ["table_v", "--env", "prid2011", "--trials", "3", "--rows", "ours"]
        params = "embed.frames=3,learn_metric.lfda={k: 2}"
        result = call("run", *words, "--params", params, "--trained-on", "mars")
        assert result.exit_code == 0, result.output
        ((row,),) = [rows.values() for rows in asked]
        given = {"embed": {"frames": 3}, "learn_metric": {"lfda": {"k": 2}}}
        assert (row.experiment, row.row.name) == ("table_v", "ours")
        assert row.request == Request("prid2011", given, "mars", ("ours",), 3)

    def test_failures_are_named_after_all_is_run(self, asked):
        result = call("run", "table_iv", "table_v")
        assert [next(iter(rows.values())).experiment for rows in asked] == ["table_iv", "table_v"]
        assert result.exit_code == 1
        assert "1 failed, all else is done:\n- table_iv, max pooling: why" in result.output

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["table_viii"], "say where to train"),
            (["table_iv", "--params", "embed.frame=3"], "did you mean frames"),
            (["table_iv", "--rows", "min pooling"], "has no row 'min pooling'"),
            (["table_iv", "--trials", "9"], "there are 2"),
        ],
    )
    def test_nothing_runs_before_all_is_known_to_be_possible(self, asked, words, message):
        result = call("run", "beyond", *words)
        assert result.exit_code == 1 and asked == []
        assert message in result.output and "Traceback" not in result.output


@pytest.mark.parametrize(("command", "module"), [("show", tables), ("figures", figures)])
def test_options_reach_what_shows_and_draws(repository, monkeypatch, command, module):
    monkeypatch.chdir(repository)
    asked = []

    def note(experiment, request):
        asked.append((experiment.name, request))
        return []

    monkeypatch.setattr(module, "show" if command == "show" else "make_figures", note)
    words = ["table_v", "-e", "prid2011", "--trained-on", "mars", "--params", "embed.clips=2"]
    assert call(command, *words).exit_code == 0
    assert asked == [("table_v", Request("prid2011", {"embed": {"clips": 2}}, "mars"))]
