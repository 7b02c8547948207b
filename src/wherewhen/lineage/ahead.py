"""Long nodes that workers of several machines run ahead of their turn.

A node with a folder of its own goes on from what lies there. So workers can run such nodes of many
trials side by side, which leaves a finished state in each folder. The runner then runs each in its
turn as ever, and is done in a moment: it alone writes artifacts, records and MLflow's metrics.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kedro.pipeline import Node

from wherewhen.execution.engine import engine_of
from wherewhen.lineage.catalog import PARAMETER
from wherewhen.lineage.ledger import parameter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """A node with its inputs loaded."""

    name: str
    """The node's."""
    function: Callable[..., Any]
    """What it runs."""
    inputs: Sequence[Any]
    """In the order of its arguments."""

    def __str__(self) -> str:
        return self.name


def calls(catalog: Any, nodes: Sequence[Node]) -> list[Call]:
    """Load the inputs of nodes that have to run, have a folder of their own, and could run now.

    Parameters
    ----------
    catalog : wherewhen.lineage.catalog.Catalog
        Has a ledger.
    nodes : sequence of Node
        In the order in which they run.

    Returns
    -------
    list of Call
        Empty where the parameters ask for no workers.
    """
    ledger = catalog.ledger
    own = [node for node in nodes if any(map(ledger.is_workspace, node.inputs))]
    if not own or ledger.parameters.execution.engine == "local":
        return []
    if ledger.parameters.train.training.processes > 1:
        return []  # each takes many workers itself
    plan = ledger.plan(nodes)

    def load(name: str) -> Any:
        if name.startswith(PARAMETER):
            return parameter(ledger.parameters, name)
        return catalog.load(name)

    return [
        Call(node.name, node.func, [load(name) for name in node.inputs])
        for node in own
        if plan[node.name] and not _awaits(ledger, node, plan)
    ]


def run_ahead(waiting: Sequence[Call], parameters: Any) -> set[str]:
    """Let workers run nodes, whose results stay in the nodes' folders.

    Parameters
    ----------
    waiting : sequence of Call
        From `calls`, of one set of parameters or of several.
    parameters : Any
        Say where.

    Returns
    -------
    set of str
        Names of the nodes.
    """
    if len(waiting) < 2:  # alone it needs no company
        return set()
    from wherewhen.devices import usable_device

    engine = engine_of(parameters.execution, usable_device(parameters.device))
    log.info("%d nodes are run by workers: %s ...", len(waiting), waiting[0])
    ended = engine.map(_run, waiting, long=True)
    for number, (name, error) in enumerate(ended, start=1):
        if error:
            log.warning("a worker failed at %s, which is tried again here: %s", name, error)
        else:
            log.info("a worker has run %s (%d of %d)", name, number, len(waiting))
    return {call.name for call in waiting}


def _run(waiting: Iterable[Call]) -> Iterator[tuple[str, str]]:
    """Run nodes; yield their names, and errors, which are not to stop others."""
    for call in waiting:
        try:
            call.function(*call.inputs)
        except Exception as error:
            yield call.name, f"{type(error).__name__}: {error}"
        else:
            yield call.name, ""


def _awaits(ledger: Any, node: Node, plan: dict[str, str | None]) -> bool:
    """Whether an input of a node is still to be made."""
    makers = (ledger.maker(name) for name in node.inputs)
    return any(maker is not None and plan.get(maker.name) for maker in makers)
