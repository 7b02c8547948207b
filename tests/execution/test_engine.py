"""The engine of this process, and how one is chosen."""

import builtins

import pytest
from pydantic import ValidationError

from wherewhen.execution.config import ExecutionConfig
from wherewhen.execution.engine import LOCAL, engine_of


def test_this_process_is_the_default():
    assert engine_of(ExecutionConfig()) is LOCAL
    assert not LOCAL.distributed


def test_this_process_does_all_items_in_one_stream():
    streams = []

    def doubled(items):
        streams.append(items)
        return (2 * item for item in items)

    assert list(LOCAL.map(doubled, [1, 2, 3])) == [2, 4, 6]
    assert streams == [[1, 2, 3]]


def test_without_ray_a_message_says_how_to_install_it(monkeypatch):
    real = builtins.__import__

    def without_ray(name, *arguments, **options):
        if name == "ray":
            raise ImportError("No module named 'ray'")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(RuntimeError, match=r"uv sync --extra ray.*set it to local"):
        engine_of(ExecutionConfig(engine="ray"))


def test_workers_of_a_gpu_need_one():
    pytest.importorskip("ray")
    with pytest.raises(RuntimeError, match=r"execution\.gpus is 0"):
        engine_of(ExecutionConfig(engine="ray", gpus=0), "cuda")
    assert engine_of(ExecutionConfig(engine="ray"), "cuda").gpus == 1
    assert engine_of(ExecutionConfig(engine="ray"), "cpu").gpus == 0


@pytest.mark.parametrize("given", [{"engine": "dask"}, {"workers": 0}, {"adress": "auto"}])
def test_impossible_values_are_refused(given):
    with pytest.raises(ValidationError):
        ExecutionConfig(**given)
