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


def test_the_classifier_starts_from_the_seed_and_leaves_the_random_state():
    state = torch.get_rng_state()
    heads = [
        TrainingLoss(TrainingConfig(identity_weight=1, seed=seed), 4, 3).identity.weight
        for seed in (1, 1, 2)
    ]
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
