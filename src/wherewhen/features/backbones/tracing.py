"""The way of a tensor through a network, as a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import fx, nn


def trace(network: nn.Module) -> tuple[fx.Graph, dict[str, fx.Node]]:
    """Trace a network.

    Returns
    -------
    graph : torch.fx.Graph
        Convolutions and batch norms are single nodes, also those that other libraries derived, e.g.
        a norm with an activation in it.
    outputs : dict
        The node of each module's output, by the module's name.

    Raises
    ------
    Exception
        Whatever the network's code raises on a stand-in for a tensor, such as control flow that
        depends on the image.
    """
    from torch import fx, nn

    outputs: dict[str, fx.Node] = {}

    class Tracer(fx.Tracer):
        def is_leaf_module(self, part: nn.Module, name: str) -> bool:
            kinds = (nn.Conv2d, nn.BatchNorm2d)
            return isinstance(part, kinds) or super().is_leaf_module(part, name)

        def call_module(self, part, forward, args, kwargs):
            made = super().call_module(part, forward, args, kwargs)
            if isinstance(made, fx.Proxy):
                outputs[self.path_of_module(part)] = made.node
            return made

    return Tracer().trace(network), outputs
