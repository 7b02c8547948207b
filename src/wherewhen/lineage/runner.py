"""Kedro's runner, which makes what is missing or out of date and takes over the rest."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain, islice
from typing import Any

from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from kedro.runner.task import Task

from wherewhen.lineage.ahead import calls, run_ahead
from wherewhen.lineage.code import load_code
from wherewhen.lineage.ledger import Ledger
from wherewhen.project import project_root
from wherewhen.tracklets.folders import listed

log = logging.getLogger(__name__)

SHARED = "shared"
"""The lock of what belongs to no trial."""

LISTED = 12
"""Reasons that are printed before the rest is only counted."""


class Runner(SequentialRunner):
    """Run nodes one after the other, as far as what they make is not there already.

    Parameters
    ----------
    anew : bool
        Remove what the nodes have made for these parameters first, so that all of them run.
    is_async : bool
        As Kedro's.
    """

    def __init__(self, anew: bool = False, is_async: bool = False) -> None:
        super().__init__(is_async=is_async)
        self._anew = anew

    def run(self, pipeline: Pipeline, catalog: Any, *arguments: Any, **options: Any) -> dict:
        """Run a pipeline; see Kedro's `AbstractRunner.run`.

        `only_missing_outputs` is what every run does, so it makes no difference.
        """
        options.pop("only_missing_outputs", None)
        return super().run(pipeline, catalog, *arguments[:2], **options)

    def _run(
        self, pipeline: Pipeline, catalog: Any, hook_manager: Any = None, run_id: str | None = None
    ) -> None:
        ledger: Ledger = catalog.ledger
        ledger.follow(project_root() / "data")
        with _locked(ledger, pipeline, everything=self._anew):
            if self._anew:
                ledger.remove(pipeline.nodes)
            ledger.require(pipeline)
            _announce(ledger.plan(pipeline.nodes))
            self._make(ledger, pipeline, catalog, hook_manager, run_id)

    def _make(
        self, ledger: Ledger, pipeline: Pipeline, catalog: Any, hook_manager: Any, run_id: Any
    ) -> None:
        """Run the nodes that have to, each judged when all before it is there."""
        nodes, made, ahead = pipeline.nodes, 0, set()
        uses = Counter(chain.from_iterable(node.inputs for node in nodes))
        for place, node in enumerate(nodes):
            if ledger.plan(nodes[place:])[node.name]:
                load_code(node.func)
                if node.name not in ahead and any(map(ledger.is_workspace, node.inputs)):
                    ahead |= run_ahead(calls(catalog, nodes[place:]), ledger.parameters)
                try:
                    Task(node, catalog, self._is_async, hook_manager, run_id).execute()
                except BaseException:
                    ledger.discard_unfinished(node)
                    raise
                ledger.done_with(node)
                made += 1
                log.info("made by %s (%d of %d nodes)", node.name, place + 1, len(nodes))
            self._release_datasets(node, catalog, uses, pipeline)
        log.info("%d of %d nodes ran, %d were taken over", made, len(nodes), len(nodes) - made)


@contextmanager
def _locked(ledger: Ledger, pipeline: Pipeline, everything: bool) -> Iterator[None]:
    """Be the only process that makes what belongs to a data set and to each of some trials.

    Another run that is at the same trial is waited for; what it has made is then taken over.
    """
    folder = project_root() / "data" / ".locks" / ledger.parameters.evaluate.dataset
    with ExitStack() as stack:
        locked: set[str] = set()
        while missing := _scopes(ledger, pipeline, everything) - locked:
            for scope in sorted(missing):
                waits = partial(_say_waiting, folder.name, scope)
                stack.enter_context(ledger.files.held(folder / f"{scope}.lock", waits))
            locked |= missing
            ledger.refresh()
        yield


def _scopes(ledger: Ledger, pipeline: Pipeline, everything: bool) -> set[str]:
    """Name the trials, or `SHARED`, of the nodes that have to run."""
    plan = ledger.plan(pipeline.nodes)
    return {node.namespace or SHARED for node in pipeline.nodes if everything or plan[node.name]}


def _say_waiting(dataset: str, scope: str, who: str) -> None:
    what = dataset if scope == SHARED else f"{scope} of {dataset}"
    log.info("waiting for another run that is at %s (%s); Ctrl-C gives up", what, who)


def _announce(plan: dict[str, str | None]) -> None:
    """Say what is taken over, and why the rest is made."""
    reasons = {name: reason for name, reason in plan.items() if reason}
    first = {name: why for name, why in reasons.items() if not why.startswith("follows from ")}
    if not reasons:
        log.info("nothing is out of date: all %d nodes are taken over", len(plan))
        return
    log.info("%d of %d nodes are taken over", len(plan) - len(reasons), len(plan))
    grouped: dict[str, list[str]] = {}
    for name, why in first.items():
        grouped.setdefault(why, []).append(name)
    for why, names in islice(grouped.items(), LISTED):
        log.info("to be made, %s: %s", why, listed(names, shown=4))
    if len(grouped) > LISTED:
        log.info("to be made, for %d other reasons", len(grouped) - LISTED)
    if following := len(reasons) - len(first):
        log.info("to be made, if what they read changes: %d nodes that follow", following)
