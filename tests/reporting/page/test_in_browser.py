"""The page in a real browser: drawn, readable by mouse, silent on the console and on the network.

Chromium is run as a subprocess that prints the finished document; a script of the test's own,
appended to a copy of the page, moves the mouse and leaves what it saw in the document.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

import pytest

from wherewhen.reporting.page.render import render

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
QUIET = ("background-networking", "component-update", "default-apps", "extensions", "gpu", "sync")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is installed")

HAND = """<script>
const seen = {}, plot = document.querySelector(".plot");
const wait = (time) => new Promise((done) => setTimeout(done, time));
const mouse = (element, kind, x, y) => element.dispatchEvent(
  new MouseEvent(kind, { bubbles: true, cancelable: true, view: window, clientX: x, clientY: y }));
const text = (selector) => Array.from(plot.querySelectorAll(selector), (one) => one.textContent);
const lines = () => plot.querySelectorAll(".scatterlayer .js-line").length;
async function look() {
  await wait(300);
  const { xaxis, yaxis } = plot._fullLayout, area = plot.querySelector(".nsewdrag");
  const line = plot.data.find((trace) => trace.name === "Ours" && trace.showlegend !== false);
  const box = area.getBoundingClientRect();
  mouse(area, "mousemove", box.left + xaxis.l2p(line.x[0]), box.top + yaxis.l2p(line.y[0]));
  await wait(300);
  seen.hover = text(".hoverlayer .hovertext");
  seen.legend = text(".legendtext");
  seen.buttons = Array.from(document.querySelectorAll(".modebar-btn"), (one) => one.dataset.title);
  seen.before = lines();
  for (const name of ["Ours", "published figures"]) {
    const items = Array.from(plot.querySelectorAll(".legend .traces"));
    const item = items.find((one) => one.textContent === name).querySelector(".legendtoggle");
    mouse(item, "mousedown", 0, 0);
    mouse(item, "mouseup", 0, 0);
    await wait(500);
    seen[name] = lines();
  }
  window.dispatchEvent(new Event("beforeprint"));
  seen.closed = document.querySelectorAll("details:not([open])").length;
  const { scrollWidth, clientWidth } = document.documentElement;
  seen.wide = scrollWidth - clientWidth;
}
look().catch((error) => (seen.error = String(error))).then(() => {
  document.body.dataset.seen = JSON.stringify(seen);
});
</script>"""


@dataclass
class Visit:
    """What a visit left behind."""

    dom: str
    console: list[str]
    asked: list[str]

    @property
    def seen(self) -> dict:
        return json.loads(unescape(re.search(r'data-seen="([^"]*)"', self.dom)[1]))


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


@pytest.fixture(scope="module")
def visited(page, tmp_path_factory) -> Visit:
    html = render(replace(page, datasets=page.datasets[:1]))
    return visit(html.replace("</body>", f"{HAND}</body>"), tmp_path_factory.mktemp("visit"))


def test_a_request_and_a_message_would_be_seen(tmp_path):
    html = "<img src='http://somewhere.test/a.png'><script>console.error('oh')</script>"
    found = visit(html, tmp_path)
    assert "http://somewhere.test/a.png" in found.asked
    assert any("oh" in line for line in found.console)


def test_nothing_is_asked_of_the_network_and_nothing_is_complained_of(visited):
    assert visited.asked == []
    assert visited.console == []
    assert "error" not in visited.seen


def test_plots_are_drawn(visited):
    assert visited.dom.count('class="main-svg"') >= 3 * 2  # three plots
    assert len(re.findall(r'class="js-line"', visited.dom)) >= 3 + 6
    assert visited.dom.count("<image") >= 1  # the heat map
    assert "This plot needs JavaScript" not in visited.dom.partition("<main")[2].partition("{")[0]


def test_mouse_reads_row_rank_and_value(visited):
    assert visited.seen["hover"] == ["Oursrank-1: 64.0 ± 2.0 %"]


def test_legend_has_names_as_text_and_toggles(visited):
    seen = visited.seen
    assert seen["legend"] == [
        "GoogLeNet + FC-GRU",
        "Ours",
        "Ours, attention <muted> & more",
        "published figures",
    ]
    assert seen["before"] - seen["Ours"] == 2  # line and band
    assert seen["published figures"] - seen["Ours"] == 1


def test_no_button_sends_a_chart_away(visited):
    assert set(visited.seen["buttons"]) == {"Download plot as a PNG", "Zoom", "Pan", "Reset axes"}


def test_printing_opens_everything_and_nothing_is_wider_than_the_page(visited):
    assert visited.seen["closed"] == 0
    assert visited.seen["wide"] == 0


def test_numbers_of_the_table_are_in_the_document(visited):
    for text in ("<strong>64.0</strong>", "± 2.4", "49.3", "−3.0", "+2.8"):
        assert text in visited.dom
