"""Locks in a bucket: leases that their holders renew, and that end when they don't.

A bucket knows no locks that end with a process, but it can create an object that must not be there
yet. A lock is a folder of numbered objects: who creates the next number holds it. While it is held,
the holder writes the object anew every `BEAT` seconds; when it is released, the object says so. A
holder whose object does not change for `EXPIRY` seconds is taken for dead, by the clock of whoever
waits, and the next number may be created. No two can hold a lock unless one of them was silent that
long; it finds a higher number then, and keeps nothing more.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from wherewhen.files import BucketError

BEAT = 10.0
"""Seconds between two signs of life."""
EXPIRY = 60.0
"""Seconds of silence after which a holder is taken for dead."""
POLL = 1.0
"""Seconds between two looks at a lock that another one holds."""


class Lease:
    """A lock in a bucket.

    Parameters
    ----------
    ask : callable
        Calls a method of the bucket's file system, as `wherewhen.buckets.Bucket.ask` does.
    folder : str
        Where the lock's objects are.
    copy : str
        Name of the copy of the bucket that is locked. Whoever asks has locked that copy on its
        machine: another holder of the same copy was killed.
    """

    def __init__(self, ask: Callable[..., Any], folder: str, copy: str) -> None:
        self._ask, self._folder, self._copy = ask, folder, copy
        self._nonce = secrets.token_hex(8)
        self._number, self._beats, self._seen = 0, 0, 0.0
        self._since = datetime.now().astimezone().isoformat(timespec="seconds")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="lease")

    def acquire(self, waits: Callable[[str], object]) -> None:
        """Hold the lock; first wait for another holder to release it, or to be silent.

        Parameters
        ----------
        waits : callable
            As for `wherewhen.locks.held`; called once the other holder has given a sign of life.
        """
        before, changed, told = None, time.monotonic(), False
        while True:
            last = number, note = self._last()
            if last != before:
                if before is not None and not told and not self._is_free(note):
                    waits(_holder(note))
                    told = True
                before, changed = last, time.monotonic()
            silent = time.monotonic() - changed > EXPIRY
            if (silent or self._is_free(note)) and self._create(number + 1):
                break
            time.sleep(POLL)
        self._remove_below()
        self._thread.start()

    def _is_free(self, note: dict[str, Any]) -> bool:
        """Whether nobody holds the lock, or one who was killed."""
        return note.get("released", True) or note["copy"] == self._copy

    def release(self) -> None:
        """Give the lock back."""
        self._ended.set()
        self._thread.join(EXPIRY)
        if self._is_ours():
            self._write(released=True)

    def require(self) -> None:
        """Refuse to go on without the lock.

        Raises
        ------
        BucketError
            If another one took it after a silence of this one.
        """
        if time.monotonic() - self._seen < EXPIRY:
            return
        if not self._is_ours():
            raise BucketError(
                f"{self._folder}: this process was silent for more than {EXPIRY:g} s, and another "
                "one took its lock over: nothing more is written. Run again when that has ended"
            )
        self._write()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with suppress(OSError):  # the bucket can't be reached: `require` looks again
                if self._is_ours():
                    self._write()

    def _is_ours(self) -> bool:
        number, note = self._last()
        return number == self._number and note.get("nonce") == self._nonce

    def _last(self) -> tuple[int, dict[str, Any]]:
        """Return the highest number, and what it says; 0 if there is none."""
        found = sorted(self._ask("find", self._folder))
        if not found:
            return 0, {}
        number = int(found[-1].rpartition("/")[2].removesuffix(".json"))
        try:
            return number, json.loads(self._ask("cat_file", found[-1]))
        except FileNotFoundError:  # a higher one came meanwhile
            return self._last()

    def _create(self, number: int) -> bool:
        self._number = number
        try:
            self._write(mode="create")
        except FileExistsError:
            return False
        return True

    def _write(self, released: bool = False, **options: Any) -> None:
        self._beats += 1
        note = {
            "copy": self._copy,
            "nonce": self._nonce,
            "process": os.getpid(),
            "host": socket.gethostname(),
            "since": self._since,
            "beats": self._beats,
            "released": released,
        }
        self._ask("pipe_file", self._place(self._number), json.dumps(note).encode(), **options)
        self._seen = time.monotonic()

    def _place(self, number: int) -> str:
        return f"{self._folder}/{number:09d}.json"

    def _remove_below(self) -> None:
        for place in sorted(self._ask("find", self._folder)):
            if place.rpartition("/")[2] < f"{self._number:09d}.json":
                self._ask("rm_file", place)


def _holder(note: dict[str, Any]) -> str:
    since = datetime.fromisoformat(note["since"]).astimezone()
    return f"process {note['process']} on {note['host']} since {since:%Y-%m-%d %H:%M}"
