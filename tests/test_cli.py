import shutil
import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner
from flat_footage import write_flat

from wherewhen.cli import cli, run
from wherewhen.locks import held

PYPROJECT = """
[tool.kedro]
package_name = "wherewhen"
project_name = "wherewhen"
kedro_init_version = "1.0.0"
"""

TRACKLETS = ["a/p0001", "b/p0001", "a/p0002", "b/p0002"]


@pytest.fixture
def project(tmp_path, monkeypatch, repository):
    """A project with rendered people and what a run made of them, around the working directory."""
    root = tmp_path / "project"
    shutil.copytree(repository / "conf", root / "conf")
    (root / "pyproject.toml").write_text(PYPROJECT)
    for tracklet in TRACKLETS:
        (root / "data/01_raw/synthetic" / tracklet).mkdir(parents=True)
        (root / "data/01_raw/synthetic" / tracklet / "1.png").write_bytes(b"picture")
    for path, text in (("02_intermediate", '"data/01_raw/synthetic"'), ("08_reporting", "x")):
        folder = root / "data" / path / "synthetic/frames_root.json/0f"
        folder.mkdir(parents=True)
        (folder / "frames_root.json").write_text(text)
    persons = [tracklet.rpartition("/")[2] for tracklet in TRACKLETS]
    paths = [f"{tracklet}/1.png" for tracklet in TRACKLETS]
    tables = {
        "tracklets": pd.DataFrame({"tracklet": TRACKLETS, "person": persons}),
        "frames": pd.DataFrame({"tracklet": TRACKLETS, "path": paths}),
    }
    for name, table in tables.items():
        folder = root / f"data/03_primary/synthetic/{name}.parquet/0f"
        folder.mkdir(parents=True)
        table.to_parquet(folder / f"{name}.parquet")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").write_text("x")
    (root / "data/03_primary/linked").symlink_to(tmp_path / "outside")
    monkeypatch.chdir(root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'none.db'}")
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    return root


@pytest.fixture
def at_a_terminal(monkeypatch):
    monkeypatch.setattr("wherewhen.cli.is_terminal", lambda: True)


def invoke(*words, **options):
    """Call a command: exit code, and what it printed in one line."""
    result = CliRunner().invoke(cli, words, **options)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def files(project):
    """List all there is around a project, what links lead to included."""
    return {
        path.relative_to(project.parent).as_posix(): path.read_bytes()
        for path in project.parent.rglob("*")
        if path.is_file() and ".locks" not in path.parts
    }


def raw(found):
    return {path for path in found if "01_raw" in path}


class TestRun:
    def test_it_keeps_its_name_and_takes_all_that_kedro_s_takes(self):
        from kedro.framework.cli.project import run as kedro_run

        assert run.name == "run"
        ours = [each.to_info_dict() for each in run.params]
        assert ours[: len(kedro_run.params)] == [each.to_info_dict() for each in kedro_run.params]
        assert [each["name"] for each in ours[len(kedro_run.params) :]] == [
            "anew",
            "system_metrics",
        ]
        assert kedro_run.callback is not run.callback

    def test_the_commands_are_there(self):
        assert set(cli.commands) == {
            *(
                "experiment",
                "export",
                "lineage",
                "mlflow",
                "new-dataset",
                "publish",
                "purge",
                "run",
            ),
            "search",
        }


class TestEnvironment:
    COMMANDS = (["lineage"], ["experiment", "list"], ["experiment", "show", "table_iv"])

    @pytest.mark.parametrize("command", COMMANDS)
    def test_an_unknown_one_is_refused_with_the_nearest_name(self, project, command):
        code, output = invoke(*command, "--env", "prid2012")
        assert code == 1
        assert "no environment 'prid2012' in conf; did you mean prid2011?" in output

    @pytest.mark.parametrize("command", COMMANDS)
    def test_that_of_the_variable_counts_where_none_is_given(self, project, command):
        unknown = {"KEDRO_ENV": "prid2012"}
        code, output = invoke(*command, env=unknown)
        assert code == 1
        assert "did you mean prid2011?" in output
        _, output = invoke(*command, "--env", "mars", env=unknown)
        assert "no environment" not in output

    def test_a_look_is_at_the_data_set_of_the_variable(self, project):
        code, output = invoke("lineage", "network", env={"KEDRO_ENV": "prid2011"})
        assert code == 1  # nothing of that name: this lists what there is
        assert "trial_09.network" in output
        _, output = invoke("lineage", "network")
        assert "trial_09.network" not in output


