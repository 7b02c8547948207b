import os

import pytest
import torch

from wherewhen.devices import deterministic_kernels, usable_device


@pytest.fixture
def gpus(monkeypatch):
    """Let torch see so many."""

    def see(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return see


@pytest.mark.parametrize(
    ("device", "count", "processes", "expected"),
    [
        ("auto", 0, 1, "cpu"),
        ("auto", 2, 1, "cuda"),
        ("auto", 2, 2, "cuda"),
        ("auto", 0, 2, "cpu"),
        ("cpu", 1, 4, "cpu"),
        ("cuda:1", 2, 1, "cuda:1"),
    ],
)
def test_what_is_there_is_taken(gpus, device, count, processes, expected):
    gpus(count)
    assert usable_device(device, processes) == expected


@pytest.mark.parametrize(
    ("device", "count", "processes", "message"),
    [
        ("cuda", 0, 1, "device is cuda, but torch sees 0 GPU"),
        ("cuda:2", 2, 1, "device is cuda:2, but torch sees 2 GPU"),
        ("auto", 2, 3, "processes is 3, one a GPU, but torch sees 2 GPU.* set processes to 2"),
        ("cuda:0", 2, 2, "device is cuda:0, one GPU, and train.training.processes is 2"),
    ],
)
def test_what_is_not_there_is_refused(gpus, device, count, processes, message):
    gpus(count)
    with pytest.raises(ValueError, match=message):
        usable_device(device, processes)


class TestDeterministicKernels:
    def test_they_are_asked_for_and_what_was_before_is_restored(self, monkeypatch):
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
        assert not torch.are_deterministic_algorithms_enabled()
        with deterministic_kernels():
            assert torch.are_deterministic_algorithms_enabled()
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
            assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        assert not torch.are_deterministic_algorithms_enabled()

    def test_a_workspace_that_was_chosen_stays(self, monkeypatch):
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
        with pytest.raises(ArithmeticError), deterministic_kernels():
            raise ArithmeticError
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
        assert not torch.are_deterministic_algorithms_enabled()
