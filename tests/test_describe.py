import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.table import Table

from wherewhen import describe
from wherewhen.commands import parse_params
from wherewhen.describe import as_params, command_of, commit, name_of, show, versions
from wherewhen.pipelines.parameters import check_parameters


def git(folder, *arguments):
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    return subprocess.run(
        ["git", "-C", folder, *who, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "file").write_text("one\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


class TestCommit:
    def test_a_clean_checkout_names_its_commit(self, checkout):
        assert commit(checkout) == (git(checkout, "rev-parse", "HEAD"), False)

    def test_a_changed_file_shows(self, checkout):
        (checkout / "file").write_text("two\n")
        assert commit(checkout)[1]

    def test_data_that_git_does_not_know_is_no_change(self, checkout):
        (checkout / "untracked").write_text("x")
        assert not commit(checkout)[1]

    @pytest.mark.parametrize("where", ["outside", "no git"])
    def test_elsewhere_the_version_stands(self, tmp_path, monkeypatch, where):
        if where == "no git":
            monkeypatch.setenv("PATH", str(tmp_path))
        assert commit(tmp_path) == (
            f"wherewhen {versions()['wherewhen']}, not a git checkout",
            False,
        )


class TestName:
    @pytest.mark.parametrize(
        ("tree", "params", "name"),
        [
            ({}, {}, "demonstration · modern · 10 trials"),
            ({"split": {"trials": 1}, "preset": "paper"}, {},
             "demonstration · paper · 1 trial"),
            ({"evaluate": {"dataset": "mars"}}, {"pipeline_names": ["evaluate", "report"]},
             "mars · modern · 10 trials · evaluate, report"),
            ({"evaluate": {"dataset": "mars"}},
             {"pipeline_names": ["__default__"], "namespaces": ["trial_03"]},
             "mars · modern · 10 trials · trial_03"),
            ({"train": {"network_from": "{trial}.safetensors"}}, {},
             "demonstration · networks from elsewhere · 10 trials"),
        ],
    )  # fmt: skip
    def test_says_what_a_run_is(self, tree, params, name):
        tree = {"evaluate": {"dataset": "synthetic"}, **tree}
        ledger = SimpleNamespace(parameters=check_parameters(tree))
        assert name_of(ledger, params) == name


class TestCommand:
    def context(self, root, source=None):
        loader = SimpleNamespace(conf_source=str(source or root / "conf"))
        return SimpleNamespace(project_path=root, config_loader=loader)

    def test_repeats_a_run(self, tmp_path):
        (tmp_path / "pyproject.toml").write_text("")
        params = {
            "env": "mine",
            "pipeline_names": ["evaluate", "report"],
            "namespaces": None,
            "to_nodes": [],
            "runtime_params": {"split": {"trials": 3, "probe_camera": "1"}, "a": {"b": [1, 2]}},
        }
        assert command_of(params, self.context(tmp_path)) == (
            "uv run kedro run --env mine --pipelines evaluate,report --params "
            "'split.trials=3,split.probe_camera=\"1\",a.b=[1, 2]'"
        )

    def test_of_an_installed_package_names_its_configuration(self, tmp_path):
        source = tmp_path / "conf-wherewhen.tar.gz"
        assert command_of({}, self.context(tmp_path, source)) == (
            f"wherewhen run --conf-source {source}"
        )


@pytest.mark.parametrize(
    "tree",
    [
        {"a": {"b": 1, "c": 0.5, "d": None, "e": True}},
        {"a": "word", "b": "true", "c": "1", "d": "01", "e": "", "f": " x "},
        {"a": ["kissme", "lfda"], "b": {"k1": 5, "lambda": 0.3}, "c": []},
        {"a": "with, comma", "b": "with [bracket", "c": "it's", "d": 'say "x"', "e": "λ"},
        {"split": {"probe_camera": "1"}},
    ],
)
def test_params_are_read_as_they_were(tree):
    def same(value):
        return (
            {name: same(each) for name, each in value.items()} if isinstance(value, dict) else value
        )

    assert parse_params(as_params(tree)) == same(tree)


class TestShow:
    def table(self):
        table = Table(title="λ · table")
        table.add_column("mean ± deviation")
        table.add_row("61.2 ± 3.4")
        return table

    @pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
    def test_prints_on_any_console(self, monkeypatch, encoding):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        show(self.table(), "a line")
        sys.stdout.flush()
        text = raw.getvalue().decode(encoding)
        assert "61.2" in text and "3.4" in text and "a line" in text
        assert ("61.2 +- 3.4" in text) == (encoding == "ascii")

    def test_a_fault_of_the_console_fails_nothing(self, monkeypatch, caplog):
        class Closed(io.StringIO):
            encoding = "utf-8"

            def write(self, text):
                raise OSError("broken pipe")

        monkeypatch.setattr(sys, "stdout", Closed())
        show("a line")
        assert "the table can't be printed here (broken pipe)" in caplog.text


def test_versions_name_what_computes():
    found = versions()
    assert {"python", "torch", "numpy", "wherewhen"} <= set(found)
    assert found["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")


def test_every_filter_of_kedro_run_is_known():
    from kedro.framework.cli.project import run

    options = {option for each in run.params for option in each.opts}
    assert set(describe.FILTERS.values()) <= options
    assert Path(describe.__file__).is_file()
