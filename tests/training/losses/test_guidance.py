import math

import pytest
import torch

from wherewhen.training.guidance import Shown
from wherewhen.training.losses.guidance import attention_guidance, frame_guidance


@pytest.fixture
def shown():
    """Two clips of two frames on a 1 x 2 grid; the second clip's last frame shows nobody."""
    person = torch.tensor([[[[1.0, 0.0]], [[0.5, 0.5]]], [[[0.0, 0.5]], [[0.0, 0.0]]]])
    return Shown(person, torch.tensor([[1.0, 0.5], [0.8, 0.0]]))


MASK = torch.ones(2, 2).bool()


def test_attention_is_judged_where_the_person_is(shown):
    attention = torch.tensor([[[[0.8, 0.2]], [[0.3, 0.7]]], [[[0.6, 0.4]], [[1.0, 0.0]]]])
    expected = -(math.log(0.8) + math.log(0.5) + math.log(0.2)) / 3
    assert attention_guidance(attention, shown, MASK).item() == pytest.approx(expected)
    mask = torch.tensor([[True, False], [True, True]])
    expected = -(math.log(0.8) + math.log(0.2)) / 2
    assert attention_guidance(attention, shown, mask).item() == pytest.approx(expected)


def test_frame_weights_are_to_follow_the_visible_share(shown):
    weights = torch.tensor([[0.7, 0.3], [0.9, 0.1]])
    expected = -(2 / 3 * math.log(0.7) + 1 / 3 * math.log(0.3) + math.log(0.9)) / 2
    assert frame_guidance(weights, shown, MASK).item() == pytest.approx(expected)


def test_nobody_shown_is_no_number_out_of_nothing():
    nobody = Shown(torch.zeros(1, 2, 1, 2), torch.zeros(1, 2))
    weights = torch.full((1, 2), 0.5, requires_grad=True)
    attention = torch.full((1, 2, 1, 2), 0.5, requires_grad=True)
    mask = torch.ones(1, 2).bool()
    loss = frame_guidance(weights, nobody, mask) + attention_guidance(attention, nobody, mask)
    loss.backward()
    assert loss.item() == 0
    assert weights.grad.abs().sum() == attention.grad.abs().sum() == 0


def test_guided_attention_and_weights_go_where_the_person_is(shown):
    generator = torch.Generator().manual_seed(0)
    where = torch.randn(2, 2, 2, generator=generator).requires_grad_()
    when = torch.randn(2, 2, generator=generator).requires_grad_()
    optimiser = torch.optim.Adam([where, when], lr=0.1)
    for _ in range(300):
        attention, weights = where.softmax(2).unflatten(2, (1, 2)), when.softmax(1)
        loss = attention_guidance(attention, shown, MASK) + frame_guidance(weights, shown, MASK)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert attention[0, 0, 0, 0] > 0.95
    assert attention[1, 0, 0, 1] > 0.95
    assert weights[0, 0].item() == pytest.approx(2 / 3, abs=0.02)
