"""Nodes of `extract`."""

import logging
from typing import Any

import pandas as pd

from wherewhen.devices import usable_device
from wherewhen.execution.config import ExecutionConfig
from wherewhen.execution.engine import engine_of
from wherewhen.features.backbones.parts import ALL, NORMS
from wherewhen.features.extraction import CubeExtraction
from wherewhen.features.weights import WeightsSource
from wherewhen.pipelines.extract.parameters import ExtractParameters
from wherewhen.pipelines.types import Root
from wherewhen.project import from_root
from wherewhen.tracklets.fingerprint import fingerprint

log = logging.getLogger(__name__)


def plan_extraction(
    root: Root,
    tracklets: pd.DataFrame,
    frames: pd.DataFrame,
    parameters: ExtractParameters,
    backbone: str,
    device: str = "auto",
    execution: ExecutionConfig = ExecutionConfig(),  # noqa: B008
    splits: pd.DataFrame | None = None,
) -> tuple[CubeExtraction, dict[str, Any]]:
    """Build the frozen part of the backbone; the cubes are made while the plan is saved.

    With splits, only the cubes of tracklets that train in one of the trials are kept; none at all
    if `ExtractParameters.tracklets` says so, or if cubes are pixels, which the frames have.
    """
    from wherewhen.features.backbones import build_backbone

    weights = weights_from_root(parameters)
    recipe = {
        "name": parameters.backbone,
        "precision": parameters.precision,
        "compiled": parameters.compiled,
        "size": parameters.size,
        "device": usable_device(device),
        "trained": backbone,
    }
    pixels = backbone in (NORMS, ALL)
    _warn_of_slow_bfloat16(recipe["device"], parameters.precision)
    extraction = CubeExtraction(
        build_backbone(weights=weights, **recipe),
        from_root(root),
        tracklets,
        frames,
        batch_size=1 if pixels else parameters.batch_size,  # pixels are not computed together
        augmentation=parameters.augmentation,
        storage=parameters.storage,
        kept=set() if pixels else _kept(parameters, splits),
        readers=parameters.readers,
        budget_gib=parameters.budget_gib,
        recipe={**recipe, "weights": weights.model_dump(mode="json")},
        engine=engine_of(execution, recipe["device"]),
    )
    identity = extraction.identity
    return extraction, {
        "key": fingerprint(identity),
        "weights_sha256": identity["backbone"]["weights"]["sha256"],
        **identity,
    }


def weights_from_root(parameters: ExtractParameters) -> WeightsSource:
    """Take the path of the weights' file, if they have one, from the project's folder."""
    weights = parameters.weights
    if weights.path is None:
        return weights
    return weights.model_copy(update={"path": from_root(weights.path)})


def _kept(parameters: ExtractParameters, splits: pd.DataFrame | None) -> set[str] | None:
    if parameters.tracklets == "none":
        return set()
    return None if splits is None else set(splits[splits.role == "train"].tracklet)


def _warn_of_slow_bfloat16(device: str, precision: str) -> None:
    """Warn where bfloat16 is emulated: there it takes ten times as long as float32."""
    import torch

    from wherewhen.model.convolution import has_fast_bfloat16

    if precision == "bfloat16" and not has_fast_bfloat16(torch.device(device)):
        log.warning(
            "extract.precision: this %s has no instructions for bfloat16, which can make the "
            "extraction ten times slower; float32 is faster here",
            device,
        )
