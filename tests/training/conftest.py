import importlib.util
import sys
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location(
    "wherewhen_toy_cubes", Path(__file__).parent / "toy.py"
)
_toy = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _toy
_spec.loader.exec_module(_toy)


@pytest.fixture
def toy():
    """The function that makes toy cubes and their table."""
    return _toy.toy


@pytest.fixture(autouse=True)
def _in_one_thread(one_thread):
    """Every test of this room."""
