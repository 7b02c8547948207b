"""The body model."""

import sys

import pytest

from wherewhen.synthetic import bodies


def test_a_missing_renderer_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "anny", None)
    with pytest.raises(ImportError, match=r"anny.*wherewhen\[synthetic\].*ingest\.root"):
        bodies._load_body_model.__wrapped__()
