import numpy as np
import pytest
import torch
from side_by_side import side_by_side

from wherewhen.model.config import NetworkConfig
from wherewhen.model.convolution import Execution
from wherewhen.model.siamese import Encoding, build_network
from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses import Compared, TrainingLoss, scheduled_values
from wherewhen.training.losses.triplet import batch_hard_triplet
from wherewhen.training.pairs import Batch
from wherewhen.training.step import (
    RecordedStep,
    Step,
    StepInputs,
    compare,
    is_recorded,
    record_cuda_graph,
)

CPU = torch.device("cpu")
EVERYTHING = {
    "entropy_weight": 0.5,
    "identity_weight": 0.3,
    "triplet_weight": 0.2,
    "gradient_clip": 1e6,
}


def inputs(clips=6, seed=0, dtype=torch.float64, pairs=None):
    generator = torch.Generator().manual_seed(seed)
    cubes = torch.randn(clips, 3, 2, 2, 5, generator=generator, dtype=dtype)
    mask = torch.arange(3) < torch.tensor([3, 2] * (clips // 2))[:, None]
    left, right = np.triu_indices(clips, 1)
    persons = np.arange(clips) // 2
    same = persons[left] == persons[right]
    batch = Batch([], left, right, same, persons, np.array(["a", "b"] * (clips // 2)))
    values = {"penalty_weight": 0.7, "entropy_target": 0.8}
    scheduled = {name: torch.tensor(value, dtype=dtype) for name, value in values.items()}
    return StepInputs(cubes, mask, compare(batch, CPU, pairs), scheduled)


def build(dtype=torch.float64, network=None, **training):
    config = TrainingConfig(**(EVERYTHING | training))
    settings = {"projection": 4, "channels": [3], "hidden_kernels": [1]} | (network or {})
    model = build_network(NetworkConfig(**settings), 5, 2).to(dtype).train()
    model.execution = Execution("direct")
    with torch.no_grad():  # away from the uniform start, where attention has no gradient
        changed = model.attention if model.config.head == "siamese_attention" else model
        for index, parameter in enumerate(changed.parameters()):
            generator = torch.Generator().manual_seed(index)
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=dtype))
    loss = TrainingLoss(config, model.embedding_size, persons=4).to(dtype)
    parameters = [*model.parameters(), *loss.parameters()]
    return Step(model, loss, parameters, config)


def gradients(step):
    return [None if p.grad is None else p.grad.clone() for p in step.parameters]


def assert_close(one, other):
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert (left is None) == (right is None)
        if left is not None:
            torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-13)


def assert_equal(one, other):
    for left, right in zip(one, other, strict=True):
        assert (left is None and right is None) or torch.equal(left, right)


NETWORKS = pytest.mark.parametrize(
    "network",
    [
        {"attention": "learned"},
        {"attention": "muted"},
        {"head": "average", "projection": None},
        {"head": "temporal_attention"},
        {"head": "transformer", "dropout": 0.0},
        {"neck": "batch_norm"},
    ],
    ids=str,
)


@NETWORKS
@pytest.mark.parametrize("size", [1, 4, 6])
def test_micro_batches_have_the_gradient_of_the_batch(size, network):
    whole, parts = build(network=network), build(network=network, micro_batch=size)
    outputs = [step(inputs()) for step in (whole, parts)]
    assert_close(gradients(whole), gradients(parts))
    assert_close(list(outputs[0].values()), list(outputs[1].values()))
    assert_close(*(list(step.network.buffers()) for step in (whole, parts)))


@NETWORKS
@pytest.mark.parametrize(("processes", "micro_batch"), [(2, None), (3, None), (4, 1)])
def test_processes_have_the_gradient_of_the_batch(processes, micro_batch, network):
    """Of six clips, the first of four processes encodes one and the second two."""
    whole = build(network=network)
    steps = [build(network=network, micro_batch=micro_batch) for _ in range(processes)]

    def take(group):
        step, data = steps[group.rank], inputs()
        step.group = group
        return step(data._replace(cubes=data.cubes[group.share(6)]))

    expected = whole(inputs())
    for step, outputs in zip(steps, side_by_side(processes, take), strict=True):
        assert_close(gradients(whole), gradients(step))
        assert_close(list(expected.values()), list(outputs.values()))
        assert_close(*(list(each.network.buffers()) for each in (whole, step)))
        assert_equal(gradients(steps[0]), gradients(step))


def test_triplets_are_those_before_the_neck():
    data, step = inputs(), build(network={"neck": "batch_norm"})
    before = step.network.encode_reduced(data.cubes, data.mask).embedding
    expected = batch_hard_triplet(before, data.compared.persons)
    torch.testing.assert_close(step(data)["triplet"], expected.detach())
    assert step.network.neck.norm.weight.grad.any()


def test_the_second_pass_drops_what_the_first_one_dropped():
    step = build(network={"dropout": 0.5}, micro_batch=4)
    data = inputs()
    torch.manual_seed(3)
    step(data)
    state = torch.get_rng_state()

    torch.manual_seed(3)  # the same draws, with every graph kept at once
    for parameter in step.parameters:
        parameter.grad, found = None, parameter.grad
        parameter.found = found
    parts = zip(data.cubes.split(4), data.mask.split(4), strict=True)
    encodings = [step.network.encode(*part) for part in parts]
    joined = Encoding(*(torch.cat(tensors) for tensors in zip(*encodings, strict=True)))
    terms = step.loss(
        step.network.pairwise_logits,
        joined,
        data.mask,
        data.compared,
        data.scheduled,
    )
    terms["loss"].backward()
    assert_close(gradients(step), [parameter.found for parameter in step.parameters])
    assert torch.equal(state, torch.get_rng_state())


def test_gradients_are_clipped_by_element_and_their_norm_is_told_before():
    free, clipped = build(), build(gradient_clip=0.01)
    outputs = [step(inputs()) for step in (free, clipped)]
    flat = torch.cat([g.flatten() for g in gradients(free) if g is not None])
    for output in outputs:
        assert output["gradient_norm"].item() == pytest.approx(flat.norm().item())
    expected = [None if g is None else g.clamp(-0.01, 0.01) for g in gradients(free)]
    assert_close(expected, gradients(clipped))


def play_back(function):
    """What a CUDA graph does, on the CPU: the same operations on the same buffers."""
    outputs = function()
    kept = {name: value.clone() for name, value in outputs.items()}
    step = play_back.step
    static = [parameter.grad for parameter in step.parameters]

    def replay():
        again = function()
        for name, value in again.items():
            kept[name].copy_(value)
        for parameter, gradient in zip(step.parameters, static, strict=True):
            if gradient is not None:
                gradient.copy_(parameter.grad)

    return replay, kept


@pytest.mark.parametrize("neck", ["none", "batch_norm"])
def test_a_recorded_step_equals_the_plain_one_for_every_shape(neck):
    plain, step = build(network={"neck": neck}), build(network={"neck": neck})
    play_back.step = step
    recordings = []

    def record(function):
        recordings.append(function)
        return play_back(function)

    recorded = RecordedStep(step, record)
    for clips, seed in [(6, 0), (6, 1), (4, 2), (6, 3), (4, 4)]:
        expected, found = plain(inputs(clips, seed)), recorded(inputs(clips, seed))
        assert_close(gradients(plain), gradients(step))
        assert_close(list(expected.values()), list(found.values()))
        assert_close(list(plain.network.buffers()), list(step.network.buffers()))
    assert len(recordings) == 2


def test_the_loss_follows_its_schedule_in_a_recorded_step():
    step = build()
    play_back.step = step
    recorded = RecordedStep(step, play_back)
    config = TrainingConfig(penalty_weight=1, penalty_weight_end=0)
    losses = []
    for number in (0, 9):
        lambda_ = scheduled_values(config, number, 10)["penalty_weight"]
        data = inputs()
        data.scheduled["penalty_weight"].fill_(lambda_)
        values = recorded(data)
        losses.append((values["loss"] - 0.0).clone())
        penalty = values["penalty"].clone()
    # the target of the entropy stays: the difference is lambda's
    assert (losses[0] - losses[1]).item() == pytest.approx(penalty.item())


def moved(data, device):
    return StepInputs(
        data.cubes.to(device),
        data.mask.to(device),
        Compared(*(tensor.to(device) for tensor in data.compared)),
        {name: tensor.to(device) for name, tensor in data.scheduled.items()},
        data.whole,
    )


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "network",
    [
        {"neck": "batch_norm"},
        {"attention": "muted", "temporal_pooling": "max"},
        {"head": "temporal_attention"},
        {"head": "transformer", "projection": None, "location": "cells"},
    ],
    ids=str,
)
def test_a_step_looks_at_no_values(network, whole):
    step = build(torch.float32, network | {"dropout": 0.5}, hardest_negatives=0.5)
    step.network.to("meta")  # tensors without values: a look at one is an error
    step.loss.to("meta")
    step.parameters = [*step.network.parameters(), *step.loss.parameters()]
    data = inputs(dtype=torch.float32)
    data = moved(data._replace(whole=whole), "meta")
    outputs = step(data)
    assert outputs["loss"].is_meta
    with pytest.raises(RuntimeError, match="meta"):
        step.network.encode(data.cubes, data.mask)


@pytest.mark.parametrize("size", [None, 4])
def test_masking_is_spared_where_all_frames_are_valid(size):
    data = inputs()
    data = data._replace(mask=torch.ones_like(data.mask))
    masked, spared = build(micro_batch=size), build(micro_batch=size)
    outputs = [masked(data), spared(data._replace(whole=True))]
    assert_close(gradients(masked), gradients(spared))
    assert_close(*(list(values.values()) for values in outputs))


def test_a_step_whose_shapes_follow_values_is_not_recorded():
    gpu, network = torch.device("cuda"), build().network
    assert is_recorded(TrainingConfig(triplet_weight=1.0), gpu, network)
    assert not is_recorded(TrainingConfig(circle_weight=1.0), gpu, network)


def test_a_recording_is_of_one_masking():
    plain, step = build(), build()
    play_back.step = step
    recorded = RecordedStep(step, play_back)
    data = inputs()
    free = data._replace(mask=torch.ones_like(data.mask), whole=True)
    for one in (data, free, data, free):
        expected, found = plain(one), recorded(one)
        assert_close(gradients(plain), gradients(step))
        assert_close(list(expected.values()), list(found.values()))


def test_filled_up_pairs_change_nothing():
    plain, filled = build(), build()
    plain(inputs())
    filled(inputs(pairs=40))
    assert_close(gradients(plain), gradients(filled))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_cuda_graph_equals_the_plain_step_and_repeats_its_random_numbers():
    gpu = torch.device("cuda", torch.cuda.current_device())

    def run(recorded, dropout):
        step = build(network={"dropout": dropout})
        step.network.to(gpu)
        step.loss.to(gpu)
        step.parameters = [*step.network.parameters(), *step.loss.parameters()]
        torch.cuda.manual_seed(0)
        take = RecordedStep(step, record_cuda_graph) if recorded else step
        found = []
        for clips, seed in [(6, 0), (4, 1), (6, 2)]:
            outputs = take(moved(inputs(clips, seed), gpu))
            found += [outputs["loss"].clone(), *gradients(step)]
        return found

    assert_close(run(recorded=False, dropout=0.0), run(recorded=True, dropout=0.0))
    dropped = run(recorded=True, dropout=0.5)
    assert_close(dropped, run(recorded=True, dropout=0.5))
    assert not torch.equal(dropped[0], run(recorded=True, dropout=0.0)[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_cuda_graph_drops_anew_every_time():
    gpu = torch.device("cuda", torch.cuda.current_device())
    step = build(network={"dropout": 0.5})
    step.network.to(gpu)
    step.loss.to(gpu)
    step.parameters = [*step.network.parameters(), *step.loss.parameters()]
    take, data = RecordedStep(step, record_cuda_graph), moved(inputs(), gpu)
    losses = [take(data)["loss"].item() for _ in range(3)]
    assert len(set(losses)) == 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_step_waits_for_no_gpu():
    gpu = torch.device("cuda", torch.cuda.current_device())
    step = build()
    step.network.to(gpu)
    step.loss.to(gpu)
    step.parameters = [*step.network.parameters(), *step.loss.parameters()]
    data = moved(inputs(), gpu)
    step(data)  # libraries start
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(data)
    finally:
        torch.cuda.set_sync_debug_mode("default")
