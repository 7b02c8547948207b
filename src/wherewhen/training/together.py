"""A training in several processes of several machines, which Ray Train places and starts.

They share every batch as processes of one machine do (`wherewhen.training.processes`); but none of
them is the process of the command. The first of them trains and leaves its checkpoints, and the
command goes on from the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch.distributed as dist

from wherewhen.training.processes import Group, Work


class Joined(Group):
    """A process of a group that is formed already."""

    @contextmanager
    def started(self, work: Work, given: Any, on_gpus: bool) -> Iterator[None]:
        """Send the others what they need; see `wherewhen.training.processes.Leader.started`."""
        self._send((work, given))
        yield
        dist.barrier()

    def follow(self, device: str) -> None:
        """Do what the first process sends, on a device; for all others."""
        work, given = self._send(None)
        work(self, given._replace(device=device))
        dist.barrier()

    @staticmethod
    def _send(message: Any) -> Any:
        """Send the first process's message to all; return it."""
        from ray import cloudpickle  # also pickles classes that functions have made, as timm's

        sent = [cloudpickle.dumps(message)]
        dist.broadcast_object_list(sent, src=0)
        return cloudpickle.loads(sent[0])


def take_part(given: tuple[Callable[..., Any], dict[str, Any]]) -> None:
    """Be one of the processes: train, or follow the one that does.

    Parameters
    ----------
    given
        `wherewhen.training.loop.train` and its arguments, of a training that is not finished.
    """
    from ray.train import get_context
    from ray.train.torch import get_device

    train, arguments = given
    context, device = get_context(), str(get_device())
    group = Joined(context.get_world_rank(), context.get_world_size())
    if group.rank == 0:
        train(**arguments, device=device, progress=False, group=group)
    else:
        group.follow(device)
