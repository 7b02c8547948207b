"""Any network of timm, up to the features that its pooling sees."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from wherewhen.features.backbones.backbone import HALF, INPUT_SIZE, Preprocessing
from wherewhen.features.backbones.downloads import no_download, require_host
from wherewhen.features.backbones.record import Architecture, BackboneKind
from wherewhen.features.checkpoint_files import WeightsError
from wherewhen.features.weights import ways_out

if TYPE_CHECKING:
    from torch import Tensor, nn


def _architecture(name: str) -> Architecture:
    import timm

    model = name.removeprefix("timm:")
    if not timm.is_model(model):
        # the tag after the dot names weights, e.g. resnet18.a1_in1k
        near = difflib.get_close_matches(model.split(".")[0], timm.list_models(), n=5)
        raise ValueError(
            f"backbone `{name}`: timm {timm.__version__} has no model `{model}`"
            + (f"; close: {', '.join(near)}" if near else "; see timm.list_models()")
        )
    config = timm.get_pretrained_cfg(model)
    config = config.to_dict() if config is not None else {}
    size = config.get("input_size", (3, INPUT_SIZE, INPUT_SIZE))[-1]
    classifier = config.get("classifier") or ()
    return Architecture(
        library=f"timm {timm.__version__.split('+')[0]}",
        preprocessing=Preprocessing(
            size=size if config.get("fixed_input_size") else INPUT_SIZE,
            mean=tuple(config.get("mean", HALF)),
            std=tuple(config.get("std", HALF)),
            interpolation="bilinear" if config.get("interpolation") == "bilinear" else "bicubic",
        ),
        heads=tuple(f"{h}." for h in ([classifier] if isinstance(classifier, str) else classifier)),
        # it initialises itself, under the seed
        build=lambda: timm.create_model(model, pretrained=False, num_classes=0),
        download=lambda: _download(name, model, config),
        wrap=_with_grid,
    )


def _download(name: str, model: str, config: dict[str, Any]) -> dict[str, Tensor]:
    import timm

    repository = config.get("hf_hub_id")
    if not repository and not config.get("url"):
        raise WeightsError(f"timm publishes no weights for `{model}`.\n{ways_out(name)}")
    overlay = None
    if repository:
        from huggingface_hub import constants, try_to_load_from_cache

        files = ("model.safetensors", "pytorch_model.bin")
        cached = [try_to_load_from_cache(repository, file) for file in files]
        found = [path for path in cached if isinstance(path, str)]
        if found:  # without asking the hub, which offline would be asked for a minute
            overlay = {"file": found[0]}
        else:
            where = f"they would be kept under {constants.HF_HUB_CACHE}"
            require_host(f"{constants.ENDPOINT}/{repository}", name, where)
    try:
        pretrained = timm.create_model(
            model, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay
        )
    except Exception as error:  # network, disk, hash: the ways out are the same
        raise no_download(name, repository or config["url"], error) from error
    return pretrained.state_dict()


def _with_grid(module: nn.Module) -> nn.Module:
    """Wrap a timm network so that its forward pass ends in a [N, D, H, W] grid."""
    import torch
    from torch import nn

    class Grid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = module

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            features = self.network.forward_features(images)
            if features.ndim == 4 and features.shape[1] == self.network.num_features:
                return features
            # tokens, or channels last: timm knows how to lay them out as a grid
            (features,) = self.network.forward_intermediates(
                images, indices=1, norm=True, output_fmt="NCHW", intermediates_only=True
            )
            return features

    return Grid()


KINDS = (
    BackboneKind(
        "timm:", "a network of timm, up to the features that its pooling sees", _architecture
    ),
)
