"""Records of stages, and a stage that is added by its own files alone."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from wherewhen import pipelines
from wherewhen.pipelines.parameters import Parameters, check_parameters
from wherewhen.pipelines.stages import stages

PACKAGE = "src/wherewhen/pipelines/count"
ADDED = {
    f"{PACKAGE}/__init__.py": """
from wherewhen.pipelines.stages import Stage

STAGE = Stage(
    "count",
    "wherewhen.pipelines.count.parameters:CountParameters",
    needs=("split",),
    arguments=lambda parameters, made: {"times": parameters.split.trials},
    by_name=True,
)
""",
    f"{PACKAGE}/parameters.py": '''
from wherewhen.pipelines.groups import Group


class CountParameters(Group):
    """What is counted."""

    word: str = "walk"
''',
    f"{PACKAGE}/nodes.py": """
from wherewhen.pipelines.count.parameters import CountParameters


def count(group: CountParameters) -> dict[str, int]:
    return {"letters": len(group.word)}
""",
    f"{PACKAGE}/pipeline.py": """
from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.count import nodes


def create_pipeline(times: int) -> Pipeline:
    assert times == 2
    return Pipeline([node(nodes.count, "params:count", "letters", name="count")])
""",
    "conf/base/parameters_count.yml": "count:\n  word: gait\n",
    "conf/base/catalog_count.yml": """
letters:
  type: json.JSONDataset
  filepath: data/08_reporting/${globals:dataset}/letters.json
  versioned: true
""",
}


def test_every_package_has_a_record_of_its_name_and_a_group_of_parameters():
    assert [stage.name for stage in stages().values()] == list(stages())
    of_all = ["device", "execution", "data", "preset", "presets"]
    assert list(Parameters.model_fields) == [*of_all, *stages()]
    for name, stage in stages().items():
        assert type(getattr(check_parameters({}), name)) is stage.model()
        assert stage.create.__self__ is stage


def test_a_stage_stands_behind_all_that_it_needs():
    order = list(stages())
    for stage in stages().values():
        assert all(order.index(name) < order.index(stage.name) for name in stage.needs)


def test_what_a_stage_needs_makes_its_inputs():
    parameters, made = check_parameters({"split": {"trials": 1}}), {}
    for name, stage in stages().items():
        pipeline = stage.create(parameters, [each for one in made.values() for each in one])
        makers = {maker for each in pipeline.inputs() for maker in made if each in made[maker]}
        assert makers <= ancestors(name)
        made[name] = pipeline.all_outputs()


def ancestors(name):
    needs = stages()[name].needs
    return {*needs, *(far for each in needs for far in ancestors(each))}


def test_a_package_without_a_record_is_a_fault(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "__init__.py").touch()
    monkeypatch.setattr(pipelines, "__path__", [*pipelines.__path__, str(tmp_path)])
    with pytest.raises(AttributeError, match=r"wherewhen\.pipelines\.empty.*STAGE"):
        stages.__wrapped__()


RUNS = """
from pathlib import Path
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

bootstrap_project(Path.cwd())
from wherewhen.cli import cli

for given in ("split.trials=2", "count.wort=x"):
    done = CliRunner().invoke(cli, ["run", "--pipelines", "count", "--params", given])
    print(f"exit code {done.exit_code}", done.output)
"""


def test_a_stage_is_added_by_its_folder_and_its_configuration(repository, database, tmp_path):
    shutil.copytree(repository / "src", tmp_path / "src")
    shutil.copytree(repository / "conf", tmp_path / "conf")
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(repository / name, tmp_path)
    shutil.copy(database, tmp_path / "mlflow.db")
    for name, text in ADDED.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    environment |= {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}"}
    done = subprocess.run(
        [sys.executable, "-c", RUNS],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    well, mistyped = done.stdout.split("exit code ")[1:]
    assert well.startswith("0"), well
    (found,) = tmp_path.glob("data/08_reporting/*/letters.json/*/letters.json")
    assert json.loads(found.read_text()) == {"letters": 4}
    assert not mistyped.startswith("0")
    assert "count.wort: no such parameter; did you mean word?" in mistyped