class TestExport:
    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            ([], 2, "Missing option '--to'"),
            (["--to", "out", "--part", "head"], 2, "'head' is not one of"),
            (["--to", "out", "--model", "nowhere.safetensors"], 1, "expected the file of a traine"),
        ],
    )
    def test_what_is_refused_leaves_nothing_behind(self, project, words, code, said):
        result = invoke("export", *words)
        assert result[0] == code
        assert said in result[1]
        assert not (project / "out").exists()


class TestNewDataset:
    def test_it_says_what_it_wrote_and_how_to_run_it(self, project):
        write_flat("folder", project / "data/01_raw/my crops")
        code, output = invoke("new-dataset", "mine", "--root", "data/01_raw/my crops/crops")
        assert code == 0
        assert output.endswith("conf/mine/parameters.yml Run it: kedro run --env mine")
        assert (project / "conf/mine/parameters.yml").is_file()
        code, output = invoke("lineage", "--env", "mine")
        assert code == 0
        assert "tracklets (" in output

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (["mine"], 2, "Missing option '--root'"),
            (["--root", "data"], 2, "Missing argument 'NAME'"),
            (["", "--root", "data"], 1, "can't name a data set"),
            (["../mine", "--root", "data"], 1, "can't name a data set"),
            (["mars", "--root", "data"], 1, "an environment mars already"),
            (["mine", "--root", "nowhere"], 1, "nothing that can be used lies at"),
            (["mine", "--root", "data", "--reader", "fodler"], 1, "expected one of folder"),
        ],
    )
    def test_what_is_refused_leaves_nothing_behind(self, project, words, code, said):
        before = files(project)
        result = invoke("new-dataset", *words)
        assert result[0] == code
        assert said in result[1]
        assert files(project) == before


