import pytest
import torch

from wherewhen.model.temporal_pooling import AttentionPooling, AveragePooling, MaxPooling

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


@pytest.mark.parametrize("pooling", [AttentionPooling(2, 3), AveragePooling(), MaxPooling()])
def test_one_frame_is_itself(pooling):
    state = torch.randn(2, 1, 2, 3, 3)
    (pooled,), weights = pooling([state], torch.ones(2, 1).bool())
    torch.testing.assert_close(pooled, state[:, 0])
    torch.testing.assert_close(weights, torch.ones(2, 1))


@pytest.mark.parametrize("pooling", [AttentionPooling(3, 2), AveragePooling(), MaxPooling()])
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
