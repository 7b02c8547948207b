"""Several processes of one machine that share every batch: one a GPU, or on a CPU.

Every process encodes its share of the clips. All gather the encodings and compute the loss of the
whole batch, and each goes on from the gradient by its own encodings: exact micro-batches (Gao et
al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup"), side by side
in place of one after the other. The gradients' sum over the processes is that of one process up to
rounding.

Why neither DistributedDataParallel nor Lightning Fabric: they average the gradients of losses that
each process has of its own clips, and this loss compares clips of all. Why no launcher such as
torchrun: it starts the whole program once a process, and Kedro, MLflow and the checkpoints want
one. So the present process is the first, and starts the others.

`torch.distributed` carries the tensors: gloo between CPUs, NCCL between GPUs.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing import (
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    start_processes,
)

HOST = "127.0.0.1"

TIMEOUT = timedelta(hours=2)
"""How long a process waits for another: also for the first one's validation. That a process has
died is noticed at once."""

GRACE = 10.0
"""Seconds for a process that has broken a connection to be found dead, and for others to end."""

POLL = 0.2
"""Seconds between looks at whether the others are ready."""


class ProcessDied(RuntimeError):
    """Another process of the training has ended before its last step."""


class Group:
    """The processes that share every batch, as one of them sees them; by default it is alone.

    Parameters
    ----------
    rank
        Its number, from 0.
    size
        Number of processes.

    Examples
    --------
    >>> [Group(rank, 3).share(8) for rank in range(3)]
    [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def share(self, clips: int) -> slice:
        """Return which of so many clips this process encodes; shares differ by one at most."""
        return _share(self.rank, self.size, clips)

    def gather(self, own: Tensor, clips: int) -> Tensor:
        """Return the rows of all so many clips, of which every process has its share's.

        Gradients do not flow through it.
        """
        if self.size == 1:
            return own
        padded = own.new_zeros((-(-clips // self.size), *own.shape[1:]))
        padded[: len(own)] = own
        received = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(received, padded)
        shares = (_share(rank, self.size, clips) for rank in range(self.size))
        lengths = (share.stop - share.start for share in shares)
        return torch.cat([part[:length] for part, length in zip(received, lengths, strict=True)])

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over the processes, the same to the bit in all."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        sums = flat.split([tensor.numel() for tensor in tensors])
        for tensor, total in zip(tensors, sums, strict=True):
            tensor.copy_(total.view_as(tensor))

    def decided(self, decision: bool, device: torch.device) -> bool:
        """Return the first process's decision, in all of them."""
        if self.size == 1:
            return decision
        told = torch.tensor(decision, dtype=torch.uint8, device=device)
        dist.broadcast(told, 0)
        return bool(told)

    def connect(self, device: torch.device) -> None:
        """Wait for the others, and form the group with them; computing on this device."""

    def check(self) -> None:
        """Raise `ProcessDied` if another process has died."""


Work = Callable[[Group, Any], None]
"""What the other processes do; a function of a module."""


class Leader(Group):
    """The first process, which starts the others.

    Parameters
    ----------
    size
        Number of processes, itself among them; with 1 nothing is started.
    """

    def __init__(self, size: int) -> None:
        super().__init__(0, size)
        self._store: dist.TCPStore
        self._others: ProcessContext
        self._over = threading.Event()

    @contextmanager
    def started(self, work: Work, given: Any, on_gpus: bool) -> Iterator[None]:
        """Start the others, and end them whatever happens.

        Parameters
        ----------
        work
            Called in each of them with its `Group` and `given`. It has to `connect`.
        given
            What it needs; it is pickled.
        on_gpus
            Whether each has a GPU of its own.

        Raises
        ------
        ProcessDied
            If one of them dies first.
        TypeError
            If `given` can't be pickled.
        """
        if self.size == 1:
            yield
            return
        if dist.is_initialized():
            raise RuntimeError(
                f"processes is {self.size}, and torch.distributed is in use already: train starts "
                "its processes itself, so start one program without torchrun"
            )
        with TemporaryDirectory(prefix="wherewhen-") as folder:
            path = Path(folder, "given.pt")
            _save(given, path)
            self._store = dist.TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
            gpus = _visible_gpus() if on_gpus else []
            arguments = (work, path, self._store.port, self.size, gpus)
            self._others = start_processes(
                _enter, arguments, self.size - 1, join=False, daemon=True, start_method="spawn"
            )
            try:
                yield
                self._over.set()
                _leave()
                for process in self._others.processes:
                    process.join(GRACE)
            except RuntimeError as error:  # of a broken connection, most likely
                if not isinstance(error, ProcessDied):
                    self.check(GRACE)
                raise
            finally:
                self._end()

    def connect(self, device: torch.device) -> None:
        """Wait until the others are ready, and form the group with them."""
        if self.size == 1:
            return
        ready = [_ready(rank) for rank in range(1, self.size)]
        while not self._store.check(ready):
            self.check(POLL)
        _form(self, self._store, device)
        if device.type == "cuda":
            threading.Thread(target=self._abort_if_one_dies, daemon=True).start()

    def check(self, seconds: float = 0.0) -> None:
        """Raise `ProcessDied` if another process has died, or does in so many seconds."""
        if self.size == 1:
            return
        try:
            self._others.join(seconds)
        except (ProcessExitedException, ProcessRaisedException) as error:
            raise ProcessDied(
                f"process {error.error_index + 2} of the {self.size} that train together has died, "
                f"and the training stops; it goes on from its last checkpoint when it is started "
                f"again (a script that trains in several processes needs `if __name__ == "
                f'"__main__":`). {str(error).strip()}'
            ) from None

    def _abort_if_one_dies(self) -> None:
        """Free this process from waiting for its GPU, which waits for that of a dead process."""
        wait([process.sentinel for process in self._others.processes])
        if not self._over.is_set():
            dist.group.WORLD.abort()

    def _end(self) -> None:
        self._over.set()
        for process in self._others.processes:
            process.kill()  # it has nothing to save
            process.join()
        if dist.is_initialized():
            dist.destroy_process_group()


class _Follower(Group):
    """Any other process."""

    def __init__(self, rank: int, size: int, store: dist.TCPStore) -> None:
        super().__init__(rank, size)
        self._store = store

    def connect(self, device: torch.device) -> None:
        """Say that this process is ready, and form the group with the others."""
        self._store.set(_ready(self.rank), "")
        _form(self, self._store, device)


def _enter(index: int, work: Work, path: Path, port: int, size: int, gpus: list[str]) -> None:
    """Be one of the other processes, from its start to its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first, which ends this one
    threading.Thread(target=_end_with_parent, args=(path.parent,), daemon=True).start()
    rank = index + 1
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[rank]
    given = torch.load(path, weights_only=False)
    work(_Follower(rank, size, dist.TCPStore(HOST, port, is_master=False)), given)
    _leave()


def _end_with_parent(folder: Path) -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(folder, ignore_errors=True)  # a killed process leaves its temporary folder
        os._exit(1)  # other threads may wait for a GPU for ever


def _form(group: Group, store: dist.TCPStore, device: torch.device) -> None:
    on_gpu = device.type == "cuda"
    dist.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=store,
        rank=group.rank,
        world_size=group.size,
        timeout=TIMEOUT,
        device_id=device if on_gpu else None,
    )


def _leave() -> None:
    """Leave the group when all do."""
    dist.barrier()
    dist.destroy_process_group()


def _share(rank: int, size: int, clips: int) -> slice:
    return slice(rank * clips // size, (rank + 1) * clips // size)


def _ready(rank: int) -> str:
    return f"process {rank} is ready"


def _visible_gpus() -> list[str]:
    """Name the GPUs that this process sees, as the environment would."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(n) for n in range(torch.cuda.device_count())]


def _save(given: Any, path: Path) -> None:
    try:
        torch.save(given, path)
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise TypeError(
            f"several processes are to train, and what they need can't be sent to them ({error}): "
            "set processes to 1, or keep the cubes in a store"
        ) from error
