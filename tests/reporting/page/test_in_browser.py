"""The page in a real browser, run as a subprocess: silent on the console and on the network."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from wherewhen.reporting.page.render import render

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
QUIET = ("background-networking", "component-update", "default-apps", "extensions", "gpu", "sync")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is installed")


@dataclass
class Visit:
    """What a visit left behind."""

    dom: str
    console: list[str]
    asked: list[str]


def visit(html: str, folder: Path) -> Visit:
    file, log = folder / "page.html", folder / "net.json"
    file.write_text(html, encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--no-first-run", "--mute-audio",
            *(f"--disable-{what}" for what in QUIET),
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr", f"--log-net-log={log}", "--window-size=1200,900",
            "--virtual-time-budget=3000", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    console = re.findall(r"CONSOLE[^\]]*\] (.*)", done.stderr)
    return Visit(done.stdout, console, asked_for(json.loads(log.read_text(encoding="utf-8"))))


def asked_for(log: dict) -> list[str]:
    """Addresses that pages asked for, not those that the browser asks for on its own account."""
    started = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    return [
        event["params"]["url"]
        for event in log["events"]
        if event["type"] == started
        and event["params"].get("initiator", "not an origin") != "not an origin"
        and not event["params"]["url"].startswith("file:")
    ]


def test_a_request_and_a_message_would_be_seen(tmp_path):
    html = "<img src='http://somewhere.test/a.png'><script>console.error('oh')</script>"
    found = visit(html, tmp_path)
    assert "http://somewhere.test/a.png" in found.asked
    assert any("oh" in line for line in found.console)


def test_nothing_is_asked_of_the_network_and_nothing_is_complained_of(page, tmp_path):
    found = visit(render(page), tmp_path)
    assert found.asked == []
    assert found.console == []
    assert "Table III: kernels and backbones" in found.dom
