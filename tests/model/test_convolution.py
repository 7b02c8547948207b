import gc
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from wherewhen.model import convolution
from wherewhen.model.config import NetworkConfig
from wherewhen.model.convolution import (
    DFTConvolution,
    DirectConvolution,
    Execution,
    choose,
)
from wherewhen.model.siamese import build_network

CPU = torch.device("cpu")
PAPER = ((7, 7), [(3, 3), (5, 5), (5, 5)])


def reach_of(kernel):
    return kernel[0] // 2, kernel[1] // 2


def random(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def forms(grid, kernel, dtype=torch.float64):
    return DirectConvolution(dtype), DFTConvolution(grid, reach_of(kernel), dtype)


@settings(deadline=None, max_examples=10)
@given(
    grid=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    kernel=st.tuples(*[st.sampled_from([1, 3, 5, 9])] * 2),
    clips=st.integers(1, 3),
    frames=st.integers(1, 3),
)
def test_every_form_is_torchs_convolution_in_values_and_gradients(grid, kernel, clips, frames):
    weight = random(2, 3, *kernel).requires_grad_()
    inputs = [random(clips, 3, *grid, seed=1 + at).requires_grad_() for at in range(frames)]
    bias = random(2).requires_grad_()

    def outcome(convolve):
        results = [convolve(each) for each in inputs]
        # frames weigh differently, or the sum over them could hide a frame taken for another
        loss = sum((at + 1) * result.square().sum() for at, result in enumerate(results))
        return [*results, *torch.autograd.grad(loss, [weight, bias, *inputs])]

    expected = outcome(lambda each: conv2d(each, weight, bias, padding=reach_of(kernel)))
    for form in forms(grid, kernel):
        product = form.kernel(weight, frames)
        actual = outcome(
            lambda each, form=form, product=product: form.inverse(
                product(form.transform(each)), bias
            )
        )
        for ours, theirs in zip(actual, expected, strict=True):
            scale = max(1.0, theirs.abs().max().item())
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12 * scale)


def test_gradcheck_where_products_are_added_and_split():
    form = DFTConvolution((2, 3), (1, 1), torch.float64)

    def layer(inputs, first, second):
        w, u = form.kernel(first, 1), form.kernel(second, 2)
        gates, candidate = form.split(w(form.transform(inputs)), (2, 1))
        state = form.inverse(gates + u(form.transform(inputs[:, :2])))
        return form.inverse(candidate), form.inverse(u(form.transform(state.tanh())))

    tensors = (random(2, 2, 2, 3), random(3, 2, 3, 3, seed=1), random(2, 2, 1, 3, seed=2))
    assert torch.autograd.gradcheck(layer, [tensor.requires_grad_() for tensor in tensors])


def test_backwards_may_go_by_parts_again_and_past_unused_frames():
    form = DFTConvolution((3, 3), (1, 1), torch.float64)
    weight, inputs = random(2, 2, 3, 3).requires_grad_(), random(1, 2, 3, 3).requires_grad_()
    product = form.kernel(weight, uses=2)
    # three uses where two were announced, and the second of no influence
    first, _, third = (form.inverse(product(form.transform(at * inputs))) for at in (1, 2, 3))
    expected = 10 * torch.autograd.grad(conv2d(inputs, weight, padding=1).sum(), weight)[0]
    loss = first.sum() + 3 * third.sum()
    torch.autograd.grad(loss, inputs, retain_graph=True)  # leaves the kernel's part out
    for _ in range(2):
        gradient = torch.autograd.grad(loss, weight, retain_graph=True)[0]
        torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-12)
    assert not product.kernel.seen, "inputs of frames are kept after their gradients were made"


def test_a_kernel_is_freed_with_the_graph_at_once():
    form = DFTConvolution((3, 3), (1, 1), torch.float64)
    product = form.kernel(random(2, 2, 3, 3).requires_grad_(), uses=3)
    loss = form.inverse(product(form.transform(random(1, 2, 3, 3)))).sum()
    kernel = weakref.ref(product.kernel)
    gc.disable()  # a cycle through the graph would never be found
    try:
        loss.backward()
        del product, loss
        assert kernel() is None
    finally:
        gc.enable()


def test_without_gradients_nothing_is_kept_for_them():
    form = DFTConvolution((3, 3), (1, 1), torch.float64)
    weight = random(2, 2, 3, 3).requires_grad_()
    with torch.no_grad():
        product = form.kernel(weight, 1)
        result = form.inverse(product(form.transform(random(1, 2, 3, 3))))
    assert product.kernel.backwards is None and not product.handles
    assert not result.requires_grad


