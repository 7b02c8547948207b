import pytest
import torch

from wherewhen.training.losses.triplet import batch_hard_triplet


def test_batch_hard_triplets_by_hand():
    # on a line: a at 0 and 3, b at 4 and 9; c alone has no positive
    embeddings = torch.tensor([[0.0], [3.0], [4.0], [9.0], [20.0]], requires_grad=True)
    persons = torch.tensor([0, 0, 1, 1, 2])
    # farthest minus nearest: 3 - 4, 3 - 1, 5 - 1, 5 - 6
    margin = batch_hard_triplet(embeddings, persons, margin=1.5)
    assert margin.item() == pytest.approx((0.5 + 3.5 + 5.5 + 0.5) / 4)
    margin.backward()
    assert torch.isfinite(embeddings.grad).all()
    assert batch_hard_triplet(embeddings, torch.arange(5), margin=1.0).item() == 0