class TestPurge:
    @pytest.mark.parametrize("option", ["--dataset", "--person"])
    @pytest.mark.parametrize("more", [[], ["--raw", "--derived"]])
    @pytest.mark.parametrize(
        "name",
        ["", " ", ".", "..", "*", "**", "?", "synth*", "synthetic*", "[s]ynthetic", "../x",
         "../outside", "../03_primary/synthetic", "03_primary/synthetic", "synthetic/",
         "./synthetic", "/", "/tmp", "~", "Synthetic", "SYNTHETIC", "synthetic\n", "01_raw",
         ".locks", "P0001", "p000", "p000*", "a/p0001"],
    )  # fmt: skip
    def test_only_names_that_there_are_remove_anything(self, project, option, name, more):
        before = files(project)
        code, output = invoke("purge", option, name, "--yes", *more)
        assert code == 1
        known = "linked, synthetic" if option == "--dataset" else "p0001, p0002"
        assert f"known: {known}" in output
        assert files(project) == before

    def test_an_absolute_path_names_none(self, project):
        before = files(project)
        for path in (project / "data/03_primary/synthetic", project, project.parent / "outside"):
            assert invoke("purge", "--dataset", str(path), "--yes")[0] == 1
        assert files(project) == before

    @pytest.mark.parametrize("more", [[], ["--raw"], ["--older-than", "0"]])
    def test_a_data_set_whose_folder_is_a_link_is_only_named(self, project, more):
        before = files(project)
        code, output = invoke("purge", "--dataset", "linked", "--yes", *more)
        assert code == 0
        assert "to be removed: nothing" in output
        assert f"{project.parent / 'outside'}: data/03_primary/linked, a link" in output
        assert files(project) == before

    @pytest.mark.parametrize("what", [["--dataset", "synthetic"], ["--person", "p0001"]])
    def test_without_a_terminal_it_refuses(self, project, what):
        before = files(project)
        code, output = invoke("purge", *what, "--raw", input="y\n")
        assert code == 1
        assert "data/03_primary/synthetic" in output
        assert "nothing was removed: there is no terminal to ask at. Give --yes" in output
        assert files(project) == before

    @pytest.mark.parametrize("answer", ["n\n", "\n", ""])
    def test_it_shows_what_goes_and_asks(self, project, at_a_terminal, answer):
        before = files(project)
        code, output = invoke("purge", "--dataset", "synthetic", input=answer)
        assert code == 1
        assert "to be removed: data/02_intermediate/synthetic data/08_reporting/" in output
        assert "left to you: data/01_raw/synthetic: raw frames" in output
        assert "Remove it? [y/N]" in output
        assert files(project) == before

    @pytest.mark.parametrize(("more", "answer"), [([], "y\n"), (["--yes"], "")])
    def test_raw_frames_stay_unless_a_second_option_names_them(
        self, project, at_a_terminal, more, answer
    ):
        before = files(project)
        code, output = invoke("purge", "--dataset", "synthetic", *more, input=answer)
        assert code == 0, output
        assert "removed" in output
        left = files(project)
        assert raw(left) == raw(before)
        assert not [path for path in left if "/synthetic/" in path and "01_raw" not in path]
        assert invoke("purge", "--dataset", "synthetic", "--raw", *more, input=answer)[0] == 0
        assert not raw(files(project))

    @pytest.mark.parametrize("more", [[], ["--dataset", "synthetic"]])
    def test_a_person(self, project, more):
        code, output = invoke("purge", "--person", "p0001", "--yes", *more)
        assert code == 0, output
        assert "frames in data/01_raw/synthetic/a/p0001: raw (--raw removes them)" in output
        assert "The next run makes what is missing again" in output
        assert b"p0001" not in b"".join(files(project).values())
        assert len(raw(files(project))) == 4

    def test_a_person_with_raw_frames(self, project):
        code, output = invoke("purge", "--person", "p0001", "--yes", "--raw")
        assert code == 0, output
        assert {path.split("/")[-2] for path in raw(files(project))} == {"p0002"}

    @pytest.mark.parametrize("more", [[], ["--yes"], ["--raw"], ["--older-than", "0"]])
    def test_a_dry_run_removes_nothing_and_takes_no_lock(self, project, more):
        before = files(project)
        code, output = invoke("purge", "--dataset", "synthetic", "--dry-run", *more)
        assert code == 0
        assert "would be removed: data/" in output
        assert "backups" in output
        assert files(project) == before
        assert not (project / "data/.locks").exists()

    def test_what_is_old(self, project):
        before = files(project)
        words = ("purge", "--dataset", "synthetic", "--yes", "--older-than")
        code, output = invoke(*words, "1")
        assert (code, files(project)) == (0, before)
        assert "to be removed: nothing" in output
        assert invoke(*words, "0")[0] == 0
        assert raw(files(project)) == raw(before)
        assert not [path for path in files(project) if "03_primary" in path]

    @pytest.mark.parametrize(
        "words",
        [
            [],
            ["--yes"],
            ["--raw"],
            ["--older-than", "3"],
            ["--older-than", "3", "--person", "p0001"],
            ["--older-than", "3", "--person", "p0001", "--dataset", "synthetic"],
            ["--older-than", "-1", "--dataset", "synthetic"],
            ["--older-than", "soon", "--dataset", "synthetic"],
            ["--dataset"],
        ],
    )
    def test_options_that_say_too_little_or_contradict_themselves(self, project, words):
        before = files(project)
        assert invoke("purge", *words)[0] == 2
        assert files(project) == before

    def test_it_refuses_while_a_run_is_at_the_data_set(self, project):
        before = files(project)
        lock = project / "data/.locks/synthetic/trial_01.lock"
        lock.parent.mkdir(parents=True)
        code = (
            "import sys, pathlib; from wherewhen.locks import held\n"
            "with held(pathlib.Path(sys.argv[1]), sys.exit):\n print(flush=True); input()"
        )
        command = [sys.executable, "-c", code, str(lock)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as process:
            process.stdout.readline()
            found = invoke("purge", "--dataset", "synthetic", "--yes", "--raw")
            process.kill()
        assert found[0] == 1
        assert f"process {process.pid} on " in found[1]
        assert "is at synthetic: wait for it, or end it" in found[1]
        assert files(project) == before
        with held(lock, sys.exit):  # in this process, too
            assert invoke("purge", "--dataset", "synthetic", "--yes")[0] == 1
        assert invoke("purge", "--dataset", "synthetic", "--yes")[0] == 0

    def test_where_nothing_was_made(self, project):
        shutil.rmtree(project / "data")
        for what in (["--dataset", "synthetic"], ["--person", "p0001"]):
            code, output = invoke("purge", *what, "--yes")
            assert code == 1
            assert "known: none" in output
        assert not (project / "data").exists()
