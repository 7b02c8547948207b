"""Good and bad requests, many at a time, to a model that ``mlflow models serve`` serves.

    uv run python benchmarks/serving.py --json FILE
    uv run python benchmarks/serving.py --model models:/synthetic@champion --json FILE

Without a model, the one of this package is logged and registered in a folder of its own. Half of
the requests are good: tracklets of random pictures, PNG and JPEG. The others are the bad ones of
`BAD`, in turn. Every answer is checked: a good one has 200, an embedding of each tracklet and a
ranking of each probe; a bad one has 400 to 499, a reason, no traceback and no path of the server.
The same request is sent first and last. Memory is the server's resident set, its processes
together.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import functools
import io
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import _record
import numpy as np
import psutil
from PIL import Image

from wherewhen.recogniser import requests as limits

JSON = "application/json"
PATIENCE = 600
"""Seconds until a server that does not start, or an answer that does not come, is given up."""


class Request(NamedTuple):
    """What is sent, and whether it can be answered."""

    kind: str
    good: bool
    body: bytes
    content_type: str | None = JSON


class Reply(NamedTuple):
    """What came back."""

    status: int
    text: str
    seconds: float


# --- requests ---------------------------------------------------------------------------------


def picture(generator: np.random.Generator, kind: str = "PNG", size: tuple[int, int] = (64, 128),
            mode: str = "RGB", **options: Any) -> bytes:  # fmt: skip
    """Encode a picture of random blocks."""
    blocks = generator.integers(0, 256, (8, 4, 3), dtype=np.uint8)
    image = Image.fromarray(blocks).resize(size, Image.Resampling.BILINEAR).convert(mode)
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


@functools.cache
def bomb(width: int, height: int) -> bytes:
    """Encode a picture of one colour: a small file."""
    content = io.BytesIO()
    Image.new("RGB", (width, height)).save(content, "PNG")
    return content.getvalue()


def row(name: Any, role: Any, *pictures: bytes) -> dict[str, Any]:
    """Write a tracklet as a request has it."""
    frames = [base64.b64encode(each).decode() for each in pictures]
    return {"tracklet": name, "role": role, "frames": frames}


def body(*rows: Any, **params: Any) -> bytes:
    """Write a request."""
    return json.dumps({"dataframe_records": list(rows), "params": params}).encode()


def good(generator: np.random.Generator) -> Request:
    """Draw a probe and up to two tracklets of a gallery, of one or two frames."""
    rows = [
        row(
            f"tracklet {number}",
            "gallery" if number else "probe",
            *(
                picture(generator, ("PNG", "JPEG")[generator.integers(2)])
                for _ in range(generator.integers(1, 3))
            ),
        )
        for number in range(generator.integers(1, 4))
    ]
    return Request("good", True, body(*rows))


def _frame(name: str) -> Callable[[np.random.Generator], bytes]:
    """Make a request whose second frame is no frame."""

    def make(generator: np.random.Generator) -> bytes:
        sound = picture(generator)
        turned = Image.Exif()
        turned[0x0112] = 6
        jpeg = picture(generator, "JPEG")
        broken = {
            "truncated PNG": lambda: sound[: len(sound) // 2],
            "truncated JPEG": lambda: jpeg[: len(jpeg) // 2],
            "damaged PNG": lambda: sound[:-30] + bytes([sound[-30] ^ 255]) + sound[-29:],
            "grey": lambda: picture(generator, mode="L"),
            "CMYK": lambda: picture(generator, "JPEG", mode="CMYK"),
            "turned by EXIF": lambda: picture(generator, "JPEG", exif=turned),
            "animated": lambda: picture(
                generator, save_all=True, append_images=[Image.new("RGB", (64, 128))]
            ),
            "GIF": lambda: picture(generator, "GIF"),
            "no picture": lambda: b"no picture",
            "empty": lambda: b"",
            "small file, 81,000,000 pixels": lambda: bomb(9000, 9000),
            "small file, 5,000,000 pixels": lambda: bomb(2500, 2000),
            "large file": lambda: sound + bytes(limits.MOST_BYTES),
        }[name]
        return body(row("a", "probe", sound, broken()), row("b", "gallery", sound))

    return make


def _changed(**changes: Any) -> Callable[[np.random.Generator], bytes]:
    """Make a request with other values in one of its rows."""
    return lambda generator: body(row("a", "probe", picture(generator)) | changes)


def _rated(rate: Any) -> Callable[[np.random.Generator], bytes]:
    """Make a request with a false match rate."""
    return lambda generator: body(row("a", "probe", picture(generator)), false_match_rate=rate)


def _many(tracklets: int, frames: int) -> Callable[[np.random.Generator], bytes]:
    """Make a request of many tracklets, all of one picture."""

    def make(generator: np.random.Generator) -> bytes:
        pictures = [picture(generator, size=(4, 8))] * frames
        return body(*(row(f"t{number}", "gallery", *pictures) for number in range(tracklets)))

    return make


FRAMES = (
    "truncated PNG", "truncated JPEG", "damaged PNG", "grey", "CMYK", "turned by EXIF", "animated",
    "GIF", "no picture", "empty", "small file, 81,000,000 pixels", "small file, 5,000,000 pixels",
    "large file",
)  # fmt: skip

BAD: dict[str, Callable[[np.random.Generator], bytes]] = {
    **{name: _frame(name) for name in FRAMES},
    "too many tracklets": _many(limits.MOST_TRACKLETS + 1, 1),
    "too many frames of a tracklet": _many(1, limits.MOST_FRAMES + 1),
    "too many frames": _many(limits.MOST_FRAMES_TOGETHER // limits.MOST_FRAMES + 1, 256),
    "no tracklets": lambda _: body(),
    "no frames": _changed(frames=[]),
    "NaN for frames": _changed(frames=float("nan")),
    "NaN for a frame": _changed(frames=[float("nan")]),
    "numbers for frames": _changed(frames=[1, 2, 3]),
    "no list of frames": _changed(frames="aGVsbG8="),
    "no base64": _changed(frames=["not base64!"]),
    "role misspelt": _changed(role="prob"),
    "role of another type": _changed(role=["probe"]),
    "name of another type": _changed(tracklet=7),
    "empty name": _changed(tracklet=" "),
    "long name": _changed(tracklet="x" * 100_000),
    "column missing": lambda generator: body({"tracklet": "a", "frames": []}),
    "a name twice": lambda generator: body(*[row("a", "probe", picture(generator))] * 2),
    "rate unknown": _rated(0.123),
    "rate NaN": _rated(float("nan")),
    "rate of another type": _rated("often"),
    "no JSON": lambda _: b'{"dataframe_records": [',
    "no UTF-8": lambda _: b'{"dataframe_records": "\xff\xfe"}',
    "a JSON list": lambda _: b"[1, 2]",
    "a JSON number": lambda _: b"NaN",
    "empty body": lambda _: b"",
    "no records": lambda _: b'{"params": {}}',
    "rows are no objects": lambda _: body(1, 2),
}


def requests(count: int, seed: int = 0) -> list[Request]:
    """Draw as many good requests as bad ones, mixed; every kind of `BAD` as often."""
    generator = np.random.default_rng(seed)
    kinds = list(BAD)
    drawn = [good(generator) for _ in range(count - count // 2)]
    for number in range(count // 2):
        kind = kinds[number % len(kinds)]
        drawn.append(Request(kind, False, BAD[kind](generator)))
    random.Random(seed).shuffle(drawn)
    return drawn


# --- the server -------------------------------------------------------------------------------


class Server(NamedTuple):
    """A server that runs."""

    port: int
    process: psutil.Process

    def ask(self, request: Request) -> Reply:
        """Send a request, and wait for the answer."""
        start = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {} if request.content_type is None else {"Content-Type": request.content_type}
        try:
            connection.request("POST", "/invocations", request.body, headers)
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        return Reply(reply.status, text, time.perf_counter() - start)

    def memory(self) -> float:
        """Return the resident set in MiB."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(each.memory_info().rss for each in processes) / 2**20


