"""Any network of timm, up to the features that its pooling sees."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from wherewhen.features.backbones.backbone import HALF, INPUT_SIZE, Preprocessing
from wherewhen.features.backbones.downloads import no_download, require_host
from wherewhen.features.backbones.record import Architecture, BackboneKind
from wherewhen.features.checkpoint_files import WeightsError
from wherewhen.features.weights import ways_out
from wherewhen.tracklets.sizes import Size, times

if TYPE_CHECKING:
    from torch import Tensor, nn


STRIDE_1 = ":stride1"
"""What follows the name of a ResNet whose last stage is to keep the grid of the one before."""


def _architecture(name: str, size: Size | None = None) -> Architecture:
    import timm

    model = name.removeprefix("timm:").removesuffix(STRIDE_1)
    if not timm.is_model(model):
        # the tag after the dot names weights, e.g. resnet18.a1_in1k
        near = difflib.get_close_matches(model.split(".")[0], timm.list_models(), n=5)
        raise ValueError(
            f"backbone `{name}`: timm {timm.__version__} has no model `{model}`"
            + (f"; close: {', '.join(near)}" if near else "; see timm.list_models()")
        )
    config = timm.get_pretrained_cfg(model)
    config = config.to_dict() if config is not None else {}
    fixed = bool(config.get("fixed_input_size"))
    own_size = tuple(config.get("input_size", (3, *INPUT_SIZE))[1:]) if fixed else INPUT_SIZE
    options = {} if size is None else {"img_size": size}
    classifier = config.get("classifier") or ()
    return Architecture(
        library=f"timm {timm.__version__.split('+')[0]}",
        preprocessing=Preprocessing(
            size=size or own_size,
            mean=tuple(config.get("mean", HALF)),
            std=tuple(config.get("std", HALF)),
            interpolation="bilinear" if config.get("interpolation") == "bilinear" else "bicubic",
        ),
        heads=tuple(f"{h}." for h in ([classifier] if isinstance(classifier, str) else classifier)),
        # it initialises itself, under the seed
        build=lambda: _build(name, model, options),
        download=lambda: _download(name, model, config, options),
        wrap=_with_grid,
        built_for=partial(_architecture, name) if fixed else None,
        resample=_resample if options else None,
        stages=_stages,
    )


def _stages(module: nn.Module) -> list[str]:
    """Name what timm takes features from: the last module of each resolution, or of each block."""
    info = module.network.feature_info
    return [f"network.{each['module']}" for each in getattr(info, "info", info)]


def _build(name: str, model: str, options: dict[str, Any]) -> nn.Module:
    import timm

    try:
        network = timm.create_model(model, pretrained=False, num_classes=0, **options)
    except (TypeError, ValueError, AssertionError) as error:
        if not options:
            raise
        raise ValueError(
            f"backbone {name} can't be built for images of {times(options['img_size'])} "
            f"(extract.size): {error}. Choose another size, or null for its own"
        ) from error
    if name.endswith(STRIDE_1):
        _keep_last_grid(network, name)
    return network


def _keep_last_grid(network: nn.Module, name: str) -> None:
    """Let the last stage of a ResNet compute at every location, in place, with the same weights.

    Source: Sun et al., "Beyond Part Models", ECCV 2018, Section 3.1.  Nothing is dilated, which is
    what timm's ``output_stride=16`` does.
    """
    from torch import nn

    stage = getattr(network, "layer4", nn.Module())
    layers = [part for part in stage.modules() if not list(part.children())]
    strided = [layer for layer in layers if getattr(layer, "stride", 1) in (2, (2, 2))]
    if not strided or not all(isinstance(part, nn.Conv2d) for part in strided):
        raise ValueError(
            f"backbone `{name}`: `{STRIDE_1}` is for ResNets whose last stage halves the grid by "
            "convolutions, such as timm:resnet50; leave it out"
        )
    for convolution in strided:
        convolution.stride = (1, 1)


def _resample(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Interpolate position embeddings as timm does for the weights that it publishes."""
    fit = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    return state if fit is None else fit(state, network)


def _download(
    name: str, model: str, config: dict[str, Any], options: dict[str, Any]
) -> dict[str, Tensor]:
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
            model, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay, **options
        )
    except Exception as error:  # network, disk, hash: the ways out are the same
        raise no_download(name, repository or config["url"], error) from error
    return pretrained.state_dict()


def _with_grid(module: nn.Module) -> nn.Module:
    """Wrap a timm network so that its forward pass ends in a [N, D, H, W] grid."""
    import torch
    from torch import nn

    class Grid(nn.Module):
        """The network, without branches: so that its way can be traced."""

        def __init__(self, lay_out: Callable[[nn.Module, Tensor], Tensor]) -> None:
            super().__init__()
            self.network = module
            self.lay_out = lay_out

        def forward(self, images: Tensor) -> Tensor:
            return self.lay_out(self.network, images)

    with torch.no_grad():
        own = module.pretrained_cfg["input_size"][-2:]
        size = getattr(getattr(module, "patch_embed", None), "img_size", None) or own
        features = module.eval().forward_features(torch.zeros(1, 3, *size))
    if features.ndim == 4 and features.shape[1] == module.num_features:
        return Grid(lambda network, images: network.forward_features(images))
    tokens = getattr(getattr(module, "patch_embed", None), "grid_size", None)
    if features.ndim == 3 and tokens is not None and hasattr(module, "num_prefix_tokens"):
        return Grid(_tokens)
    return Grid(_intermediates)


def _tokens(network: nn.Module, images: Tensor) -> Tensor:
    """Lay the tokens of image patches out as a grid, without those of classes before them."""
    patches = network.forward_features(images)[:, network.num_prefix_tokens :]
    return patches.transpose(1, 2).unflatten(2, network.patch_embed.grid_size)


def _intermediates(network: nn.Module, images: Tensor) -> Tensor:
    """Let timm lay out the last features: channels last, or other tokens."""
    (features,) = network.forward_intermediates(
        images, indices=1, norm=True, output_fmt="NCHW", intermediates_only=True
    )
    return features


KINDS = (
    BackboneKind(
        "timm:", "a network of timm, up to the features that its pooling sees", _architecture
    ),
)
