import pytest
import torch

from wherewhen.model.ablations import with_averaged_frames, with_muted_attention
from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network

CONFIG = NetworkConfig(projection=3, channels=[4], standardise="none")


@pytest.fixture
def network():
    network = build_network(CONFIG, 4, 3)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # as built, attention and weights are even
        for weights in network.parameters():
            weights += torch.randn(weights.shape, generator=generator)
    return network.eval()


@pytest.mark.parametrize(
    ("without", "change"),
    [
        (with_averaged_frames, {"temporal_pooling": "average"}),
        (with_muted_attention, {"attention": "muted"}),
    ],
)
def test_it_is_the_network_that_is_built_without_the_part(network, without, change):
    cubes = torch.randn(2, 5, 3, 3, 4, generator=torch.Generator().manual_seed(1))
    before = network.encode(cubes)
    changed = without(network)
    expected = build_network(CONFIG.model_copy(update=change), 4, 3).eval()
    expected.load_state_dict(network.state_dict(), strict=False)
    assert changed.config == expected.config
    for found, wanted in zip(changed.encode(cubes), expected.encode(cubes), strict=True):
        torch.testing.assert_close(found, wanted)
    assert not torch.equal(changed.encode(cubes).embedding, before.embedding)
    assert torch.equal(network.encode(cubes).embedding, before.embedding)
