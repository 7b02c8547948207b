import copy
import math

import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses import TrainingLoss
from wherewhen.training.optimisation import Optimiser, rate_factor


def network():
    return build_network(NetworkConfig(projection=2, channels=[3]), 4, 3)


def factors(steps, **overrides):
    config = TrainingConfig(**overrides)
    return [rate_factor(config, step, steps) for step in range(steps)]


def test_parts_have_their_own_rates():
    config = TrainingConfig(
        learning_rate=0.1,
        learning_rate_factors={"attention": 0.02, "identity": 10},
        identity_weight=1,
    )
    model = network()
    loss = TrainingLoss(config, model.embedding_size, persons=5)
    optimiser = Optimiser(model, config, loss)
    optimiser.step(factor=0.5)
    rates = {id(p): g["lr"] for g in optimiser.inner.param_groups for p in g["params"]}
    for name, parameter in model.named_parameters():
        expected = 0.001 if name.startswith("attention.") else 0.05
        assert rates.pop(id(parameter)) == pytest.approx(expected), name
    assert list(rates.values()) == pytest.approx([0.5, 0.5])  # the classifier of persons


def test_schedules_by_hand():
    assert factors(3) == [1, 1, 1]
    assert factors(5, schedule="linear", final_learning_rate_factor=0.2) == pytest.approx(
        [1, 0.8, 0.6, 0.4, 0.2]
    )
    half = (1 + math.cos(math.pi / 4)) / 2
    assert factors(5, schedule="cosine") == pytest.approx([1, half, 0.5, 1 - half, 0], abs=1e-12)


def test_steps_by_hand():
    found = factors(10, schedule="steps", milestones=[0.3, 0.75], milestone_factor=0.5)
    assert found == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25])
    found = factors(4, schedule="steps", warmup_steps=1, milestones=[0.5])
    assert found == pytest.approx([0.5, 1, 0.1, 0.1])


def test_warm_up_comes_before_the_schedule():
    rising = factors(6, warmup_steps=3, schedule="linear")
    assert rising == pytest.approx([0.25, 0.5, 0.75, 1, 0.5, 0])
    assert factors(2, warmup_steps=4) == pytest.approx([0.2, 0.4])  # a run that ends before


def test_weight_decay_spares_biases_and_scalars():
    config = TrainingConfig(
        optimiser="adamw", weight_decay=0.5, learning_rate=0.1, learning_rate_factors={}
    )
    model = network()
    before = {name: value.clone() for name, value in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    Optimiser(model, config).step(1.0)
    for name, value in model.named_parameters():
        shrunk = before[name] * (0.95 if value.ndim > 1 else 1.0)
        torch.testing.assert_close(value, shrunk, msg=name)


@pytest.mark.parametrize("settings", [{"momentum": 0.5}, {"optimiser": "adamw"}])
def test_a_restored_optimiser_goes_on_as_the_other(settings):
    config = TrainingConfig(**settings)
    models = [network(), network()]

    def gradients(model, seed):
        generator = torch.Generator().manual_seed(seed)
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)

    first = Optimiser(models[0], config)
    for step in range(3):
        gradients(models[0], step)
        first.step(1.0)
    second = Optimiser(models[1], config)
    models[1].load_state_dict(models[0].state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for model, optimiser in zip(models, (first, second), strict=True):
        gradients(model, 7)
        optimiser.step(0.3)
    for name, value in models[0].state_dict().items():
        assert torch.equal(value, models[1].state_dict()[name]), name
