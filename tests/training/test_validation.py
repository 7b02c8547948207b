import numpy as np
import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.encode import encode_tracklets
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.windows import Window
from wherewhen.training.clips import PreloadedCubes
from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses.cross_entropy import pair_cross_entropy
from wherewhen.training.losses.penalty import attention_penalty
from wherewhen.training.pairs import build_sampler
from wherewhen.training.validation import BestPoint, Validation

CPU = torch.device("cpu")


@pytest.fixture
def measured(toy):
    cubes, tracklets = toy(6, lengths=(4, 5))  # a clip is the whole tracklet

    def measure(preset="modern", preloaded=True, **settings):
        network = build_network(NetworkConfig(projection=4, channels=[3], dropout=0.5), 8, 3)
        network.train()
        config = TrainingConfig.from_preset(preset, frames=4, **settings)
        sampler = build_sampler(config, tracklets, cubes.lengths)
        reader = (
            PreloadedCubes(cubes, list(map(cubes.whole, cubes.lengths))) if preloaded else cubes
        )
        found = Validation(network, reader, sampler, config, CPU).measure()
        assert network.training
        return found, network, cubes, tracklets

    return measure


def test_the_point_is_that_of_the_whole_tracklets(measured):
    found, network, cubes, tracklets = measured(persons_per_batch=6)
    rows = tracklets.sort_values(["camera", "person"])
    windows = [Window(name, 0, 4) for name in rows["tracklet"]]
    encodings = encode_tracklets(network, cubes, windows, progress=False, attention=True)
    vectors = torch.from_numpy(encodings.embeddings)
    one, other = vectors.split(6)
    ranks = []
    for probes, gallery in ((one, other), (other, one)):
        cosines = probes @ gallery.T  # the same persons of the same camera are left out
        same_camera = probes @ probes.T
        for person in range(6):
            own = cosines[person, person]
            others = torch.cat([cosines[person], same_camera[person]])
            others = others[[i for i in range(12) if i % 6 != person]]
            ranks.append(1 + int((others > own).sum()))
    assert found["validation_rank_1"] == pytest.approx(np.mean(np.array(ranks) == 1))
    assert found["validation_map"] == pytest.approx(np.mean(1 / np.array(ranks)))
    logits = network.pairwise_logits(one, other).flatten()
    attention = torch.from_numpy(np.stack(encodings.attention))
    mask = torch.ones(12, 4, dtype=torch.bool)
    loss = pair_cross_entropy(logits, torch.eye(6).flatten().bool(), balanced=True)
    loss = loss + 0.01 * attention_penalty(attention, mask, reachable=True)
    assert found["validation_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_terms_that_are_added_in_training_are_no_part_of_it(measured):
    plain, *_ = measured(persons_per_batch=3)
    terms = {"identity_weight": 1.0, "triplet_weight": 1.0, "entropy_weight": 1.0}
    schedules = {"hardest_negatives": 0.5, "penalty_weight_end": 5.0}
    added, *_ = measured(persons_per_batch=3, **terms, **schedules)
    assert added == plain
    parts, *_ = measured(persons_per_batch=3, micro_batch=4, preloaded=False)
    assert parts == pytest.approx(plain)


def test_drawn_pairs_have_ranks_too(measured):
    found, *_ = measured("paper")
    assert 0 <= found["validation_rank_1"] <= found["validation_map"] <= 1


class TestBestPoint:
    def test_a_lower_loss_and_a_higher_rank_are_better(self):
        for monitor, values in (("validation_loss", [3, 2, 4]), ("validation_rank_1", [3, 4, 2])):
            best = BestPoint(TrainingConfig(monitor=monitor))
            added = [best.add(step, {monitor: value}) for step, value in enumerate(values)]
            assert added == [True, True, False]
            assert (best.step, best.points_since, best.out_of_patience) == (1, 1, False)

    def test_nan_and_ties_use_up_patience(self):
        best = BestPoint(TrainingConfig(patience=2))
        assert not best.add(1, {"validation_loss": float("nan")})
        assert best.step is None and not best.out_of_patience
        assert best.add(2, {"validation_loss": 0.5})
        assert not best.add(3, {"validation_loss": 0.5})
        again = BestPoint(TrainingConfig(patience=2))
        again.load_state_dict(best.state_dict())
        assert not again.add(4, {"validation_loss": 0.6})
        assert again.out_of_patience and again.step == 2
