"""ONNX files of backbone and network, with metadata that say what they take."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from wherewhen.atomic import replacing
from wherewhen.export.graphs import CubesToEmbeddings, PixelsToCubes, PixelsToEmbeddings
from wherewhen.features.fitting import state_sha256
from wherewhen.model.siamese import Encoding, SiameseNetwork
from wherewhen.tracklets.sizes import as_recorded, times

if TYPE_CHECKING:
    from wherewhen.features.backbones import Backbone

LAYOUT = 1
"""Version of the files' inputs, outputs and metadata."""

OPSET = 20
"""Version of ONNX's operators."""

NO_FACTS: Mapping[str, str] = {}


class ExportError(ValueError):
    """Something that can't be exported, or a package that is missing for it."""


class _Input(NamedTuple):
    """An input of a file: an example, and the names of its first axes, which are dynamic."""

    example: Tensor
    axes: tuple[str, ...]


def export_backbone(backbone: Backbone, path: Path, facts: Mapping[str, str] = NO_FACTS) -> None:
    """Write a backbone: ``images`` to ``cubes``.

    ``images`` are uint8 [N, 3, height, width], red first, resized as `Preprocessing` resizes them;
    ``cubes`` are float32 [N, H, W, D]. Scaling by mean and deviation is a part of the file.

    Parameters
    ----------
    backbone
        In float32 and not compiled.
    path
        The file, written atomically.
    facts
        More metadata.

    Raises
    ------
    ExportError
        If a package is missing, or the backbone computes in bfloat16 or is compiled.

    See Also
    --------
    export_both : Together with a network.
    """
    inputs = {"images": _Input(_pixels(backbone, 2), ("images",))}
    facts = {"part": "backbone", **_backbone_facts(backbone), **facts}
    _write(PixelsToCubes(backbone), inputs, ("cubes",), facts, path)


def export_network(
    network: SiameseNetwork, path: Path, facts: Mapping[str, str] = NO_FACTS
) -> None:
    """Write a network: ``cubes`` and ``mask`` to the fields of `Encoding`.

    ``cubes`` are float32 [N, T, H, W, D] and ``mask`` is bool [N, T], True for valid frames. The
    outputs are ``embedding``, ``attention`` and ``frame_weights``, as `Encoding` describes them. A
    clip without a valid frame, which `encode` refuses, gives an embedding of NaN.

    Parameters
    ----------
    network
        Of any configuration; it is exported in float32 and evaluation mode.
    path
        The file, written atomically.
    facts
        More metadata, such as the backbone whose cubes the network takes.

    Raises
    ------
    ExportError
        If a package is missing.

    See Also
    --------
    export_both : Together with its backbone.
    """
    cubes = torch.zeros(2, 3, *network.grid, network.channels)
    inputs = {"cubes": _Input(cubes, ("clips", "frames")), "mask": _mask()}
    facts = {"part": "network", **_network_facts(network), **facts}
    _write(CubesToEmbeddings(network), inputs, Encoding._fields, facts, path)


def export_both(
    backbone: Backbone,
    network: SiameseNetwork,
    path: Path,
    facts: Mapping[str, str] = NO_FACTS,
) -> None:
    """Write backbone and network as one file: ``images`` and ``mask`` to the fields of `Encoding`.

    ``images`` are uint8 [N, T, 3, height, width], otherwise as of `export_backbone`; the rest is as
    of `export_network`. Cubes are not rounded to float16 on their way, as those of a store are.

    Parameters
    ----------
    backbone, network
        As of `export_backbone` and `export_network`.
    path
        The file, written atomically.
    facts
        More metadata.

    Raises
    ------
    ExportError
        As `export_backbone`; or if the network takes cubes of another form.
    """
    made, taken = ((each.grid, each.channels) for each in (backbone, network))
    if made != taken:
        raise ExportError(
            f"the network takes cubes of {times(taken[0])} x {taken[1]}, and {backbone.name} makes "
            f"{times(made[0])} x {made[1]}: choose the backbone that it was trained on"
        )
    images = _pixels(backbone, 6).unflatten(0, (2, 3))
    inputs = {"images": _Input(images, ("clips", "frames")), "mask": _mask()}
    facts = {"part": "both", **_network_facts(network), **_backbone_facts(backbone), **facts}
    _write(PixelsToEmbeddings(backbone, network), inputs, Encoding._fields, facts, path)


