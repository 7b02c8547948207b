import numpy as np
import pytest
import torch

from wherewhen.model import encode
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


class TestOnAGPU:
    """What is particular to a GPU, on a CPU: other batches, read ahead, halved once."""

    @pytest.fixture
    def windows(self, reader):
        return [reader.whole(name) for name in reader.lengths for _ in range(3)]

    def test_the_result_is_the_same(self, monkeypatch, reader, windows):
        network = build_network(NetworkConfig(projection=3, channels=[4]), 4, 3)
        expected = encode_tracklets(network, reader, windows, 2, False, attention=True)
        states = encode_frames(network, reader, windows, 2, progress=False)
        limits = iter([3])
        whole = type(network).encode

        def encode_once_out_of_memory(self, cubes, mask):
            if len(cubes) > next(limits, 99):
                raise torch.OutOfMemoryError("too much")
            return whole(self, cubes, mask)

        monkeypatch.setattr(type(network), "encode", encode_once_out_of_memory)
        monkeypatch.setattr(encode, "_in_all_threads", encode._read_ahead)
        batches = encode._batches
        monkeypatch.setattr(encode, "_batches", lambda lengths, size, _: batches(lengths, size, 40))
        found = encode_tracklets(network, reader, windows, 2, False, attention=True)
        np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=1e-6)
        for kind in ("attention", "frame_weights"):
            for one, other in zip(getattr(found, kind), getattr(expected, kind), strict=True):
                np.testing.assert_allclose(one, other, atol=1e-6)
        for one, other in zip(
            encode_frames(network, reader, windows, 2, progress=False), states, strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-6)
        assert next(limits, None) is None

    def test_batches_fill_the_frames_that_fit(self):
        lengths = [1, 5, 2, 5, 1, 1]
        assert list(encode._batches(lengths, 2)) == [[1, 3], [2, 0], [4, 5]]
        assert list(encode._batches(lengths, 1, frames=6)) == [[1], [3], [2, 0, 4], [5]]

    def test_frames_that_fit_take_a_share_of_the_memory(self, reader):
        assert encode._frames_that_fit(reader, free=20 * 100 * 72) == 100  # 3 x 3 x 4 float16
        assert encode._frames_that_fit(reader, free=2**40) == 2**30 // 72

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
    def test_there_the_result_is_the_cpus(self, reader, windows):
        network = build_network(NetworkConfig(projection=3, channels=[4]), 4, 3)
        expected = encode_tracklets(network, reader, windows, 2, False, device="cpu")
        found = encode_tracklets(network, reader, windows, 2, False, device="cuda")
        np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=1e-5)
        assert next(network.parameters()).device.type == "cpu"


def test_a_device_that_is_not_there_is_named(reader):
    network = build_network(NetworkConfig(projection=3, channels=[4]), 4, 3)
    with pytest.raises(ValueError, match="device is cuda:99, but torch sees"):
        encode_tracklets(network, reader, [reader.whole("t1")], device="cuda:99", progress=False)
