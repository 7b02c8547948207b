"""What the tests of this room share: sessions of ONNX Runtime, and clips with padding."""

import onnxruntime
import pytest
import torch

LENGTHS = (1, 2, 5, 16)
CLIPS = (1, 3)


@pytest.fixture(autouse=True)
def _in_one_thread(one_thread):
    """Every test of this room."""


@pytest.fixture(scope="session")
def opened():
    """Open a file in one thread."""

    def opened(path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    return opened


@pytest.fixture(scope="session")
def masks():
    """Masks of one and of three clips, of several lengths, each shorter than the one before."""
    made = []
    for clips in CLIPS:
        for frames in LENGTHS:
            mask = torch.arange(frames) < frames - torch.arange(clips)[:, None]
            mask[:, 0] = True
            made.append(mask)
    return made
