"""Networks that are cut into parts."""

import pytest
import torch
from torch import nn

from wherewhen.features.backbones.splitting import SplitError, split


class Residual(nn.Module):
    """A block around which its input is led."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(images)) + images)


@pytest.fixture
def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), Residual(4), Residual(4), nn.AvgPool2d(2)).eval()


def test_parts_one_after_another_compute_what_the_network_does(network):
    images = torch.rand(2, 3, 12, 8)
    features = images
    for part in split(network, ["0", "1"]):
        features = part(features)
    assert torch.equal(features, network(images))


def test_a_part_has_the_weights_of_its_layers_by_their_names(network):
    first, second = split(network, ["1"])
    assert {name.partition(".")[0] for name in first.state_dict()} == {"0", "1"}
    assert {name.partition(".")[0] for name in second.state_dict()} == {"2"}
    assert second.get_parameter("2.conv.weight") is network[2].conv.weight


def test_without_a_cut_there_is_one_part(network):
    (part,) = split(network, [])
    images = torch.rand(1, 3, 8, 8)
    assert torch.equal(part(images), network(images))


def test_a_cut_within_a_residual_block_is_refused(network):
    with pytest.raises(SplitError, match="also needs what is before it"):
        split(network, ["1.conv"])


def test_a_module_that_is_not_there_is_named(network):
    with pytest.raises(SplitError, match="no module layer9"):
        split(network, ["layer9"])


def test_control_flow_by_the_image_is_refused():
    class Branching(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images if images.sum() > 0 else -images

    with pytest.raises(SplitError, match="can't be traced"):
        split(Branching(), [])
