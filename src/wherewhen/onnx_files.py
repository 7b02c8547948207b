"""ONNX files of the pretrained network or of a run's: ``kedro export`` (the Kedro side)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherewhen import pretrained
from wherewhen.project import from_root
from wherewhen.tracklets.fingerprint import file_sha256

if TYPE_CHECKING:
    from wherewhen.features.backbones import Backbone

PRETRAINED = "pretrained"
"""In place of a file: the network that ships with the package."""


def export_part(
    model: str, part: str, folder: Path, env: str | None, params: Mapping[str, Any]
) -> Path:
    """Write a part of a model as an ONNX file, which is returned.

    Parameters
    ----------
    model : str
        `PRETRAINED`, or the path of a network's file.
    part : {"backbone", "network", "both"}
        What to write.
    folder : Path
        Gets the file, named after the part.
    env, params
        Name the backbone of a network that is not the pretrained one.
    """
    from wherewhen.export import export_backbone, export_both, export_network

    path = folder / f"{part}.onnx"
    if part == "backbone":
        export_backbone(_backbone(model, env, params), path)
        return path
    from wherewhen.model.files import read_network

    file = pretrained.network_file() if model == PRETRAINED else from_root(model)
    network, facts = read_network(file), {"network_file_sha256": file_sha256(file)}
    if part == "both":
        export_both(_backbone(model, env, params), network, path, facts)
    else:
        export_network(network, path, facts | _named_backbone(model))
    return path


def _backbone(model: str, env: str | None, params: Mapping[str, Any]) -> Backbone:
    """Build the backbone whose cubes the model takes."""
    if model == PRETRAINED:
        return pretrained.load_backbone()
    from wherewhen.features.backbones import build_backbone
    from wherewhen.pipelines.extract.nodes import weights_from_root
    from wherewhen.sessions import View

    extract = View.of(env, params).parameters.extract
    weights = weights_from_root(extract)
    return build_backbone(extract.backbone, weights, precision=extract.precision, size=extract.size)


def _named_backbone(model: str) -> dict[str, str]:
    """Name the backbone of the pretrained network; a network's file does not say which it has."""
    if model != PRETRAINED:
        return {}
    record = pretrained.load_card().cubes["backbone"]
    return {"backbone": record["name"], "backbone_sha256": record["weights"]["sha256"]}
