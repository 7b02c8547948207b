"""Runs a case in a process of its own, which may be killed, run out of memory or never end.

What is imported here is imported once, by the process from which all others are forked.
"""

from __future__ import annotations

import logging
import os
import re
import resource
import signal
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy  # noqa: F401
import pandas  # noqa: F401
import PIL.Image  # noqa: F401
import safetensors.numpy  # noqa: F401
import scipy.io  # noqa: F401
import timm  # noqa: F401
import torch
import torchvision.io  # noqa: F401

import wherewhen.features.extraction
import wherewhen.metric_learning.files
import wherewhen.model.siamese
import wherewhen.search
import wherewhen.tracklets.readers
import wherewhen.tracklets.split_files  # noqa: F401
from hostile import all_cases

ADDRESSES = 8 * 2**30
"""Bytes of address space beside those that the process has: a last resort."""

LONGEST = 300
"""Seconds by the clock, which a busy machine may need."""


class Observed(NamedTuple):
    """What came of an input."""

    errors: tuple[str, ...]
    """Names of the raised error's class and of those above it."""
    message: str
    traceback: str
    megabytes: float
    seconds: float


def observe(name: str, folder: Path, answers: Connection) -> None:
    """Run a case and send an `Observed`."""
    torch.set_num_threads(1)
    logging.disable()
    signal.alarm(LONGEST)
    [case] = [each for each in all_cases() if each.name == name]
    os.chdir(folder)
    errors: tuple[str, ...] = ()
    message = trace = ""
    steps = case.act(folder)
    next(steps)
    before, started = _forget_peak(), time.process_time()
    try:
        next(steps, None)
    except Exception as error:
        errors = tuple(kind.__name__ for kind in type(error).__mro__)
        message, trace = str(error), traceback.format_exc()
    seconds = time.process_time() - started
    answers.send(Observed(errors, message, trace, _status("VmHWM") - before, seconds))


def _forget_peak() -> float:
    """Bound the memory, and return how many MB there are now."""
    limit = int(_status("VmSize") * 2**20) + ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM counts from here
    return _status("VmRSS")


def _status(field: str) -> float:
    text = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+)", text)[1]) / 1024
