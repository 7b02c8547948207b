import math

import pytest
import torch

from wherewhen.training.losses.cross_entropy import pair_accuracy, pair_cross_entropy


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


@pytest.mark.parametrize("balanced", [True, False])
def test_gradcheck(balanced):
    logits = torch.randn(3, dtype=torch.float64, requires_grad=True)
    same = torch.tensor([True, False, False])
    assert torch.autograd.gradcheck(lambda x: pair_cross_entropy(x, same, balanced), logits)


def test_accuracy_by_hand():
    logits = torch.tensor([1.0, -1.0, 2.0, -3.0, -1.0, 5.0])
    same = torch.tensor([True, True, False, False, False, False])
    counted = torch.tensor([True, True, True, True, True, False])
    # one of two positive pairs, two of three negative ones
    assert pair_accuracy(logits, same, counted).item() == pytest.approx((1 / 2 + 2 / 3) / 2)
