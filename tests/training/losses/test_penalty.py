import math

import pytest
import torch

from wherewhen.training.losses.penalty import attention_penalty


def uniform(frames, grid=(7, 7), clips=2):
    return torch.full((clips, frames, *grid), 1 / math.prod(grid), dtype=torch.float64)


def test_the_papers_penalty_of_uniform_attention_is_1716():
    """Decision 16: with T = 20 and 49 locations it cannot be less."""
    mask = torch.ones(2, 20, dtype=torch.bool)
    penalty = attention_penalty(uniform(20), mask, reachable=False)
    assert penalty.item() == pytest.approx(49 * (1 - 20 / 49) ** 2)
    assert round(penalty.item(), 2) == 17.16


@pytest.mark.parametrize("grid", [(7, 7), (16, 8)])
def test_the_reachable_penalty_is_0_for_uniform_attention_whatever_is_padded(grid):
    mask = torch.arange(20) < torch.tensor([20, 3])[:, None]
    assert attention_penalty(uniform(20, grid), mask, reachable=True).item() == pytest.approx(0)


def test_penalty_by_hand():
    peak = torch.zeros(1, 2, 2, 2)
    peak[:, :, 0, 0] = 1.0
    mask = torch.ones(1, 2, dtype=torch.bool)
    # one location gets 2, three get 0; the target is 2 / 4
    assert attention_penalty(peak, mask, reachable=True).item() == (1.5**2 + 3 * 0.5**2) / 4
    assert attention_penalty(peak, mask, reachable=False).item() == 1 + 3
    mask[0, 1] = False
    assert attention_penalty(peak, mask, reachable=True).item() == (0.75**2 + 3 * 0.25**2) / 4


def test_the_gradient_is_the_same_for_every_target_but_for_the_scale():
    logits = torch.randn(2, 5, 9, dtype=torch.float64, requires_grad=True)
    mask = torch.ones(2, 5, dtype=torch.bool)
    gradients = []
    for reachable in (True, False):
        attention = logits.softmax(2).view(2, 5, 3, 3)
        penalty = attention_penalty(attention, mask, reachable)
        gradients.append(torch.autograd.grad(penalty, logits)[0])
    torch.testing.assert_close(9 * gradients[0], gradients[1])


@pytest.mark.parametrize("reachable", [True, False])
def test_gradcheck(reachable):
    attention = torch.rand(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, True], [True, False, True]])
    assert torch.autograd.gradcheck(lambda x: attention_penalty(x, mask, reachable), attention)
