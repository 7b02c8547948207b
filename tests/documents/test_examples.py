"""The examples of the documents work as they stand there."""

import re

import pandas as pd
import pytest
import torch
from PIL import Image

from wherewhen.tracklets.readers import READERS, read
from wherewhen.training.config import TrainingConfig

RECORDS = {"READER", "TERM", "KINDS"}
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def modules(repository):
    """The example modules of the page about components, by the name of their record."""
    found = {}
    page = (repository / "docs/how-to/add-a-component.md").read_text(encoding="utf-8")
    for block in PYTHON.findall(page):
        names = {}
        exec(block, names)
        found |= {name: value for name, value in names.items() if name in RECORDS}
    return found


def test_the_reader_reads(modules, tmp_path, monkeypatch):
    monkeypatch.setitem(READERS, "flat", modules["READER"])
    for name in ("anna_hall_2", "anna_hall_10", "anna_door_1"):
        Image.new("RGB", (4, 8)).save(tmp_path / f"{name}.png")
    ingested = read("flat", tmp_path, progress=False)
    assert ingested.tracklets["tracklet"].tolist() == ["door/anna", "hall/anna"]
    assert ingested.frames["frame"].tolist() == [1, 2, 10]


def test_the_term_is_computed(modules):
    class Inputs:
        embeddings = torch.tensor([[1.0, 2.0], [3.0, 4.0]])

    compute = modules["TERM"].build(TrainingConfig(), 2, 1)
    assert compute(Inputs) == 7.5


def test_the_figure_is_drawn(modules):
    (kind,) = modules["KINDS"]
    assert kind.needs == ("scores",)
    figure = kind.draw(pd.DataFrame({"measure": ["mAP", "eer", "mAP"], "value": [0.5, 0.1, 0.7]}))
    assert [bar.get_height() for bar in figure.axes[0].patches] == pytest.approx([0.1, 0.6])
