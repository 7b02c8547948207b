"""What every benchmark needs: fair timing, and a record that says where it was taken.

A benchmark is a script ``benchmarks/<name>.py --json FILE``.  Its variants run interleaved in one
process, so that a machine that slows down slows all of them, and are reported as ratios of medians.
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Describe the machine: processor, usable cores, memory, and the GPU if torch sees one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    record: dict[str, Any] = {
        "processor": _processor(),
        "cores": cores,
        "system": platform.system(),
    }
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        record["memory_gib"] = round(memory / 2**30, 1)
    torch = sys.modules.get("torch")  # never imported for the record alone
    if torch is not None and torch.cuda.is_available():
        record["gpu"] = torch.cuda.get_device_name()
    return record


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions(*names: str) -> dict[str, str]:
    """Versions of Python and of the named distributions."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def interleaved(
    functions: Mapping[str, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
    warm_up: bool = True,
) -> dict[str, list[float]]:
    """Time functions in turn, round after round, in another order every round.

    The order is drawn from a fixed seed: one function may leave in the caches what the next needs.

    Parameters
    ----------
    functions
        Variant name -> call without arguments.  A GPU variant synchronises inside its call.
    repeats
        Timed rounds.
    clock
        Says the time in seconds: `time.process_time` on one thread does not count the time that a
        busy machine gives to others.
    warm_up
        Whether one untimed round goes before.

    Returns
    -------
    dict
        Variant name -> seconds of every round.
    """
    for function in functions.values() if warm_up else ():
        function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    order, generator = list(functions.items()), random.Random(0)
    for _ in range(repeats):
        generator.shuffle(order)
        for name, function in order:
            start = clock()
            function()
            seconds[name].append(clock() - start)
    return seconds


def rows(
    seconds: Mapping[str, Sequence[float]], baseline: str, device: str = "cpu", dtype: str = ""
) -> list[dict[str, Any]]:
    """Medians as rows of the record; ``ratio`` is how many times faster than the baseline."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return [
        {
            "variant": name,
            "device": device,
            "dtype": dtype,
            "seconds": median,
            "ratio": medians[baseline] / median,
        }
        for name, median in medians.items()
    ]


def spread(values: Sequence[float], sign: str = "") -> str:
    """Write mean and standard deviation with one decimal; of one value the value alone."""
    deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):{sign}.1f}{deviation}"


def record(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    packages: Sequence[str] = ("torch", "numpy"),
    **facts: Any,
) -> dict[str, Any]:
    """Put rows together with where they were taken, and by which versions."""
    return {
        "name": name,
        "machine": machine(),
        "versions": versions(*packages),
        **facts,
        "rows": [dict(row) for row in rows],
    }


def write(
    path: str | Path | None,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    packages: Sequence[str] = ("torch", "numpy"),
    **facts: Any,
) -> dict[str, Any]:
    """Print the rows as a table and, where a path is given, write the record as JSON."""
    made = record(name, rows, packages, **facts)
    sys.stdout.write(_table(made))
    save(path, made)
    return made


def save(path: str | Path | None, made: Mapping[str, Any]) -> None:
    """Write a record as JSON, where a path is given."""
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(made, indent=1) + "\n")


def _table(record: Mapping[str, Any]) -> str:
    lines = [f"{record['name']}  {record['machine']}"]
    for row in record["rows"]:
        where = " ".join(part for part in (row["device"], row["dtype"]) if part)
        lines.append(
            f"  {row['variant']:<40} {where:<14} {row['seconds']:>11.6f} s {row['ratio']:>7.2f} x"
        )
    return "\n".join(lines) + "\n"
