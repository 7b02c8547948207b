import torch

from wherewhen.model.initial_state import LearnedInitialState, ZeroInitialState


def test_a_tanh_head_a_layer_the_same_at_every_cell():
    module = LearnedInitialState(2, [3, 1], [(4, 4), (2, 2)])
    with torch.no_grad():
        module.heads[1].weight.copy_(torch.tensor([[1.0, -2.0]]))
        module.heads[1].bias.fill_(0.5)
    states = module(torch.tensor([[0.3, 0.1]]))
    assert [tuple(state.shape) for state in states] == [(1, 3, 4, 4), (1, 1, 2, 2)]
    torch.testing.assert_close(states[1], torch.tensor(0.6).tanh().expand(1, 1, 2, 2))


def test_zeros():
    states = ZeroInitialState([3, 1], [(4, 4), (2, 2)])(torch.randn(5, 2).double())
    assert [tuple(state.shape) for state in states] == [(5, 3, 4, 4), (5, 1, 2, 2)]
    assert all(state.dtype == torch.float64 and not state.any() for state in states)


def test_gradcheck(passes_gradcheck):
    class Both(LearnedInitialState):
        def forward(self, mean_slice):
            return tuple(super().forward(mean_slice))

    assert passes_gradcheck(Both(2, [3, 1], [(2, 2), (1, 1)]), torch.randn(2, 2))
