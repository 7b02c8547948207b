import pytest
import torch

from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses import (
    Annealed,
    Compared,
    IdentityHead,
    TrainingLoss,
    annealed,
    used_terms,
)

EVERYTHING = {
    "entropy_weight": 0.5,
    "identity_weight": 0.3,
    "triplet_weight": 0.2,
    "penalty_weight": 0.7,
}


def cosines(left, right):
    return left @ right.T


def batch(padding=0):
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(6, 4, generator=generator)
    attention = torch.rand(6, 3, 2, 2, generator=generator)
    attention = attention / attention.sum((2, 3), keepdim=True)
    persons = torch.tensor([0, 0, 1, 1, 2, 2])
    left, right = torch.triu_indices(6, 6, 1)
    fill = torch.zeros(padding, dtype=torch.long)
    same = torch.cat([persons[left] == persons[right], fill.bool()])
    counted = torch.arange(len(same)) < len(left)
    compared = Compared(torch.cat([left, fill]), torch.cat([right, fill]), same, counted, persons)
    return embeddings, attention, torch.ones(6, 3, dtype=torch.bool), compared


def terms(config, padding=0):
    loss = TrainingLoss(config, embedding_size=4, persons=3)
    now = Annealed(*map(torch.tensor, annealed(config, 0, 10).values()))
    return loss(cosines, *batch(padding), now)


def test_the_loss_is_the_weighted_sum_of_its_terms():
    found = terms(TrainingConfig(**EVERYTHING))
    expected = (
        found["cross_entropy"]
        + 0.7 * found["penalty"]
        + 0.5 * found["entropy_gap"]
        + 0.2 * found["triplet"]
        + 0.3 * found["identity"]
    )
    torch.testing.assert_close(found["loss"], expected)
    plain = terms(TrainingConfig(penalty_weight=0.7))
    assert set(plain) == {"loss", "cross_entropy", "penalty", "pair_accuracy"}
    torch.testing.assert_close(plain["cross_entropy"], found["cross_entropy"])


@pytest.mark.parametrize("hardest", [1.0, 0.4])
@pytest.mark.parametrize("balanced", [True, False])
def test_pairs_that_fill_the_shape_count_for_nothing(hardest, balanced):
    config = TrainingConfig(**EVERYTHING, hardest_negatives=hardest, balanced=balanced)
    for name, value in terms(config).items():
        torch.testing.assert_close(terms(config, padding=5)[name], value, msg=name)


def test_columns_are_those_of_the_terms_in_use():
    assert used_terms(TrainingConfig()) == []
    assert used_terms(TrainingConfig.from_preset("paper")) == []
    everything = TrainingConfig(**EVERYTHING, penalty_weight_end=0, entropy_target_end=0.5)
    assert set(used_terms(everything)) == {
        "penalty_weight",
        "entropy_target",
        "entropy_gap",
        "triplet",
        "identity",
    }


def test_lambda_and_target_are_annealed_in_a_straight_line():
    config = TrainingConfig(
        penalty_weight=2,
        penalty_weight_end=0,
        entropy_weight=1,
        entropy_target_end=0.5,
        attention_anneal=0.4,
    )
    found = [annealed(config, step, 10) for step in (0, 1, 2, 4, 9)]
    assert [now["penalty_weight"] for now in found] == pytest.approx([2, 1.5, 1, 0, 0])
    assert [now["entropy_target"] for now in found] == pytest.approx([0.9, 0.8, 0.7, 0.5, 0.5])
    assert annealed(TrainingConfig(), 5, 10) == {"penalty_weight": 0.01, "entropy_target": 0.9}


def test_the_classifier_names_persons_by_cosines():
    head = IdentityHead(size=2, persons=2, smoothing=0.0)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
        head.log_scale.fill_(0.0)
    # cosines 0.6 and 0.8 whatever the lengths
    expected = torch.log(1 + torch.exp(torch.tensor(0.8 - 0.6)))
    assert head(torch.tensor([[3.0, 4.0]]), torch.tensor([0])).item() == pytest.approx(expected)


def test_the_classifier_starts_from_the_seed_and_leaves_the_random_state():
    state = torch.get_rng_state()
    heads = [
        TrainingLoss(TrainingConfig(identity_weight=1, seed=seed), 4, 3).identity.weight
        for seed in (1, 1, 2)
    ]
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
