import math

import pytest
import torch

from wherewhen.model.similarity import ScaledCosine, WeightedProduct


def test_eq_8_by_hand():
    similarity = WeightedProduct(2, normalised=False)
    assert similarity.weight.tolist() == [0.5, 0.5]
    with torch.no_grad():
        similarity.weight.copy_(torch.tensor([1.0, -2.0]))
        similarity.offset.fill_(0.25)
    left, right = torch.tensor([[3.0, 1.0]]), torch.tensor([[2.0, 4.0]])
    assert similarity(left, right).item() == 3 * 2 - 2 * 1 * 4 + 0.25


def test_scaled_cosine_by_hand():
    left, right = torch.tensor([[3.0, 0.0]]), torch.tensor([[2.0, 2.0]])
    expected = math.exp(2.3) * math.cos(math.pi / 4) - 5
    assert ScaledCosine()(left, right).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("similarity", [ScaledCosine(), WeightedProduct(6, normalised=True)])
def test_pairwise_equals_pair_by_pair(similarity):
    left, right = torch.randn(3, 6), torch.randn(4, 6)
    pairwise = similarity.pairwise(left, right)
    for row in range(3):
        alone = similarity(left[row].expand(4, 6), right)
        torch.testing.assert_close(pairwise[row], alone)


@pytest.mark.parametrize("similarity", [ScaledCosine(), WeightedProduct(3, normalised=True)])
def test_gradcheck(passes_gradcheck, similarity):
    assert passes_gradcheck(similarity, torch.randn(2, 3), torch.randn(2, 3))
