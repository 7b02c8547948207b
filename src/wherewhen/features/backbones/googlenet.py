"""GoogLeNet up to inception 5b.

Its published weights were trained on values scaled to -1..1.  torchvision takes images normalised
with ImageNet's mean and deviation and undoes that inside (``transform_input``); here the
preprocessing scales to -1..1 at once, which is the same.  A network trained without
``transform_input`` says what it was trained on in `wherewhen.features.weights.WeightsInput`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from wherewhen.features.backbones.backbone import Preprocessing
from wherewhen.features.backbones.record import Architecture, BackboneKind
from wherewhen.features.backbones.torchvision_networks import of_torchvision

if TYPE_CHECKING:
    from torch import nn

STAGES = ("maxpool1", "maxpool2", "maxpool3", "maxpool4", "inception5b")


def _build() -> nn.Module:
    from torch import nn
    from torchvision.models import googlenet

    whole = googlenet(weights=None, aux_logits=False, init_weights=False, num_classes=1)
    parts = OrderedDict(whole.named_children())  # in the order in which they run
    return nn.Sequential(
        OrderedDict((k, v) for k, v in parts.items() if k not in {"avgpool", "dropout", "fc"})
    )


def _architecture(name: str) -> Architecture:
    return of_torchvision(name, Preprocessing(), ("fc.", "aux1.", "aux2."), _build, STAGES)


KINDS = (
    BackboneKind(
        "googlenet", "up to the last inception block (5b), 7 x 7 x 1024: the paper's", _architecture
    ),
)
