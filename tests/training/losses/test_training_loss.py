import sys
from types import ModuleType

import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import Encoding, build_network
from wherewhen.training.config import TrainingConfig
from wherewhen.training.loop import train
from wherewhen.training.losses import (
    Compared,
    Term,
    TrainingLoss,
    loss_columns,
    scheduled_values,
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
    encoding = Encoding(embeddings, attention, None)
    return encoding, torch.ones(6, 3, dtype=torch.bool), compared


def terms(config, padding=0):
    loss = TrainingLoss(config, embedding_size=4, persons=3)
    scheduled = {name: torch.tensor(x) for name, x in scheduled_values(config, 0, 10).items()}
    return loss(cosines, *batch(padding), scheduled)


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
    assert loss_columns(TrainingConfig()) == []
    assert loss_columns(TrainingConfig.from_preset("paper")) == []
    everything = TrainingConfig(**EVERYTHING, penalty_weight_end=0, entropy_target_end=0.5)
    assert loss_columns(everything) == [
        "penalty_weight",
        "entropy_target",
        "entropy_gap",
        "triplet",
        "identity",
    ]


def test_lambda_and_target_are_annealed_in_a_straight_line():
    config = TrainingConfig(
        penalty_weight=2,
        penalty_weight_end=0,
        entropy_weight=1,
        entropy_target_end=0.5,
        attention_anneal=0.4,
    )
    found = [scheduled_values(config, step, 10) for step in (0, 1, 2, 4, 9)]
    assert [now["penalty_weight"] for now in found] == pytest.approx([2, 1.5, 1, 0, 0])
    assert [now["entropy_target"] for now in found] == pytest.approx([0.9, 0.8, 0.7, 0.5, 0.5])
    assert scheduled_values(TrainingConfig(), 5, 10) == {"penalty_weight": 0.01}


def test_eq_9_alone_has_neither_optional_terms_nor_mining():
    config = TrainingConfig(**EVERYTHING, hardest_negatives=0.2)
    loss = TrainingLoss(config, embedding_size=4, persons=3, optional=False)
    found = loss(cosines, *batch(), {"penalty_weight": torch.tensor(0.7)})
    plain = terms(TrainingConfig(penalty_weight=0.7))
    assert found == plain
    assert not list(loss.parameters())


class TestAnotherTerm:
    """What it takes to add a term: a module with a record, and a field for its weight."""

    class Config(TrainingConfig):
        norm_weight: float = 0.0
        norm_target: float = 2.0
        norm_target_end: float | None = 0.0

    @pytest.fixture(autouse=True)
    def module(self, monkeypatch):
        module = ModuleType("wherewhen.training.losses.norm")
        module.TERM = Term(
            "norm_gap",
            lambda *_: (
                lambda x: (x.embeddings.norm(dim=1) - x.scheduled["norm_target"]).abs().mean()
            ),
            scheduled=("norm_target",),
        )
        monkeypatch.setitem(sys.modules, module.__name__, module)

    def test_it_is_used_where_it_has_a_weight(self):
        assert "norm" not in used_terms(self.Config())
        assert loss_columns(self.Config(norm_weight=1)) == ["norm_target", "norm_gap"]

    def test_a_network_learns_by_it(self, toy, tmp_path):
        cubes, tracklets = toy(6)
        settings = {"steps": 4, "frames": 3, "persons_per_batch": 3, "threads": 1}
        config = self.Config(**settings, norm_weight=0.5)
        network = build_network(NetworkConfig(projection=4, channels=[4], normalise=False), 8, 3)
        history = train(network, cubes, tracklets, None, config, tmp_path, progress=False)
        assert history["norm_target"].tolist() == [2.0, 1.0, 0.0, 0.0]
        total = history["cross_entropy"] + 0.01 * history["penalty"] + 0.5 * history["norm_gap"]
        assert history["loss"].tolist() == pytest.approx(total.tolist(), rel=1e-5)
        assert history["norm_gap"].iloc[0] > 0
