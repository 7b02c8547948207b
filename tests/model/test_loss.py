import math

import pytest
import torch

from wherewhen.model.attention import entropy_share
from wherewhen.model.loss import (
    PairLoss,
    attention_penalty,
    batch_hard_triplet,
    entropy_gap,
    pair_cross_entropy,
)


def uniform(frames, grid=7, clips=2):
    return torch.full((clips, frames, grid, grid), 1 / grid**2, dtype=torch.float64)


def test_the_papers_penalty_of_uniform_attention_is_1716():
    """Row 16: with T = 20 and 49 locations it cannot be less."""
    mask = torch.ones(2, 20, dtype=torch.bool)
    penalty = attention_penalty(uniform(20), mask, reachable=False)
    assert penalty.item() == pytest.approx(49 * (1 - 20 / 49) ** 2)
    assert round(penalty.item(), 2) == 17.16


def test_the_reachable_penalty_is_0_for_uniform_attention_whatever_is_padded():
    mask = torch.arange(20) < torch.tensor([20, 3])[:, None]
    assert attention_penalty(uniform(20), mask, reachable=True).item() == pytest.approx(0)


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


def test_cross_entropy_by_hand():
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0])
    same = torch.tensor([True, False, False, False])
    losses = [math.log(2), *(math.log(1 + math.exp(x)) for x in (1.0, -1.0, 2.0))]
    plain = pair_cross_entropy(logits, same, balanced=False)
    assert plain.item() == pytest.approx(sum(losses) / 4)
    balanced = pair_cross_entropy(logits, same, balanced=True)
    assert balanced.item() == pytest.approx((losses[0] + sum(losses[1:]) / 3) / 2)


@pytest.mark.parametrize("kind", [True, False])
def test_pairs_of_one_kind_alone(kind):
    logits, same = torch.randn(3), torch.full((3,), kind)
    torch.testing.assert_close(
        pair_cross_entropy(logits, same, balanced=True),
        pair_cross_entropy(logits, same, balanced=False),
    )


def test_the_terms_add_up():
    attention = torch.rand(2, 3, 2, 2)
    mask = torch.ones(2, 3, dtype=torch.bool)
    terms = PairLoss(0.5)(torch.randn(2), torch.tensor([True, False]), attention, mask)
    torch.testing.assert_close(terms.loss, terms.cross_entropy + 0.5 * terms.penalty)


def test_the_hardest_negatives_by_hand():
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0, 3.0])
    same = torch.tensor([True, False, False, False, False])
    counted = torch.tensor([True, True, True, True, False])
    loss = {x: math.log(1 + math.exp(x)) for x in (0.0, 1.0, 2.0)}
    # of three negatives a half is two, rounded up: those with the logits 1 and 2
    balanced = pair_cross_entropy(logits, same, balanced=True, hardest=0.5, counted=counted)
    assert balanced.item() == pytest.approx((loss[0.0] + (loss[1.0] + loss[2.0]) / 2) / 2)
    plain = pair_cross_entropy(logits, same, balanced=False, hardest=0.5, counted=counted)
    assert plain.item() == pytest.approx((loss[0.0] + loss[1.0] + loss[2.0]) / 3)


def test_pairs_that_do_not_count_have_no_influence():
    logits, same = torch.randn(5), torch.tensor([True, False, True, False, False])
    counted = torch.tensor([True, True, True, False, True])
    for balanced in (True, False):
        torch.testing.assert_close(
            pair_cross_entropy(logits, same, balanced, counted=counted),
            pair_cross_entropy(logits[counted], same[counted], balanced),
        )


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


def test_batch_hard_triplets_by_hand():
    # on a line: a at 0 and 3, b at 4 and 9; c alone has no positive
    embeddings = torch.tensor([[0.0], [3.0], [4.0], [9.0], [20.0]], requires_grad=True)
    persons = torch.tensor([0, 0, 1, 1, 2])
    # farthest minus nearest: 3 - 4, 3 - 1, 5 - 1, 5 - 6
    margin = batch_hard_triplet(embeddings, persons, margin=1.5)
    assert margin.item() == pytest.approx((0.5 + 3.5 + 5.5 + 0.5) / 4)
    soft = batch_hard_triplet(embeddings, persons, margin=None)
    expected = [math.log(1 + math.exp(x)) for x in (-1, 2, 4, -1)]
    assert soft.item() == pytest.approx(sum(expected) / 4)
    soft.backward()
    assert torch.isfinite(embeddings.grad).all()
    assert batch_hard_triplet(embeddings, torch.arange(5), margin=1.0).item() == 0


@pytest.mark.parametrize("reachable", [True, False])
@pytest.mark.parametrize("balanced", [True, False])
def test_gradcheck_of_eq_9(passes_gradcheck, reachable, balanced):
    attention = torch.rand(2, 3, 2, 2)
    mask = torch.tensor([[True, True, True], [True, False, True]])
    same = torch.tensor([True, False, False])

    class TheLoss(PairLoss):
        def forward(self, logits, attention):
            return super().forward(logits, same, attention, mask).loss

    loss = TheLoss(0.3, reachable, balanced)
    assert passes_gradcheck(loss, torch.randn(3), attention)
