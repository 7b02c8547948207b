"""Nodes of `extract`."""

from typing import Any

import pandas as pd

from wherewhen.features.extraction import CubeExtraction
from wherewhen.pipelines.parameters import ExtractParameters
from wherewhen.pipelines.types import Root
from wherewhen.project import from_root
from wherewhen.tracklets.fingerprint import fingerprint


def plan_extraction(
    root: Root, tracklets: pd.DataFrame, frames: pd.DataFrame, parameters: ExtractParameters
) -> tuple[CubeExtraction, dict[str, Any]]:
    """Build the backbone; the cubes are made while the plan is saved."""
    from wherewhen.features.backbones import build_backbone

    weights = parameters.weights
    if weights.path is not None:
        weights = weights.model_copy(update={"path": from_root(weights.path)})
    backbone = build_backbone(parameters.backbone, weights, precision=parameters.precision)
    extraction = CubeExtraction(
        backbone, from_root(root), tracklets, frames, batch_size=parameters.batch_size
    )
    identity = extraction.identity
    return extraction, {
        "key": fingerprint(identity),
        "weights_sha256": identity["backbone"]["weights"]["sha256"],
        **identity,
    }
