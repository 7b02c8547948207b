"""A network cut into parts that run one after another, so that some may stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wherewhen.features.backbones.tracing import trace

if TYPE_CHECKING:
    from torch import fx, nn


class SplitError(ValueError):
    """A network that can't be cut there."""


def split(network: nn.Module, after: Sequence[str]) -> list[nn.Module]:
    """Cut a network behind some of its modules.

    Parameters
    ----------
    network
        Takes one tensor and returns one. Its way is traced; weights are shared, not copied.
    after
        Names of modules, in the order in which they run. All that follows one may depend on its
        output alone.

    Returns
    -------
    list of torch.nn.Module
        One part more than names; one after another they compute what the network does. Weights
        keep their names.

    Raises
    ------
    SplitError
        If the network's way can't be traced, or what follows a cut also needs what is before it.

    Examples
    --------
    >>> from torch import nn
    >>> first, second = split(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), ["1"])
    >>> list(first.state_dict()), list(second.state_dict())
    (['0.weight', '0.bias'], ['2.weight', '2.bias'])
    """
    try:
        graph, outputs = trace(network)
    except Exception as error:  # whatever a network's code raises on a stand-in for a tensor
        raise SplitError(f"the network can't be traced, and so not be cut: {error}") from error
    if unknown := [name for name in after if name not in outputs]:
        raise SplitError(f"the network has no module {unknown[0]} behind which it can be cut")
    (image,) = (node for node in graph.nodes if node.op == "placeholder")
    (last,) = next(node for node in graph.nodes if node.op == "output").all_input_nodes
    ends = [image, *(outputs[name] for name in after), last]
    return [_between(network, graph, *ends[place : place + 2]) for place in range(len(after) + 1)]


def _between(network: nn.Module, graph: fx.Graph, start: fx.Node, end: fx.Node) -> nn.Module:
    """Make a module of what lies between the outputs of two nodes."""
    from torch import fx

    needed, waiting = set(), [end]
    while waiting:
        node = waiting.pop()
        if node is start or node in needed:
            continue
        if node.op == "placeholder":
            raise SplitError(f"what follows {start.name} also needs what is before it")
        needed.add(node)
        waiting += node.all_input_nodes
    part = fx.Graph()
    copies = {start: part.placeholder("given")}
    for node in graph.nodes:  # in the order in which they run
        if node in needed:
            copies[node] = part.node_copy(node, copies.__getitem__)
    part.output(copies[end])
    return fx.GraphModule(network, part)
