import pytest
import torch

from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses import Compared, LossInputs, TrainingLoss
from wherewhen.training.losses.identity import IdentityHead


def test_the_classifier_names_persons_by_cosines():
    head = IdentityHead(size=2, persons=2, smoothing=0.0)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
        head.log_scale.fill_(0.0)
    # cosines 0.6 and 0.8 whatever the lengths
    expected = torch.log(1 + torch.exp(torch.tensor(0.8 - 0.6)))
    compared = Compared(*[None] * 4, persons=torch.tensor([0]))
    inputs = LossInputs(None, torch.tensor([[3.0, 4.0]]), None, None, None, None, compared, {})
    assert head(inputs).item() == pytest.approx(expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_smoothing_shares_a_part_of_the_target_among_all(smoothing):
    config = TrainingConfig(identity_weight=1, identity_smoothing=smoothing)
    head = TrainingLoss(config, 4, 3).identity
    embeddings = torch.randn(5, 4)
    persons = torch.tensor([0, 1, 2, 1, 0])
    inputs = LossInputs(
        None, embeddings, embeddings, None, None, None, Compared(*[None] * 4, persons), {}
    )
    cosines = torch.nn.functional.cosine_similarity(embeddings[:, None], head.weight[None], dim=2)
    logs = (head.log_scale.exp() * cosines).log_softmax(1)
    target = torch.full((5, 3), smoothing / 3)
    target[torch.arange(5), persons] += 1 - smoothing
    torch.testing.assert_close(head(inputs), -(target * logs).sum(1).mean())


def test_the_classifier_starts_from_the_seed_and_leaves_the_random_state():
    state = torch.get_rng_state()
    heads = [
        TrainingLoss(TrainingConfig(identity_weight=1, seed=seed), 4, 3).identity.weight
        for seed in (1, 1, 2)
    ]
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
