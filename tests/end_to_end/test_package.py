"""The packaged project runs from a folder in which nothing lies."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser

import pytest


@pytest.fixture(scope="module")
def package(repository, new_project, tmp_path_factory):
    """Return the folder with the wheel's contents, and the archive of the configuration."""
    project = new_project(tmp_path_factory.mktemp("package"))
    for file in ("README.md", "LICENSE"):
        shutil.copy(repository / file, project.root)
    pretrained = project.root / "src/wherewhen/pretrained/files"
    pretrained.mkdir(exist_ok=True)
    (pretrained / "stand_in.safetensors").touch()
    project.output_of(project.kedro("package"))
    (wheel,) = (project.root / "dist").glob("wherewhen-*.whl")
    (configuration,) = (project.root / "dist").glob("conf-wherewhen.tar.gz")
    contents = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(contents)
    return contents, configuration


@pytest.fixture
def wherewhen(package, tmp_path, monkeypatch):
    """Return a function that runs the package's command in an empty folder."""
    contents, _ = package
    monkeypatch.setenv("PYTHONPATH", str(contents))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def call(*words, start=("-m", "wherewhen")):
        process = subprocess.run(
            [sys.executable, *start, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=500,
        )
        output = process.stdout + process.stderr
        assert "Traceback" not in output, output
        return process.returncode, " ".join(output.split())

    return call


def test_the_script_is_the_module_and_says_which_commands_there_are(package, wherewhen):
    (entries,) = package[0].glob("wherewhen-*.dist-info/entry_points.txt")
    parser = ConfigParser()
    parser.read(entries)
    module, function = parser["console_scripts"]["wherewhen"].split(":")
    start = ("-c", f"from {module} import {function}; {function}()")
    code, output = wherewhen("--help", start=start)
    assert code == 0
    for name in ("run", "lineage", "purge", "new-dataset", "experiment"):
        assert name in output
    assert wherewhen("--help") == (code, output)


def test_runs_and_takes_over_what_a_checkout_has_made(package, wherewhen, finished, tmp_path, tiny):
    """The same code, settings and inputs are the same identity, wherever they lie."""
    shutil.copytree(finished.root / "data", tmp_path / "data")
    given = ",".join(f"{name}={value}" for name, value in tiny.items())
    words = ("run", "--conf-source", str(package[1]), "--params", given)
    code, output = wherewhen(*words, "--pipelines", "report", "--anew")
    assert code == 0, output
    assert "7 of 7 nodes ran" in output
    assert (tmp_path / "mlflow.db").is_file()
    shutil.unpack_archive(package[1], tmp_path, filter="data")
    code, output = wherewhen("lineage", "scores", "--params", given)
    assert code == 0, output
    assert "trial_01.network" in output
    assert "not a git checkout" not in output, "the checkout has made them"


def test_the_wheel_holds_files_that_are_no_code(package):
    assert (package[0] / "wherewhen/pretrained/files/stand_in.safetensors").is_file()
    assert (package[0] / "wherewhen/presets/paper.yml").is_file()


def test_says_where_the_configuration_is_missing(wherewhen):
    code, output = wherewhen("run")
    assert code != 0
    assert "conf" in output
    assert "--conf-source" in output


def test_the_archive_has_no_private_configuration(package):
    with tarfile.open(package[1]) as archive:
        names = archive.getnames()
    assert "conf/base/catalog_train.yml" in names
    assert not [name for name in names if name.startswith("conf/local/") and name.endswith(".yml")]