def _pixels(backbone: Backbone, count: int) -> Tensor:
    """Return example images, of a backbone that can be exported."""
    if backbone.precision != "float32" or backbone.compiled:
        raise ExportError(
            f"{backbone.name} computes in {backbone.precision}{', compiled' * backbone.compiled}: "
            "only a backbone in float32 that is not compiled can be exported, and its cubes would "
            "be others. Build it so (extract.precision, extract.compiled)"
        )
    return torch.zeros(count, 3, *backbone.preprocess.size, dtype=torch.uint8)


def _mask() -> _Input:
    return _Input(torch.ones(2, 3, dtype=torch.bool), ("clips", "frames"))


def _backbone_facts(backbone: Backbone) -> dict[str, str]:
    preprocess = backbone.preprocess
    return {
        "backbone": backbone.name,
        "backbone_sha256": backbone.record["weights"]["sha256"],
        "grid": str(as_recorded(backbone.grid)),
        "channels": str(backbone.channels),
        "size": str(as_recorded(preprocess.size)),
        "interpolation": preprocess.interpolation,
        "channel_order": "RGB",
        "range": "0..255",
        "input": (
            f"frames as uint8, red first, 0..255, resized to {times(preprocess.size)} without "
            f"keeping the aspect ratio ({preprocess.interpolation}, antialiased); mean and "
            "deviation are a part of the file"
        ),
    }


def _network_facts(network: SiameseNetwork) -> dict[str, str]:
    return {
        "network_sha256": state_sha256(network),
        "grid": str(as_recorded(network.grid)),
        "channels": str(network.channels),
        "embedding_size": str(network.embedding_size),
        "input": (
            f"cubes of the backbone, float32, {times(network.grid)} x {network.channels}, the "
            "height first; a mask that is true for valid frames, at least one a clip"
        ),
    }


def _write(
    graph: nn.Module,
    inputs: Mapping[str, _Input],
    outputs: Sequence[str],
    facts: Mapping[str, str],
    path: Path,
) -> None:
    """Export a module, check what came out, and write it."""
    try:
        import onnx
        import onnxscript  # noqa: F401
        from onnx_ir.passes.common import ClearMetadataAndDocStringPass
    except ImportError as error:
        raise ExportError(
            f"ONNX files need the package {error.name}, which is not installed: install the extra "
            "onnx (`uv pip install wherewhen[onnx]`, or `uv pip install onnx onnxscript`)"
        ) from error
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            graph.eval(),
            tuple(each.example for each in inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=_dynamic([each.axes for each in inputs.values()]),
            verbose=False,
        )
        program.optimize()  # once more: the first leaves constants that it has no more use for
    ClearMetadataAndDocStringPass()(program.model)  # traces of calls, with paths of this machine
    model = program.model_proto
    onnx.helper.set_model_props(model, {"layout": str(LAYOUT), **facts})
    onnx.checker.check_model(model, full_check=True)
    with replacing(path) as partial:
        partial.write_bytes(model.SerializeToString())


def _dynamic(inputs: Sequence[tuple[str, ...]]) -> tuple[dict[int, object], ...]:
    """Name the dynamic axes of the first input; those of others follow from these."""
    first, *others = inputs
    return (
        {axis: torch.export.Dim(name) for axis, name in enumerate(first)},
        *({axis: torch.export.Dim.DYNAMIC for axis in range(len(each))} for each in others),
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep back what the exporter says of its own affairs."""
    logger = logging.getLogger("onnxscript")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
