"""A training step: forward, backward and gradient clipping.

In micro-batches, in several processes, or as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from wherewhen.model.attention import entropy_share
from wherewhen.model.siamese import Encoding, SiameseNetwork
from wherewhen.training.config import TrainingConfig
from wherewhen.training.guidance import Shown
from wherewhen.training.losses import Compared, TrainingLoss, used_terms
from wherewhen.training.processes import Group
from wherewhen.training.transfer import move

if TYPE_CHECKING:  # a benchmark on a bare machine has no pandas
    from wherewhen.training.pairs import Batch


class StepInputs(NamedTuple):
    """Inputs of a step, on its device."""

    cubes: Tensor
    """``[N, T, H, W, B]``, reduced (`SiameseNetwork.encode_reduced`): this process's share of the
    clips, all of them if it is alone. What follows is of the whole batch."""
    mask: Tensor
    """``[N, T]``: valid frames."""
    compared: Compared
    """Pairs and persons."""
    scheduled: dict[str, Tensor]
    """Scalars: values of the loss's scheduled fields at this step."""
    whole: bool = False
    """Whether all frames of the cubes are valid; masking is then skipped."""
    shown: Shown | None = None
    """What the clips show, where it is known."""

    def tensors(self) -> list[Tensor]:
        """Return all tensors in one list."""
        known = self.shown or ()
        return [self.cubes, self.mask, *self.compared, *self.scheduled.values(), *known]


Values = dict[str, Tensor]
"""Scalars returned by a step: the loss, its terms and measures; a recorded step overwrites them."""

TakeStep = Callable[[StepInputs], Values]


def compare(batch: Batch, device: torch.device, pairs: int | None = None) -> Compared:
    """Copy a batch's pairs to the device.

    Parameters
    ----------
    batch
        From a sampler.
    device
        Device of the step.
    pairs
        Pad the pairs to this number; None for no padding.
    """
    missing = 0 if pairs is None else pairs - len(batch.left)

    def filled(values: torch.Tensor) -> Tensor:
        return move(nn.functional.pad(values, (0, missing)), device)

    left, right, same = (torch.from_numpy(one) for one in (batch.left, batch.right, batch.same))
    counted = torch.ones_like(same)
    persons = move(torch.from_numpy(batch.persons), device)
    return Compared(filled(left), filled(right), filled(same), filled(counted), persons)


class Step:
    """Computes and clips the gradients, without waiting for a GPU.

    Parameters
    ----------
    network, loss
        The network and its loss.
    parameters
        Parameters whose gradients are computed.
    config
        ``gradient_clip, micro_batch``.
    group
        Processes that share the batch; None for this one alone.

    See Also
    --------
    RecordedStep : The same as a CUDA graph.
    """

    def __init__(
        self,
        network: SiameseNetwork,
        loss: TrainingLoss,
        parameters: Sequence[nn.Parameter],
        config: TrainingConfig,
        group: Group | None = None,
    ) -> None:
        self.network = network
        self.loss = loss
        self.parameters = parameters
        self.config = config
        self.group = group or Group()

    def __call__(self, inputs: StepInputs) -> Values:
        """Compute the gradients; return the values of the step."""
        for parameter in self.parameters:
            parameter.grad = None
        size = self.config.micro_batch or len(inputs.cubes)
        if self.group.size == 1 and size >= len(inputs.cubes):
            encoding, terms = self._whole(inputs)
        else:
            encoding, terms = self._in_parts(inputs, size)
        values = terms | {
            "gradient_norm": torch.nn.utils.get_total_norm(self._gradients()),
            "attention_entropy": entropy_share(encoding.attention.detach(), inputs.mask),
        }
        torch.nn.utils.clip_grad_value_(self.parameters, self.config.gradient_clip)
        return {name: value.detach() for name, value in values.items()}

    def _encode(self, cubes: Tensor, mask: Tensor, whole: bool) -> Encoding:
        return self.network.encode_reduced(cubes, None if whole else mask, trusted=True)

    def _terms(self, encoding: Encoding, inputs: StepInputs) -> dict[str, Tensor]:
        features = encoding.embedding  # the neck sees all clips at once
        return self.loss(
            self.network.pairwise_logits,
            encoding._replace(embedding=self.network.neck(features)),
            inputs.mask,
            inputs.compared,
            inputs.scheduled,
            inputs.shown,
            features,
        )

    def _whole(self, inputs: StepInputs) -> tuple[Encoding, dict[str, Tensor]]:
        encoding = self._encode(inputs.cubes, inputs.mask, inputs.whole)
        terms = self._terms(encoding, inputs)
        terms["loss"].backward()
        return encoding, terms

    def _gradients(self) -> list[Tensor]:
        return [p.grad for p in self.parameters if p.grad is not None]

    def _in_parts(self, inputs: StepInputs, size: int) -> tuple[Encoding, dict[str, Tensor]]:
        """Differentiate the loss by the encodings of all parts, then these by the weights.

        The parts are those of all processes. Where this one has several, it encodes each again
        when the gradient by its encodings is known, with the same random numbers, so that dropout
        is the same. Source: Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under
        Memory Limited Setup".
        """
        own = self.group.share(len(inputs.mask))
        parts = list(zip(inputs.cubes.split(size), inputs.mask[own].split(size), strict=True))
        again = len(parts) > 1
        device = inputs.cubes.device
        states, encodings = [], []
        with torch.no_grad() if again else nullcontext():
            for cubes, mask in parts:
                states.append(_random_state(device))
                encodings.append(self._encode(cubes, mask, inputs.whole))
        leaves = self._gathered(encodings, len(inputs.mask))
        terms = self._terms(leaves, inputs)
        terms["loss"].backward()
        for gradient in self._gradients():
            gradient /= self.group.size  # every process has these: their sum is to be their mean
        by_encoding = [
            (torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)[own].split(size)
            for leaf in leaves
        ]
        for part, state, encoding, *gradients in zip(
            parts, states, encodings, *by_encoding, strict=True
        ):
            if again:
                _set_random_state(state, device)
                encoding = self._encode(*part, inputs.whole)
            pairs = zip(encoding, gradients, strict=True)
            learned = [(tensor, by) for tensor, by in pairs if tensor.requires_grad]
            if learned:  # a mean of cubes that are not projected has nothing to learn
                torch.autograd.backward(*zip(*learned, strict=True))
        self.group.add_up(self._gradients())
        return leaves, terms

    def _gathered(self, encodings: Sequence[Encoding], clips: int) -> Encoding:
        """Join the parts' encodings to those of all clips, as leaves."""
        joined = [torch.cat(tensors).detach() for tensors in zip(*encodings, strict=True)]
        return Encoding(*(self.group.gather(each, clips).requires_grad_() for each in joined))


