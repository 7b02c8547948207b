import numpy as np
import pytest
import torch

from wherewhen.model.config import FisherConfig, NetworkConfig
from wherewhen.model.encode import encode_frames, encode_tracklets
from wherewhen.model.fisher import fit_fisher
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.windows import Window

LENGTHS = {"a": 9, "b": 4, "c": 6}
ARRAYS = {
    name: np.random.default_rng(seed).random((length, 3, 3, 4)).astype(np.float16)
    for seed, (name, length) in enumerate(LENGTHS.items())
}
CUBES = ArrayCubes(ARRAYS)
WINDOWS = [Window("a", 0, 9), Window("b", 1, 4), Window("c", 0, 6)]


def test_a_networks_frames_become_fisher_vectors():
    network = build_network(NetworkConfig(projection=3, channels=[4], dropout=0.5), 4, 3)
    network.calibrate(torch.rand(20, 3, 3, 4))
    fisher = fit_fisher(
        network,
        CUBES,
        WINDOWS,
        FisherConfig(components=2),
        batch_size=2,
        progress=False,
    )
    pooled = encode_tracklets(network, CUBES, WINDOWS, 2, progress=False, pooling=fisher)
    assert pooled.embeddings.shape == (3, 2 * 2 * network.embedding_size)
    assert pooled.embeddings.dtype == np.float32
    assert network.training
    frames = encode_frames(network, CUBES, WINDOWS, 2, progress=False)
    assert [len(clip) for clip in frames] == [9, 3, 6]
    np.testing.assert_allclose(pooled.embeddings, fisher.transform(frames), atol=1e-6)


def test_no_more_windows_are_drawn_than_frames_are_wanted():
    network = build_network(NetworkConfig(projection=3, channels=[4]), 4, 3)
    network.calibrate(torch.rand(20, 3, 3, 4))
    read = []

    class Noting(ArrayCubes):
        def _fill(self, window, out):
            read.append(window.tracklet)
            super()._fill(window, out)

    config = FisherConfig(components=2, frames=3)
    fit_fisher(network, Noting(ARRAYS), WINDOWS, config, progress=False)
    assert len(read) == 1
    with pytest.raises(ValueError, match="no clips of training persons"):
        fit_fisher(network, CUBES, [], config)
