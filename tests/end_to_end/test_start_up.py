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

WITNESS = """
import atexit, json, sys
sys.argv[0] = "kedro"
names = {names!r}
atexit.register(lambda: print("\\nimported:", json.dumps([n for n in names if n in sys.modules])))
from kedro.framework.cli.cli import main
main()
"""


@pytest.fixture
def imported(project):
    """Return a function that runs a Kedro command and says what it imported of the heavy ones."""
    names = [*MODELS, *TABLES, *(f"mlflow.{flavour}" for flavour in FLAVOURS)]

    def run(*words):
        command = [sys.executable, "-c", WITNESS.format(names=names), *words]
        output = project.output_of(command)
        (line,) = [line for line in output.splitlines() if line.startswith("imported: ")]
        return set(json.loads(line.removeprefix("imported: ")))

    return run


@pytest.mark.parametrize(
    "words",
    [
        ("info",),
        ("--help",),
        ("registry", "list"),
        ("run", "--help"),
        ("lineage", "--help"),
        ("experiment", "--help"),
        ("purge", "--help"),
        ("new-dataset", "--help"),
        ("publish", "--help"),
        ("mlflow", "--help"),
    ],
)
def test_what_only_prints_imports_nothing_heavy(imported, words):
    assert imported(*words) == set()


def test_what_looks_at_records_imports_no_models(imported, copied, tiny):
    given = ",".join(f"{name}={value}" for name, value in tiny.items())
    assert not imported("lineage", "scores", "--params", given) & {*MODELS, "mlflow"}


def test_rendering_people_imports_no_backbones_and_no_flavours(imported, project, finished, tiny):
    """The people are there: the stage looks, and makes the mosaic."""
    shutil.copytree(finished.root / "data/01_raw", project.root / "data/01_raw")
    given = ",".join(f"{name}={value}" for name, value in tiny.items())
    found = imported("run", "--pipelines", "synthesise", "--params", given)
    # anny is made of torch, warp casts its rays; Kedro imports the classes of the whole catalog
    assert found <= {"torch", "warp", "anny", "matplotlib", *TABLES}