class Recorded(NamedTuple):
    """A recorded step and its buffers."""

    inputs: StepInputs
    replay: Callable[[], None]
    outputs: Values
    gradients: list[Tensor | None]


Record = Callable[[Callable[[], Values]], tuple[Callable[[], None], Values]]


class RecordedStep:
    """Replays a step, recorded once for every shape of its inputs.

    A CUDA graph launches thousands of small operations at once.

    Parameters
    ----------
    step
        The step.
    record
        Records a function; returns a function that replays it on the same buffers, and its outputs.

    See Also
    --------
    record_cuda_graph : Records a CUDA graph.
    """

    def __init__(self, step: Step, record: Record) -> None:
        self.step = step
        self.record = record
        self._recorded: dict[tuple, Recorded] = {}

    def __call__(self, inputs: StepInputs) -> Values:
        """Compute the gradients; return the values, which the next step overwrites."""
        shapes = tuple((tensor.shape, tensor.dtype) for tensor in inputs.tensors())
        kind = (*shapes, inputs.whole)
        recorded = self._recorded.get(kind)
        if recorded is None:
            recorded = self._recorded[kind] = self._record(inputs)
        for buffer, tensor in zip(recorded.inputs.tensors(), inputs.tensors(), strict=True):
            buffer.copy_(tensor, non_blocking=True)
        recorded.replay()
        for parameter, gradient in zip(self.step.parameters, recorded.gradients, strict=True):
            parameter.grad = gradient
        return recorded.outputs

    def _record(self, inputs: StepInputs) -> Recorded:
        buffers = StepInputs(
            inputs.cubes.clone(),
            inputs.mask.clone(),
            Compared(*(tensor.clone() for tensor in inputs.compared)),
            {name: tensor.clone() for name, tensor in inputs.scheduled.items()},
            inputs.whole,
            inputs.shown and Shown(*(tensor.clone() for tensor in inputs.shown)),
        )
        statistics = list(self.step.network.buffers())
        before = [statistic.clone() for statistic in statistics]
        replay, outputs = self.record(lambda: self.step(buffers))
        for statistic, value in zip(statistics, before, strict=True):
            statistic.copy_(value)  # recording has seen the batch several times
        gradients = [parameter.grad for parameter in self.step.parameters]
        return Recorded(buffers, replay, outputs, gradients)


def record_cuda_graph(
    function: Callable[[], Values],
) -> tuple[Callable[[], None], Values]:
    """Record a function as a CUDA graph on the current device; the RNG state is not changed.

    Parameters
    ----------
    function
        The same operations on the same buffers at every call, independent of their values.
    """
    state = torch.cuda.get_rng_state()
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):  # warm-up: libraries choose algorithms and allocate workspaces
            function()
    torch.cuda.current_stream().wait_stream(aside)
    torch.cuda.set_rng_state(state)
    graph = torch.cuda.CUDAGraph()
    # operations of other threads, such as pinning the next batch, are not recorded
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        outputs = function()
    return graph.replay, outputs


def build_step(
    network: SiameseNetwork,
    loss: TrainingLoss,
    parameters: Sequence[nn.Parameter],
    config: TrainingConfig,
    device: torch.device,
    group: Group | None = None,
) -> TakeStep:
    """Build the step for a device.

    Parameters
    ----------
    network, loss, parameters, config
        See `Step`; ``cuda_graph, micro_batch, processes`` decide whether it is recorded.
    device
        Device of the step.
    group
        See `Step`.
    """
    step = Step(network, loss, parameters, config, group)
    if is_recorded(config, device, network):
        return RecordedStep(step, record_cuda_graph)
    return step


def is_recorded(config: TrainingConfig, device: torch.device, network: SiameseNetwork) -> bool:
    """Whether the step is recorded; pairs are then padded, for few shapes.

    The large products of a trunk leave nothing to gain by it.
    """
    on = device.type == "cuda" and config.cuda_graph and config.processes == 1
    recordable = all(term.recordable for term in used_terms(config).values())
    return on and recordable and config.micro_batch is None and network.trunk is None


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_random_state(state: Tensor, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
