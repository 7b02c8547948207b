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


@pytest.mark.parametrize("persons", [[0, 0, 1, 1, 2, 2, 0, 1], [0, 0, 0, 1, 2, 2, 3, 3]])
def test_triplets_are_those_of_pytorch_metric_learning(persons):
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import BatchHardMiner
    from pytorch_metric_learning.reducers import MeanReducer

    distance = LpDistance(normalize_embeddings=False)
    miner = BatchHardMiner(distance=distance)
    loss = TripletMarginLoss(margin=1.0, distance=distance, reducer=MeanReducer())
    persons = torch.tensor(persons)
    generator = torch.Generator().manual_seed(0)
    gradients = []
    for compute in (
        lambda x: loss(x, persons, miner(x, persons)),
        lambda x: batch_hard_triplet(x, persons, margin=1.0),
    ):
        generator.manual_seed(0)
        embeddings = torch.randn(8, 5, generator=generator, dtype=torch.float64).requires_grad_()
        value = compute(embeddings)
        gradients.append((value.detach(), *torch.autograd.grad(value, embeddings)))
    assert gradients[0][0] > 0
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
