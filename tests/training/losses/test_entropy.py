import pytest
import torch

from wherewhen.model.attention import entropy_share
from wherewhen.training.losses.entropy import entropy_gap


def test_entropy_gap_by_hand():
    attention = torch.zeros(2, 2, 2, 2, requires_grad=True)
    with torch.no_grad():
        attention[0] = 0.25  # uniform: entropy 1
        attention[1, :, 0, 0] = 1.0  # one location: entropy 0
        attention[1, 0, 0] = 0.5  # two locations of four: entropy 1/2
    mask = torch.tensor([[True, True], [True, True]])
    gap = entropy_gap(attention, mask, 0.75)
    assert gap.item() == pytest.approx((0.25**2 + (0.25 - 0.75) ** 2) / 2)
    gap.backward()
    assert torch.isfinite(attention.grad).all()
    mask[1, 1] = False
    assert entropy_gap(attention, mask, 0.75).item() == pytest.approx((0.25**2 + 0.25**2) / 2)
    assert entropy_gap(torch.ones(2, 2, 1, 1), mask, 1.0).item() == 0


def test_entropy_is_brought_to_its_target():
    scores = torch.randn(3, 4, 9, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = torch.ones(3, 4, dtype=torch.bool)
    optimiser = torch.optim.Adam([scores], lr=0.1)
    for _ in range(200):
        attention = scores.softmax(2).unflatten(2, (3, 3))
        optimiser.zero_grad()
        entropy_gap(attention, mask, 0.4).backward()
        optimiser.step()
    assert entropy_share(attention.detach(), mask).item() == pytest.approx(0.4, abs=0.02)
