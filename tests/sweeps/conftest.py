"""The small project of the tests of experiments."""

import importlib.util
from pathlib import Path

_path = Path(__file__).parents[1] / "experiments/conftest.py"
_spec = importlib.util.spec_from_file_location("small_project", _path)
_small = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_small)
project = _small.project
