"""S-LSTM: rows in order, the LSTM against plain code, what it learns from few persons."""

import numpy as np
import pytest
import torch

from wherewhen.baselines.s_lstm import SLSTM, RowNetwork

pytestmark = pytest.mark.usefixtures("one_thread")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_network_against_a_loop_over_rows():
    torch.manual_seed(0)
    network = RowNetwork(size=4, hidden=3)
    sequences = torch.randn(2, 5, 6, 4)
    found = network(sequences).detach().numpy()
    weights = {name: value.detach().numpy() for name, value in network.lstm.named_parameters()}
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    for sequence, vector in zip(sequences.numpy(), found, strict=True):
        frames = []
        for rows in sequence:
            state, cell, states = np.zeros(3), np.zeros(3), []
            for row in rows:
                gates = weights["weight_ih_l0"] @ row + weights["weight_hh_l0"] @ state + bias
                into, forget, new, out = np.split(gates, 4)
                cell = sigmoid(forget) * cell + sigmoid(into) * np.tanh(new)
                state = sigmoid(out) * np.tanh(cell)
                states.append(state)
            frames.append(np.concatenate(states))
        np.testing.assert_allclose(vector, np.mean(frames, axis=0), atol=1e-6)


def test_rows_are_square_roots_of_histograms(people):
    rows = SLSTM(stripes=8, bins=4).look(people.frames(0, 0, frames=2))
    assert rows.shape == (2, 8, 9 * 4 + 59)
    np.testing.assert_allclose((rows**2).sum(axis=2), 10)  # nine channels and the texture


def test_a_vector_is_the_mean_of_its_frames_whatever_their_size_and_number(people):
    trained = SLSTM(epochs=1, stripes=8, hidden=16, progress=False).fit(people.clips(range(2)))
    frames = people.frames(0, 0, frames=3)
    singles = [trained.describe(frames[[index]]) for index in range(3)]
    vector = trained.describe(frames)
    assert vector.shape == (8 * 16,)
    assert vector.dtype == np.float64
    np.testing.assert_allclose(vector, np.mean(singles, axis=0), atol=1e-6)


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="stripes is 200"):
        SLSTM(stripes=200)
