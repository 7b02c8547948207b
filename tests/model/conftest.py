"""What the tests of the model's parts share."""

import importlib.util
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def reference():
    """The module beside this one: the network as its equations say it."""
    path = Path(__file__).parent / "reference.py"
    spec = importlib.util.spec_from_file_location("reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def passes_gradcheck():
    """Compare a part's gradients with finite differences, for its inputs and its parameters."""

    def check(part, *inputs):
        part = part.double()
        for parameter in part.parameters():  # a start at zero would hide what is multiplied by it
            torch.nn.init.normal_(parameter, std=0.5)
        names = [name for name, _ in part.named_parameters()]

        def call(*tensors):
            values = dict(zip(names, tensors[len(inputs) :], strict=True))
            return torch.func.functional_call(part, values, tensors[: len(inputs)])

        inputs = [
            given.double().requires_grad_() if given.is_floating_point() else given
            for given in inputs
        ]
        return torch.autograd.gradcheck(call, (*inputs, *part.parameters()))

    return check
