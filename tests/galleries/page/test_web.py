"""The page in a real browser, with the keyboard."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from wherewhen.galleries.page.desk import Question
from wherewhen.recogniser.gallery import Gallery

SUPPORT = Path(__file__).resolve().parents[2] / "support"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 300
"""Seconds: other tests may keep the processors busy."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return found


@pytest.fixture(scope="module")
def served(embedded, recogniser, tmp_path_factory):
    """The address of a page, its gallery and the file of its marks."""
    pytest.importorskip("nicegui", reason="the extra `page` is not installed")
    home = tmp_path_factory.mktemp("served")
    table, root = embedded
    report = {"model": recogniser.identity, "root": "crops", "tracklets": 4, "difference": 0.7}
    gallery = Gallery.create(home / "gallery", table, report, root)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [SUPPORT / "served_page.py", gallery.folder, root, home / "marks.csv", port]
    # without what tells NiceGUI that tests are running
    env = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    with (home / "log.txt").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *map(str, words)], stdout=log, stderr=log, cwd=home, env=env
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, server, home / "log.txt")
            yield address, gallery, home / "marks.csv"
        finally:
            server.terminate()
            server.wait(30)
    assert "Traceback" not in (home / "log.txt").read_text("utf-8")
    assert not (home / ".nicegui").exists()


def _wait_for(address, server, log):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(address, timeout=PATIENCE).close()
        except OSError:
            assert server.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < end, "the page was not served in time"
            time.sleep(0.5)
        else:
            return


@pytest.fixture
def page(chromium, served):
    """The page in a browser, in which nothing goes wrong."""
    playwright = pytest.importorskip("playwright.sync_api")
    address, _, _ = served
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(1000 * PATIENCE)
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(f"dialog {dialog.message}"))
        page.on("request", lambda asked: faults.append(asked.url) if _foreign(asked.url) else None)
        page.goto(address)
        page.wait_for_selector(".choices button")
        yield page
        browser.close()
    assert faults == []


def _foreign(url):
    return urllib.parse.urlsplit(url).hostname not in ("127.0.0.1", None)


def ranks(page):
    """The names of the rows, once there are any."""
    page.wait_for_selector(".hit")
    return [row.get_attribute("data-tracklet") for row in page.query_selector_all(".hit")]


def choose(page, text):
    page.keyboard.press("/")
    page.keyboard.type(text)
    page.wait_for_function("document.querySelectorAll('.choices button').length == 1")
    page.locator(".choices button").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.matches('.hit')")


def expected(served, recogniser, probe, **filters):
    question = Question(0.01, **filters)
    return served[1].query(recogniser, probe, question.top, question.rate, **question.filters).found


def test_a_probe_is_chosen_and_a_row_marked_by_keys(page, served, recogniser):
    _, _, marks = served
    choose(page, "hall")
    found = expected(served, recogniser, "hall/anna")
    assert ranks(page) == found.tracklet.tolist()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("s")
    page.wait_for_selector('.hit:nth-child(2) button.same[aria-pressed="true"]')
    [line] = marks.read_text("utf-8").splitlines()[1:]
    assert "hall/anna" in line
    assert ",same," in line
    assert f"{found.distance.iloc[1]:.6g}"[:6] in line
    page.keyboard.press("n")
    page.wait_for_selector('.hit:nth-child(2) button.other[aria-pressed="true"]')
    assert ",not same," in marks.read_text("utf-8")
    page.keyboard.press("u")
    page.wait_for_selector('.hit:nth-child(2) button.other[aria-pressed="false"]')
    assert len(marks.read_text("utf-8").splitlines()) == 1


def test_tracklets_play_pause_and_show_attention(page, served):
    choose(page, "hall")
    page.wait_for_selector(".hit .film.plays img")
    state = "getComputedStyle(document.querySelector('.hit .film img')).animationPlayState"
    assert page.evaluate(state) == "running"
    page.keyboard.press("Space")
    assert page.evaluate(state) == "paused"
    page.keyboard.press("Space")
    assert page.evaluate(state) == "running"
    page.keyboard.press("a")
    page.wait_for_function("document.querySelectorAll('.film.attends').length == 4")
    assert page.get_by_text("Looked at frames").count() == 4
    assert page.locator(".scale").is_visible()
    pictures = "[...document.querySelectorAll('.film img')].every(p => p.naturalWidth && p.alt)"
    page.wait_for_function(pictures)


def test_filters_and_words(page, served, recogniser):
    choose(page, "hall")
    page.get_by_label("Only person").fill("bert")
    page.wait_for_function("document.querySelectorAll('.hit').length == 1")
    assert (
        ranks(page) == expected(served, recogniser, "hall/anna", persons=["bert"]).tracklet.tolist()
    )
    page.get_by_label("Only person").fill("carl")
    page.get_by_role("alert").get_by_text("no person 'carl' in the gallery").wait_for()
    assert page.get_by_text("A ranking is never evidence").is_visible()
    assert page.get_by_text("This footage is unlike").is_visible()


def test_names_are_text(page, served):
    evil = served[1].index.tracklets.tracklet.iloc[3]
    choose(page, "onerror")
    assert page.get_by_text(f"Probe: {evil}", exact=True).is_visible()
    assert page.query_selector("img[src='x']") is None


def test_pictures_are_uploaded(page, served, recogniser):
    _, gallery, _ = served
    path = gallery.frames_of("yard/bert")[0]
    upload = page.locator("input[type=file]")
    upload.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"GIF89a"})
    page.get_by_role("alert").get_by_text(
        "a.png is no frame: cannot be decoded: it is a GIF"
    ).wait_for()
    upload.set_input_files(path)
    found = gallery.query(recogniser, [path]).found
    assert ranks(page) == found.tracklet.tolist()
    assert not page.get_by_role("alert").is_visible()


def status(address, **headers):
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_no_path_is_opened_and_no_other_site_answered(served):
    address, gallery, _ = served
    assert status(f"{address}/film?tracklet=hall%2Fanna") == 200
    for name in (gallery.frames_of("hall/anna")[0], "../../etc/passwd", "hall"):
        assert status(f"{address}/film?tracklet={urllib.parse.quote(str(name))}") == 404
    assert status(address, Origin="http://evil.example") == 403
    assert status(address, Host="evil.example") == 403
