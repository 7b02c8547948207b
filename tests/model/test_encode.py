import numpy as np
import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.encode import encode_frames, encode_tracklets
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.windows import Window


@pytest.fixture
def reader():
    generator = np.random.default_rng(0)
    lengths = {f"t{index}": 1 + 3 * index for index in range(5)}
    return ArrayCubes(
        {name: generator.random((n, 3, 3, 4)).astype(np.float16) for name, n in lengths.items()}
    )


@pytest.mark.parametrize("batch_size", [1, 2, 10])
def test_it_equals_one_clip_at_a_time_in_the_order_asked(reader, batch_size):
    network = build_network(NetworkConfig(projection=3, channels=[4], dropout=0.5), 4, 3)
    windows = [
        Window("t3", 2, 9),
        Window("t0", 0, 1),
        Window("t4", 0, 13),
        Window("t1", 1, 4),
        Window("t3", 0, 10),
    ]
    result = encode_tracklets(network, reader, windows, batch_size, False, attention=True)
    assert network.training
    network.eval()
    assert result.windows == windows
    assert result.embeddings.dtype == np.float32
    for index, window in enumerate(windows):
        with torch.no_grad():
            alone = network.encode(torch.from_numpy(reader.read(window))[None])
        np.testing.assert_allclose(result.embeddings[index], alone.embedding[0], atol=1e-6)
        np.testing.assert_allclose(result.attention[index], alone.attention[0], atol=1e-6)
        np.testing.assert_allclose(result.frame_weights[index], alone.frame_weights[0], atol=1e-6)


def test_attention_comes_on_demand(reader):
    network = build_network(NetworkConfig(projection=3, channels=[4]), 4, 3)
    result = encode_tracklets(network, reader, [Window("t1", 0, 2)], progress=False)
    assert result.attention is None
    assert result.frame_weights is None
    assert result.embeddings.shape == (1, network.embedding_size)


def test_another_pooling_pools_the_valid_frames_and_has_no_frame_weights(reader):
    class Last:
        def transform(self, clips):
            return np.stack([frames[-1] for frames in clips])

    network = build_network(NetworkConfig(projection=3, channels=[4]), 4, 3)
    windows = [Window("t3", 2, 9), Window("t0", 0, 1)]
    pooled = encode_tracklets(network, reader, windows, progress=False, pooling=Last())
    frames = encode_frames(network, reader, windows, progress=False)
    assert [len(clip) for clip in frames] == [7, 1]
    np.testing.assert_array_equal(pooled.embeddings, [clip[-1] for clip in frames])
    # a clip of one frame is that frame
    own = encode_tracklets(network, reader, windows, progress=False)
    np.testing.assert_allclose(pooled.embeddings[1], own.embeddings[1], atol=1e-6)
    with pytest.raises(ValueError, match="only the network's own pooling has frame weights"):
        encode_tracklets(network, reader, windows, attention=True, pooling=Last())
