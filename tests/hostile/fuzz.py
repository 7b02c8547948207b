"""Fuzz the readers of bytes, led by the lines that an input reaches (libFuzzer, by atheris).

``uv run --group fuzz python tests/hostile/fuzz.py --runs 10000`` gives every reader of
`hostile.targets` so many inputs, each reader in a process of its own, and says how many inputs ran
and what they reached. An error that a reader does not document stops it, and its input is kept in
the folder ``--found``.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import re
import subprocess
import sys
import time
from pathlib import Path

SUPPORT = Path(__file__).resolve().parents[1] / "support"
INSTRUMENTED = ["wherewhen.tracklets", "wherewhen.model.files", "wherewhen.metric_learning.files"]
INSTRUMENTED += ["wherewhen.features", "wherewhen.search.files", "wherewhen.search.gallery"]
INSTRUMENTED += ["wherewhen.recogniser", "wherewhen.galleries.marks", "wherewhen.commands"]
INSTRUMENTED += ["wherewhen.pretrained", "wherewhen.tensor_headers", "tarfile", "zipfile"]
DONE = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)")


def fuzz(name: str, runs: int, found: Path) -> None:
    """Fuzz one reader in this process, which ends with it."""
    import atheris

    sys.path.insert(0, str(SUPPORT))
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from hostile.targets import HOME, TARGETS

        target = TARGETS[name]()
        seed = target.seed()
        target.read(seed)  # imports the rest
    logging.disable()
    corpus = HOME / "corpus"
    corpus.mkdir()
    (corpus / "seed").write_bytes(seed)

    def one(content: bytes) -> None:
        with contextlib.suppress(*target.errors):
            target.read(content)

    options = [
        f"-runs={runs}",
        f"-artifact_prefix={found}/{name}-",
        "-seed=1",
        "-rss_limit_mb=4096",
    ]
    options += [f"-max_len={max(4096, 2 * len(seed))}", "-timeout=120"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def main() -> int:
    """Fuzz one reader or all; return whether a fault was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="readers; all by default")
    parser.add_argument("--runs", type=int, default=10_000, help="inputs of each reader")
    parser.add_argument("--found", type=Path, default=Path("fuzz"), help="folder for what is found")
    parser.add_argument("--here", action="store_true", help="in this process, the first of them")
    given = parser.parse_args()
    given.found.mkdir(parents=True, exist_ok=True)
    if given.here:
        fuzz(given.names[0], given.runs, given.found.resolve())
    sys.path.insert(0, str(SUPPORT))
    from hostile.targets import TARGETS

    total = faults = 0
    for name in given.names or TARGETS:
        start = time.perf_counter()
        command = [sys.executable, __file__, "--here", name, "--runs", str(given.runs)]
        command += ["--found", str(given.found)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        said = DONE.search(done.stderr)
        if done.returncode or said is None:
            faults += 1
            print(f"{name}: a fault\n{done.stderr[-4000:]}", flush=True)
            continue
        total += int(said[1])
        print(
            f"{name}: {said[1]} inputs, {said[2]} edges, {said[4]} kept, "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
    print(f"{total} inputs in all, {faults} readers with a fault")
    return faults


if __name__ == "__main__":
    sys.exit(main())
