import numpy as np
import pytest
import torch

from wherewhen.model.temporal_pooling import (
    AgreementPooling,
    AttentionPooling,
    AveragePooling,
    MaxPooling,
    agreement,
)

STATES = torch.tensor([1.0, 5.0, 3.0, 99.0]).view(1, 4, 1, 1, 1)
MASK = torch.tensor([[True, True, True, False]])


def test_average_of_the_valid_frames():
    (pooled,), weights = AveragePooling()([STATES], MASK)
    torch.testing.assert_close(pooled, torch.full((1, 1, 1, 1), 3.0))
    torch.testing.assert_close(weights, torch.tensor([[1, 1, 1, 0]]) / 3)


def test_maximum_of_the_valid_frames_and_each_frames_share():
    other = torch.tensor([7.0, -5.0, 3.0, 99.0]).view(1, 4, 1, 1, 1)
    pooled, weights = MaxPooling()([STATES, other], MASK)
    assert [value.item() for value in pooled] == [5.0, 7.0]
    torch.testing.assert_close(weights, torch.tensor([[0.5, 0.5, 0.0, 0.0]]))


def test_attention_by_hand():
    pooling = AttentionPooling(1, 1)
    with torch.no_grad():
        for parameter in pooling.parameters():
            parameter.fill_(0.0)
        pooling.perceptron[0].weight.fill_(1.0)
        pooling.perceptron[2].weight.fill_(2.0)
    (pooled,), weights = pooling([STATES], MASK)
    expected = torch.softmax(2 * torch.tanh(torch.tensor([1.0, 5.0, 3.0])), 0)
    torch.testing.assert_close(weights, torch.cat([expected, torch.zeros(1)])[None])
    torch.testing.assert_close(pooled.squeeze(), expected @ torch.tensor([1.0, 5.0, 3.0]))


def test_agreement_is_the_weighted_mean_cosine_with_the_other_frames():
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(2, 4, 5, generator=generator, dtype=torch.float64)
    weights = torch.tensor([[0.2, 0.5, 0.3, 0.0], [0.25, 0.25, 0.25, 0.25]], dtype=torch.float64)
    unit = frames.numpy() / np.linalg.norm(frames.numpy(), axis=2, keepdims=True)
    found = agreement(frames, weights)
    for clip in range(2):
        for frame in range(4):
            others = [other for other in range(4) if other != frame]
            cosines = [unit[clip, frame] @ unit[clip, other] for other in others]
            expected = np.average(cosines, weights=weights[clip, others].numpy())
            assert found[clip, frame].item() == pytest.approx(expected)


def test_padding_neither_agrees_nor_disagrees():
    states = torch.randn(1, 4, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    short = AgreementPooling(3).weigh([states[:, :3]], torch.ones(1, 3).bool())
    weights = AgreementPooling(3).weigh([states], torch.tensor([[True, True, True, False]]))
    torch.testing.assert_close(weights, torch.cat([short, torch.zeros(1, 1)], 1))


def test_a_passer_by_has_less_weight_whatever_comes_first():
    person, other = torch.tensor([[1.0, 0.2], [0.1, 1.0]]).view(2, 2, 1, 1)
    states = torch.stack(
        [torch.stack([other, person, person]), torch.stack([person, other, other])]
    )
    weights = AgreementPooling(2).weigh([states], torch.ones(2, 3).bool())
    assert (weights[:, 0] < 0.01).all()


@pytest.mark.parametrize(
    "pooling", [AttentionPooling(2, 3), AgreementPooling(2, 3), AveragePooling(), MaxPooling()]
)
def test_one_frame_is_itself(pooling):
    state = torch.randn(2, 1, 2, 3, 3)
    (pooled,), weights = pooling([state], torch.ones(2, 1).bool())
    torch.testing.assert_close(pooled, state[:, 0])
    torch.testing.assert_close(weights, torch.ones(2, 1))


@pytest.mark.parametrize(
    "pooling", [AttentionPooling(3, 2), AgreementPooling(3, 2), AveragePooling(), MaxPooling()]
)
def test_gradcheck(passes_gradcheck, pooling):
    class OfTwoLayers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.pooling = pooling

        def forward(self, first, second, mask):
            (one, other), weights = self.pooling([first, second], mask)
            return one, other, weights

    states = torch.randn(2, 3, 2, 1, 2), torch.randn(2, 3, 1, 1, 1)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert passes_gradcheck(OfTwoLayers(), *states, mask)
