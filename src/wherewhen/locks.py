"""One process at a time: locks that end with the process that holds them."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(folder: Path, busy: Callable[[], object]) -> Iterator[Path]:
    """Be the only process that is at a folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there; a file ``.lock`` stays in it.
    busy : callable
        Called if another process is there: it raises, or returns to have its end waited for.

    Yields
    ------
    Path
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, killed or not
        except BlockingIOError:
            busy()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
