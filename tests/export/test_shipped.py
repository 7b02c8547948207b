"""The network that ships with the package, exported with its backbone as the guide says."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from wherewhen import pretrained
from wherewhen.cli import cli

PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
FRAMES = (3, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the file, and with pictures of two tracklets."""
    folder = tmp_path_factory.mktemp("exported")
    words = ["export", "--model", "pretrained", "--to", str(folder)]
    result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert re.search(r"both\.onnx  \d\d,\d{3},\d{3} bytes", result.output)
    generator = np.random.default_rng(0)
    for name, frames in zip(("first", "second"), FRAMES, strict=True):
        (folder / name).mkdir()
        for number in range(frames):
            pixels = generator.integers(0, 256, (12, 6, 3), dtype=np.uint8)
            picture = Image.fromarray(pixels).resize((64, 128), Image.Resampling.BICUBIC)
            picture.save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def models():
    return pretrained.load_backbone(), pretrained.load_network()


def test_embeddings_are_those_of_pytorch(folder, models, opened):
    backbone, network = models
    size = backbone.preprocess.size
    session = opened(folder / "both.onnx")
    generator = np.random.default_rng(0)
    for clips, frames in ((1, 1), (2, 2), (3, 5), (1, 16)):
        images = generator.integers(0, 256, (clips, frames, *size, 3), dtype=np.uint8)
        mask = torch.arange(frames) < frames - torch.arange(clips)[:, None]
        cubes = backbone(images.reshape(-1, *images.shape[2:])).unflatten(0, (clips, frames))
        with torch.no_grad():
            expected = network.encode(cubes, mask)
        given = {"images": images.transpose(0, 1, 4, 2, 3), "mask": mask.numpy()}
        for values, those in zip(session.run(None, given), expected, strict=True):
            assert values == pytest.approx(those.numpy(), abs=1e-4)


def test_the_file_says_what_it_was_made_of(folder, models, opened):
    _, network = models
    card = pretrained.load_card()
    facts = opened(folder / "both.onnx").get_modelmeta().custom_metadata_map
    assert facts["network_file_sha256"] == card.files["network.safetensors"]
    assert facts["backbone"] == card.cubes["backbone"]["name"]
    assert facts["backbone_sha256"] == card.cubes["backbone"]["weights"]["sha256"]
    assert (facts["size"], facts["grid"]) == ("224", "7")  # one number for a square
    assert facts["embedding_size"] == str(network.embedding_size)


def test_the_example_of_the_guide_compares_tracklets(folder, models, monkeypatch, repository):
    page = (repository / "docs/how-to/export.md").read_text(encoding="utf-8")
    (example,) = PYTHON.findall(page)
    assert not {"torch", "wherewhen"} & set(re.findall(r"\w+", example))
    monkeypatch.chdir(folder)
    names = {}
    exec(example, names)
    backbone, network = models
    embeddings = []
    for name in ("first", "second"):
        pictures = [Image.open(file) for file in sorted(Path(name).iterdir())]
        cubes = backbone(np.stack([np.asarray(picture) for picture in pictures]))
        with torch.no_grad():
            embeddings.append(network.encode(cubes[None]).embedding[0].numpy())
    expected = embeddings[0] @ embeddings[1]
    assert names["similarity"] == pytest.approx(expected, abs=0.01)  # Pillow's resize and torch's