@contextlib.contextmanager
def serving(model: str, folder: Path) -> Iterator[Server]:
    """Serve a model by MLflow's own command, run in a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scripts = Path(sys.executable).parent  # MLflow calls uvicorn by its name
    words = f"models serve -m {model} --env-manager local --host 127.0.0.1 --port {port}"
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words.split()],
            cwd=folder,
            env=os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = Server(port, psutil.Process(process.pid))
    try:
        _wait(process, port, folder / "server.log")
        yield server
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in [*server.process.children(recursive=True), process]:
                each.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError):
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.5)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


def shipped(folder: Path) -> str:
    """Log and register the model of this package in a folder; return its address."""
    from wherewhen import pretrained, registry
    from wherewhen.tracking import Tracker

    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    os.environ["WHEREWHEN_ARTIFACTS"] = (folder / "artifacts").as_uri()
    shutil.copytree(pretrained.FOLDER, folder / "model")
    with Tracker.of_its_own("shipped", "shipped", {}) as run:
        model_id = registry.log_model(folder / "model", "shipped", run.run_id)
    registry.register(model_id, "shipped", registry.about(pretrained.load_card()))
    return "models:/shipped@champion"


# --- checks -----------------------------------------------------------------------------------


def fault(request: Request, reply: Reply) -> str | None:
    """Say what is wrong with an answer; None: nothing."""
    try:
        content = json.loads(reply.text)
    except ValueError:
        return "no JSON"
    if request.good:
        rows = content.get("predictions", [])
        sent = json.loads(request.body)["dataframe_records"]
        others = len([each for each in sent if each["role"] == "gallery"])
        right = (
            reply.status == 200
            and [each["tracklet"] for each in rows] == [each["tracklet"] for each in sent]
            and all(np.isfinite(each["embedding"]).all() for each in rows)
            and [len(each["ranking"]) for each in rows]
            == [others if each["role"] == "probe" else 0 for each in sent]
        )
        return None if right else "not answered"
    if not 400 <= reply.status < 500:
        return "no 4xx"
    if not content.get("message"):
        return "no reason"
    if any(sign in reply.text for sign in ("Traceback", "stack_trace", "site-packages", ".py:")):
        return "a traceback"
    return None


def measure(server: Server, sent: list[Request], at_once: int) -> tuple[list[Reply], list[float]]:
    """Send requests so many at a time; return answers, and the memory before, between, after."""
    replies, memory = [], [server.memory()]
    with ThreadPoolExecutor(at_once) as threads:
        for half in (sent[: len(sent) // 2], sent[len(sent) // 2 :]):
            replies += threads.map(server.ask, half)
            memory.append(server.memory())
    return replies, memory


def summary(sent: list[Request], replies: list[Reply]) -> list[dict[str, Any]]:
    """Count the answers of every kind of request, with their seconds."""
    rows = []
    for kind in dict.fromkeys(["good", *BAD]):
        own = [reply for request, reply in zip(sent, replies, strict=True) if request.kind == kind]
        if own:
            seconds = [reply.seconds for reply in own]
            rows.append(
                {
                    "variant": kind,
                    "requests": len(own),
                    "statuses": dict(Counter(str(reply.status) for reply in own)),
                    "seconds": statistics.median(seconds),
                    "most_seconds": max(seconds),
                    "says": json.loads(own[0].text).get("message", "")[-200:],
                }
            )
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", help="where the record goes")
    parser.add_argument("--model", help="its address in MLflow; none: the package's own")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=16)
    arguments = parser.parse_args()
    sent = requests(arguments.requests)
    with tempfile.TemporaryDirectory() as temporary:
        here = Path(temporary) if arguments.model is None else Path.cwd()
        model = arguments.model or shipped(here)
        with serving(model, Path(temporary)) as server:
            first = next(request for request in sent if request.good)
            before = server.ask(first)
            replies, memory = measure(server, sent, arguments.at_once)
            after = server.ask(first)
    pairs = list(zip(sent, replies, strict=True))
    faults = Counter(f"{each.kind}: {why}" for each, reply in pairs if (why := fault(each, reply)))
    seconds = [reply.seconds for reply in replies]
    made = _record.record(
        "serving",
        summary(sent, replies),
        packages=("mlflow", "fastapi", "uvicorn", "torch", "torchvision", "pillow"),
        model=model,
        requests=len(sent),
        at_once=arguments.at_once,
        statuses=dict(Counter(str(reply.status) for reply in replies)),
        faults=dict(faults),
        same_answer_at_the_end=before.text == after.text,
        memory_mib=[round(each) for each in memory],
        median_seconds=statistics.median(seconds),
        most_seconds=max(seconds),
    )
    _record.save(arguments.json, made)
    sys.stdout.write(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