@pytest.mark.parametrize("form", [0, 1], ids=["direct", "dft"])
def test_bfloat16_is_near_and_float32_nearer(form):
    inputs, weight = random(4, 32, 7, 7).tanh(), random(16, 32, 5, 5) / 28
    exact = conv2d(inputs, weight, padding=2)
    for dtype, tolerance in ((torch.bfloat16, 1e-2), (torch.float32, 2e-6)):
        convolution = forms((7, 7), (5, 5), dtype)[form]
        product = convolution.kernel(weight.float(), 1)
        result = convolution.inverse(product(convolution.transform(inputs.float())))
        assert (result - exact).norm() / exact.norm() < tolerance


def test_states_keep_the_layout_that_spares_copies():
    form = DFTConvolution((7, 7), (2, 2), torch.float32)
    frames = form.lay_out(random(3, 2, 7, 7, 5, dtype=torch.float32))
    product = form.kernel(random(6, 5, 5, 5, dtype=torch.float32), 1)
    state = form.inverse(product(form.transform(frames[0])), torch.ones(6)).sigmoid() * 0.5
    for laid_out in (frames[0], state):
        assert laid_out.permute(2, 3, 1, 0).is_contiguous()
    direct = DirectConvolution(torch.float32).lay_out(random(3, 2, 7, 7, 5, dtype=torch.float32))
    assert direct.is_contiguous()
    assert torch.equal(direct, frames)


def test_auto_takes_what_wins():
    def chosen(device, grid, kernels, channels, form="auto"):
        execution = Execution(convolution=form)
        return type(choose(execution, torch.device(device), torch.float32, grid, kernels, channels))

    wide, narrow = (256, 256), (64, 64)
    assert chosen("cpu", *PAPER, wide) is DFTConvolution
    assert chosen("cpu", (7, 7), [(3, 3)] * 3, narrow) is DirectConvolution
    assert chosen("cuda", *PAPER, wide) is DirectConvolution
    assert chosen("cpu", (1, 1), [(5, 5)] * 3, wide) is DirectConvolution
    assert chosen("cpu", (7, 7), [(1, 1)] * 3, wide) is DirectConvolution
    assert chosen("cuda", *PAPER, wide, form="dft") is DFTConvolution
    assert chosen("cpu", *PAPER, wide, form="direct") is DirectConvolution


def test_precision_is_what_the_device_is_fast_at(monkeypatch):
    for fast, taken in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(convolution, "has_fast_bfloat16", lambda device, fast=fast: fast)
        assert Execution(precision="auto").dtype(CPU) == taken
        assert Execution().dtype(CPU) == torch.float32
        assert Execution(precision="auto").dtype(CPU, torch.float64) == torch.float64
    with pytest.warns(UserWarning, match="bfloat16 is slow on this cpu.*float32 is taken"):
        assert Execution(precision="bfloat16").dtype(CPU) == torch.float32


@pytest.mark.parametrize("form", ["direct", "dft"])
def test_in_bfloat16_weights_states_and_gradients_are_float32(form, monkeypatch):
    monkeypatch.setattr(convolution, "has_fast_bfloat16", lambda device: True)
    config = NetworkConfig(projection=3, channels=[4, 4], gate_bias=form == "dft")
    network = build_network(config, 4, 3)
    cubes = random(2, 3, 3, 3, 4).half()
    exact = network.encode(cubes).embedding
    network.execution = Execution(form, "bfloat16")
    encoding = network.encode(cubes)
    assert encoding.embedding.dtype == network.frame_states(cubes).dtype == torch.float32
    torch.testing.assert_close(encoding.embedding, exact, rtol=0, atol=0.02)
    encoding.embedding.sum().backward()
    for name, parameter in network.gru.named_parameters():
        assert parameter.grad.dtype == torch.float32, name
        assert parameter.grad.isfinite().all(), name


def test_a_mask_of_whole_clips_is_no_mask():
    network = build_network(NetworkConfig(projection=3, channels=[4]), 4, 3)
    cubes = random(2, 3, 3, 3, 4)
    for without, within in zip(
        network.encode(cubes), network.encode(cubes, torch.ones(2, 3).bool()), strict=True
    ):
        assert torch.equal(without, within)
