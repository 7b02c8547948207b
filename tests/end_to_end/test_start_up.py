"""Start-up is paid by every command: what is not needed is not imported."""

import json
import shutil
import sys

import pytest

MODELS = ("torch", "torchvision", "timm", "warp", "anny", "sklearn", "matplotlib")
TABLES = ("mlflow", "numpy", "pandas", "scipy", "pyarrow")
FLAVOURS = (
    "keras",
    "langchain",
    "lightgbm",
    "onnx",
    "openai",
    "pytorch",
    "sklearn",
    "spark",
    "tensorflow",
    "transformers",
    "xgboost",
)

PRINTING = (
    "info",
    "--help",
    "registry list",
    "run --help",
    "lineage --help",
    "experiment --help",
    "purge --help",
    "new-dataset --help",
    "publish --help",
    "mlflow --help",
)

WITNESS = """
import json, sys
names, commands = {names!r}, {commands!r}
from kedro.framework.cli.cli import main
for command in commands:
    sys.argv = ["kedro", *command]
    try:
        main()
    except SystemExit as end:
        assert not end.code, command
    found = [name for name in names if name in sys.modules]
    print("\\nimported by", json.dumps([" ".join(command), found]))
"""


@pytest.fixture
def imported(project):
    """Return a function that runs Kedro commands in one process: what each imported of the heavy.

    What one has imported, those after it have, too.
    """
    names = [*MODELS, *TABLES, *(f"mlflow.{flavour}" for flavour in FLAVOURS)]

    def run(*commands):
        output = project.output_of(
            [sys.executable, "-c", WITNESS.format(names=names, commands=commands)]
        )
        start = "imported by "
        lines = [line for line in output.splitlines() if line.startswith(start)]
        assert len(lines) == len(commands), output
        return {
            command: set(found)
            for command, found in (json.loads(line.removeprefix(start)) for line in lines)
        }

    return run


def test_what_only_prints_imports_nothing_heavy(imported):
    found = imported(*(words.split() for words in PRINTING))
    assert found == {words: set() for words in PRINTING}


def test_what_looks_at_records_imports_no_models(imported, copied, tiny):
    given = ",".join(f"{name}={value}" for name, value in tiny.items())
    (found,) = imported(["lineage", "scores", "--params", given]).values()
    assert not found & {*MODELS, "mlflow"}


def test_rendering_people_imports_no_backbones_and_no_flavours(imported, project, finished, tiny):
    """The people are there: the stage looks, and makes the mosaic."""
    shutil.copytree(finished.root / "data/01_raw", project.root / "data/01_raw")
    given = ",".join(f"{name}={value}" for name, value in tiny.items())
    (found,) = imported(["run", "--pipelines", "synthesise", "--params", given]).values()
    # anny is made of torch, warp casts its rays; Kedro imports the classes of the whole catalog
    assert found <= {"torch", "warp", "anny", "matplotlib", *TABLES}
