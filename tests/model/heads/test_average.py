import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network

PLAIN = {"head": "average", "standardise": "none", "projection": None, "normalise": False}


@pytest.mark.parametrize(
    ("location", "axes"), [("mean", (0, 1, 2)), ("rows", (0, 2)), ("cells", (0,))]
)
def test_it_is_the_mean_of_the_valid_frames(location, axes):
    network = build_network(NetworkConfig(**PLAIN, location=location), channels=4, grid=3)
    cubes = torch.randn(1, 5, 3, 3, 4)
    mask = torch.tensor([[True, False, True, True, False]])
    kept = cubes[0][mask[0]]
    expected = kept.mean(axes)  # [C], [H, C] or [H, W, C]; embeddings have the channels first
    expected = expected.movedim(-1, 0).flatten()
    torch.testing.assert_close(network.encode(cubes, mask).embedding[0], expected)


def test_projection_and_similarity_alone_are_learned():
    network = build_network(NetworkConfig(head="average", projection=4), channels=8, grid=3)
    assert [name for name, _ in network.named_parameters()] == [
        "input.weight",
        "similarity.log_scale",
        "similarity.offset",
    ]
    assert network.multiplications == 0
