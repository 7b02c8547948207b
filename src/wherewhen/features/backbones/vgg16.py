"""VGG16, up to its last pooling or to the vector that its last layer classifies (fc7)."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from wherewhen.features.backbones.backbone import Preprocessing
from wherewhen.features.backbones.record import Architecture, BackboneKind
from wherewhen.features.backbones.torchvision_networks import of_torchvision

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

STAGES = ("features.4", "features.9", "features.16", "features.23", "features.30")


def _build() -> nn.Module:
    from torch import nn
    from torchvision.models.vgg import cfgs, make_layers

    # the convolutions alone: the classifier would be 90 % of the parameters
    return nn.Sequential(OrderedDict(features=make_layers(cfgs["D"])))


def _build_fc7() -> nn.Module:
    from torch import nn
    from torch.nn.utils import skip_init
    from torchvision.models.vgg import cfgs, make_layers

    # initialised or loaded below: a start for 120 million weights would be drawn in vain
    fc6, fc7 = skip_init(nn.Linear, 512 * 7 * 7, 4096), skip_init(nn.Linear, 4096, 4096)
    parts = {
        "features": make_layers(cfgs["D"]),
        "avgpool": nn.AdaptiveAvgPool2d(7),
        "flatten": nn.Flatten(),
        "classifier": nn.Sequential(fc6, nn.ReLU(), nn.Dropout(), fc7, nn.ReLU()),
        "grid": nn.Unflatten(1, (4096, 1, 1)),
    }
    return nn.Sequential(OrderedDict(parts))


def _architecture(
    name: str, build: Callable[[], nn.Module], head: str, stages: Sequence[str]
) -> Architecture:
    return of_torchvision("vgg16", IMAGENET, (head,), build, stages)


KINDS = (
    BackboneKind(
        "vgg16",
        "up to and with the last pooling, 7 x 7 x 512",
        partial(_architecture, build=_build, head="classifier.", stages=STAGES),
    ),
    BackboneKind(
        "vgg16:fc7",
        "up to and with the second fully connected layer, rectified, 1 x 1 x 4096",
        partial(_architecture, build=_build_fc7, head="classifier.6.", stages=(*STAGES, "grid")),
    ),
)
