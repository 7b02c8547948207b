"""The examples in docstrings."""

import doctest
import importlib
import logging
from pathlib import Path

import pytest

import wherewhen

PACKAGE = Path(wherewhen.__file__).parent
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    logging.disable()  # Kedro's handler, if another test has set it up, prints to stdout
    try:
        found = doctest.testmod(module)
    finally:
        logging.disable(logging.NOTSET)
    assert found.attempted and not found.failed
