"""The page in the browser, by NiceGUI: it draws what the desk says."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from nicegui import app, html, run, ui
from nicegui.element import Element
from nicegui.events import MultiUploadEventArguments
from starlette.formparsers import MultiPartParser
from starlette.responses import Response

from wherewhen.galleries.answers import verdict
from wherewhen.galleries.marks import KINDS, NOT_SAME, SAME, MarkError
from wherewhen.galleries.page import films, uploads
from wherewhen.galleries.page.desk import Desk, Film, Probe, Question, times
from wherewhen.galleries.page.guard import LOOPBACK, Guard
from wherewhen.project import to_root
from wherewhen.recogniser.gallery import FALSE_MATCH_RATE, Answer
from wherewhen.reporting.figures.attention import STRONGEST
from wherewhen.reporting.figures.canvas import three_digits

HERE = Path(__file__).resolve().parent

LAWFUL = (
    "For research and lawful use. A ranking is never evidence that two videos show the same person."
)

KEYS = (
    ("↑ ↓", "move over the answer"),
    ("space", "play or pause"),
    ("s", "same"),
    ("n", "not same"),
    ("u", "undo the mark"),
    ("a", "attention"),
    ("/", "find a probe"),
    ("Esc", "back to the answer"),
)

A_PAGE = 9
"""Tracklets that are offered at once."""

TOPS = (10, 20, 50)

EXPECTED = (ValueError, LookupError, OSError)
"""What a question that can't be answered raises."""


def serve(desk: Desk, host: str, port: int) -> None:
    """Serve the page until the process is ended."""
    largest = uploads.LARGEST_IN_ALL + 2**20  # names and boundaries of a form
    MultiPartParser.spool_max_size = largest  # uploads stay in memory
    app.add_middleware(Guard, host=host, largest=largest)
    _serve_pictures(desk)
    ui.run(
        lambda: Sheet(desk, host).draw(),
        host=host,
        port=port,
        title=f"Search in {desk.name}",
        favicon="🔎",
        language="en-US",
        reconnect_timeout=60,  # a busy machine is not gone
        reload=False,
        show=False,
        show_welcome_message=False,
    )


def _serve_pictures(desk: Desk) -> None:
    """Answer with pictures of the gallery's tracklets, by name; nothing else names a file."""

    def jpeg(make: Callable[[], bytes]) -> Response:
        try:
            return Response(make(), media_type="image/jpeg", headers={"Cache-Control": "no-store"})
        except EXPECTED as error:
            return Response(f"{error}\n", status_code=404, media_type="text/plain")

    @app.get("/film")
    def film(tracklet: str, attention: bool = False) -> Response:
        return jpeg(lambda: desk.film(tracklet, attention).picture)

    @app.get("/thumbnail")
    def thumbnail(tracklet: str) -> Response:
        return jpeg(lambda: desk.thumbnail(tracklet))

    @app.get("/scale")
    def scale() -> Response:
        return jpeg(films.scale)


class Player:
    """A film on the page."""

    def __init__(self, name: str) -> None:
        self.name = name
        with html.div().classes("film") as self.frame:
            self.picture = html.img()

    def show(self, source: str, count: int, attention: bool) -> None:
        """Play a film of `count` frames."""
        self.frame.classes(add="plays") if count > 1 else self.frame.classes(remove="plays")
        self.frame.classes(add="attends") if attention else self.frame.classes(remove="attends")
        self.frame.style(f"--frames: {count}")
        what = "attention over the frames" if attention else "the frames"
        self.picture.props["alt"] = f"{what} of {self.name}, one after the other"
        self.picture.props["src"] = source


class Showing(NamedTuple):
    """A player, and what it shows."""

    player: Player
    seen: ui.label
    """What is said of the film."""
    film: Callable[[bool], Film]
    """Makes the film, with attention or without."""
    address: str | None
    """Where the browser gets it; None: it comes with the page."""


class Sheet:
    """The page of one visitor.

    Parameters
    ----------
    desk : Desk
        What all visitors share.
    host : str
        Where the page is served.
    """

    def __init__(self, desk: Desk, host: str) -> None:
        self.desk, self.host = desk, host
        self.probe: Probe | None = None
        rates = desk.rates
        self.question = Question(FALSE_MATCH_RATE if FALSE_MATCH_RATE in rates else rates[0])
        self.attention = False
        self.found: list[str] = []
        self.page = 0
        self.asked = self.played = 0
        """How many questions, and rounds of films: what belongs to an earlier one is dropped."""
        self.choice: dict[str, Element] = {}
        self.shown: list[Showing] = []

    # --- drawing -----------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw the page."""
        ui.add_css((HERE / "page.css").read_text(encoding="utf-8"))
        ui.add_head_html(f"<script>{(HERE / 'page.js').read_text(encoding='utf-8')}</script>")
        with html.div().classes("sheet"):
            html.h1(f"Search in {self.desk.name}")
            html.p(LAWFUL).classes("lawful")
            self._draw_notes()
            with html.ul().classes("keys"):
                for key, words in KEYS:
                    with html.li():
                        html.kbd(key)
                        html.span(words)
            with html.div().classes("columns"):
                with html.section():
                    self._draw_chooser()
                    self._draw_filters()
                with html.main():
                    self.error = ui.label().classes("note hidden").props("role=alert")
                    self._draw_head()
                    self.rows = html.ol().classes("answer").props('aria-label="Answer"')
            self.footer = ui.label().classes("muted")
        self._offer()
        self._count_marks()

    def _draw_notes(self) -> None:
        notes = [self.desk.warning]
        if self.host not in LOOPBACK:
            notes.append(f"This page is open to whoever reaches {self.host}: they see the footage.")
        try:
            notes += self.desk.marks.read().faults
        except MarkError as error:
            notes.append(str(error))
        for note in filter(None, notes):
            html.div(note).classes("note").props("role=note")

    def _draw_chooser(self) -> None:
        with html.div().classes("panel"):
            html.h2("Probe")
            with ui.input("Find a tracklet", on_change=self._find) as find:
                find.props("outlined dense debounce=200 clearable for=find").classes("w-full")
            self.choices = html.ul().classes("choices").props('aria-label="Tracklets"')
            with html.div().classes("pager"):
                self.back = html.button("‹", **{"aria-label": "previous tracklets"}).on(
                    "click", lambda: self._turn(-1)
                )
                self.place = ui.label().classes("muted").props("role=status")
                self.forth = html.button("›", **{"aria-label": "next tracklets"}).on(
                    "click", lambda: self._turn(1)
                )
            upload = ui.upload(
                multiple=True, auto_upload=True, on_multi_upload=self._uploaded
            ).classes("upload")
            upload.props("accept=.png,.jpg,.jpeg,.bmp")
            upload.on_rejected(lambda: self._say("Expected PNG, JPEG or BMP files."))
            refused = f"Refused: expected at most {uploads.LARGEST_IN_ALL:,} bytes in all."
            upload.on("failed", lambda: self._say(refused), args=[])
            with html.div().classes("bar").style("margin-top: 12px"):
                button = html.button("Upload crops of one person …")
                button.on("click", js_handler=f"() => getElement({upload.id}).pickFiles()")
                limits = f"Up to {uploads.MOST} pictures; they stay in memory."
                html.span(limits).classes("muted")
        self.upload = upload

    def _draw_filters(self) -> None:
        rates = {rate: f"{100 * rate:g} %" for rate in self.desk.rates}
        cameras = self.desk.cameras
        timed = self.desk.facts.start.notna().any()
        with html.div().classes("panel"):
            html.h2("Filters")
            self._control(ui.select(cameras, label="Only cameras", multiple=True), "cameras")
            self._control(ui.select(cameras, label="Not cameras", multiple=True), "not_cameras")
            self._control(ui.input("Only person").props("debounce=400 clearable"), "persons")
            with html.div().style("display: grid; grid-template-columns: 1fr 1fr; gap: 8px"):
                for label, name in (("After, seconds", "after"), ("Before, seconds", "before")):
                    number = ui.number(label).props("debounce=400")
                    self._control(number, name).set_enabled(bool(timed))
            if not timed:
                html.p("The times of this gallery's tracklets are not known.").classes("muted")
            html.h2("Answer").style("margin-top: 14px")
            with html.div().style("display: grid; grid-template-columns: 1fr 1fr; gap: 8px"):
                self._control(ui.select(list(TOPS), label="Ranks", value=10), "top")
                rate = ui.select(rates, label="False matches", value=self.question.rate)
                self._control(rate, "rate")

    def _control(self, element: Any, name: str) -> Any:
        """Let a field of the question follow an element."""

        async def changed(event: Any) -> None:
            value = event.value
            if name == "persons":
                value = [value.strip()] if value and value.strip() else []
            setattr(self.question, name, value)
            await self._ask()

        return element.props("outlined dense").classes("w-full q-mb-sm").on_value_change(changed)

    def _draw_head(self) -> None:
        with html.div().classes("panel"):
            with html.div().classes("probe"):
                self.probe_film = html.div()
                with html.div().classes("said"):
                    with html.h2():
                        self.title = ui.label("Choose a probe")
                    self.facts = ui.label().classes("muted")
                    self.seen = ui.label().classes("muted")
                    self.verdict = ui.label().classes("verdict").props("role=status")
            with html.div().classes("bar").style("margin-top: 10px"):
                play = html.button("❚❚ Pause").props("id=play")
                play.on("click", js_handler="() => wherewhen.play()")
                self.switch = html.button("Attention").props('data-key=a aria-pressed="false"')
                self.switch.on("click", self._toggle_attention)
                with html.div().classes("scale hidden") as self.scale:
                    html.span("0")
                    html.img(src="/scale", alt="colours from dark violet to yellow")
                    html.span(
                        f"{STRONGEST:g} × even attention or more. Bars: frame weights, the line "
                        "their mean."
                    )

    # --- the probe ---------------------------------------------------------------------------

    def _find(self, event: Any) -> None:
        self.page = 0
        self._offer(event.value or "")

    def _turn(self, step: int) -> None:
        self.page += step
        self._offer_page()

    def _offer(self, text: str = "") -> None:
        self.found = self.desk.find(text)
        self._offer_page()

    def _offer_page(self) -> None:
        pages = max(1, -(-len(self.found) // A_PAGE))
        self.page = min(max(self.page, 0), pages - 1)
        self.choices.clear()
        self.choice = {}
        with self.choices:
            for name in self.found[self.page * A_PAGE : (self.page + 1) * A_PAGE]:
                with html.li(), html.button(title=name) as button:
                    html.img(src=_address("thumbnail", name), alt="", loading="lazy")
                    html.span(name).classes("label")
                self.choice[name] = button.on("click", lambda _, name=name: self._choose(name))
        self._show_choice()
        count = len(self.found)
        of = f"{count:,} tracklet{'' if count == 1 else 's'}"
        self.place.text = f"{of}, page {self.page + 1} of {pages}"
        for button, off in ((self.back, self.page == 0), (self.forth, self.page == pages - 1)):
            button.props(add="disabled") if off else button.props(remove="disabled")

    def _show_choice(self) -> None:
        for name, button in self.choice.items():
            button.props["aria-pressed"] = _flag(self.probe is not None and self.probe.name == name)

    async def _choose(self, name: str) -> None:
        self.probe = Probe(name)
        self._show_choice()
        await self._ask(focus=True)

    async def _uploaded(self, event: MultiUploadEventArguments) -> None:
        files = [(file.name, await file.read()) for file in event.files]
        self.upload.reset()
        try:
            self.probe = await run.io_bound(Probe.of_files, files)
        except EXPECTED as error:
            self._say(_words(error))
            return
        self._show_choice()
        await self._ask(focus=True)

    # --- the answer --------------------------------------------------------------------------

    async def _ask(self, focus: bool = False) -> None:
        if self.probe is None:
            return
        self.asked += 1
        asked, probe, question = self.asked, self.probe, replace(self.question)
        try:
            answer, fault = await run.io_bound(self.desk.ask, probe, question), None
        except EXPECTED as error:
            answer, fault = None, _words(error)
        if asked != self.asked:
            return
        self._say(fault)
        self._show(probe, answer)
        self.rows.props["data-answer"] = asked
        if focus:
            self.rows.client.run_javascript(f"wherewhen.firstOf({asked})")
        await self._play()

    def _show(self, probe: Probe, answer: Answer | None) -> None:
        """Show a probe and its answer, if there is one."""
        self.shown = []
        self.rows.clear()
        self._draw_probe(probe)
        self.verdict.text = ""
        if answer is None:
            return
        self.verdict.text = _sentence(verdict(answer))
        self.verdict.style(f"font-weight: {600 if answer.nobody else 400}")
        try:
            marks = self.desk.marks_of(probe)
        except MarkError:  # a note says so
            marks = {}
        with self.rows:
            for row in answer.found.itertuples():
                self._draw_row(probe, row, marks.get(row.tracklet))
        if not len(answer.found):
            self.verdict.text = "No tracklet meets the filters."

    def _draw_probe(self, probe: Probe) -> None:
        self.title.text = f"Probe: {probe.name}"
        self.facts.text = "uploaded pictures" if probe.frames else self._facts(probe.name)
        self.seen.text = ""
        self.probe_film.clear()
        with self.probe_film:
            player = Player(probe.name)
        address = None if probe.frames else _address("film", probe.name)
        film = partial(self.desk.film_of, probe)
        self.shown.append(Showing(player, self.seen, film, address))

    def _draw_row(self, probe: Probe, row: Any, mark: str | None) -> None:
        said = "match" if row.match else "no match"
        with html.li().classes("hit").props("tabindex=0") as line:
            line.classes(add="match") if row.match else None
            line.props["data-tracklet"] = row.tracklet
            html.div(str(row.rank)).classes("rank")
            player = Player(row.tracklet)
            with html.div():
                html.div(row.tracklet).classes("name")
                html.div(self._facts(row.tracklet)).classes("muted")
                seen = ui.label().classes("muted")
            with html.div().classes("numbers"):
                html.div(f"{100 * row.probability:.0f} % probable").classes("value")
                html.div(f"distance {three_digits(row.distance)}")
                html.span(said).classes("chip")
            with html.div().classes("marks"):
                buttons = {}
                for kind, key, style in ((SAME, "s", "same"), (NOT_SAME, "n", "other")):
                    buttons[kind] = html.button(kind.capitalize()).classes(style)
                    buttons[kind].props["data-key"] = key
                buttons[None] = html.button("Undo").props("data-key=u")
        film = partial(self.desk.film, row.tracklet)
        self.shown.append(Showing(player, seen, film, _address("film", row.tracklet)))

        def show(mark: str | None) -> None:
            for kind in KINDS:
                buttons[kind].props["aria-pressed"] = _flag(kind == mark)
            buttons[None].props(remove="disabled") if mark else buttons[None].props(add="disabled")
            line.props["aria-label"] = (
                f"rank {row.rank}, {row.tracklet}, {100 * row.probability:.0f} % probable, {said}, "
                + (f"marked {mark}" if mark else "not marked")
            )

        async def put(kind: str | None) -> None:
            try:
                await run.io_bound(self.desk.mark, probe, row.tracklet, row.distance, kind)
            except EXPECTED as error:
                self._say(_words(error))
                return
            show(kind)
            self._count_marks()

        for kind, button in buttons.items():
            button.on("click", lambda _, kind=kind: put(kind))
        show(mark)

    def _facts(self, name: str) -> str:
        facts = self.desk.facts
        if name not in facts.index:
            return "not in the gallery any more"
        of = facts.loc[name]
        seen = times(of.start, of.end)
        return f"person {of.person}, camera {of.camera}" + (f", {seen}" if seen else "")

    # --- films -------------------------------------------------------------------------------

    async def _toggle_attention(self) -> None:
        self.attention = not self.attention
        self.switch.props["aria-pressed"] = _flag(self.attention)
        self.scale.classes(remove="hidden") if self.attention else self.scale.classes(add="hidden")
        await self._play()

    async def _play(self) -> None:
        """Make the films of probe and answer one after the other, until others are wanted."""
        self.played += 1
        played, attention, shown = self.played, self.attention, self.shown
        for showing in shown if attention else ():
            showing.seen.text = "attention is being computed …"
        for player, seen, make, address in shown:
            try:
                film = await run.io_bound(make, attention)
            except EXPECTED as error:
                film, words = None, _words(error)
            if played != self.played or shown is not self.shown:
                return
            if film is None:
                seen.text = words
                continue
            source = f"{address}&attention={_flag(attention)}"
            if address is None:
                source = f"data:image/jpeg;base64,{base64.b64encode(film.picture).decode()}"
            player.show(source, film.count, attention)
            seen.text = film.words

    # --- words -------------------------------------------------------------------------------

    def _say(self, words: str | None) -> None:
        self.error.text = words or ""
        self.error.classes(remove="hidden") if words else self.error.classes(add="hidden")

    def _count_marks(self) -> None:
        try:
            count = len(self.desk.marks.read().by_pair)
        except MarkError:
            return
        self.footer.text = f"{count} marks in {to_root(self.desk.marks.path)}"


def _address(picture: str, tracklet: str) -> str:
    return f"/{picture}?tracklet={quote(tracklet, safe='')}"


def _flag(value: bool) -> str:
    """Write a truth as attributes and addresses have it."""
    return str(value).lower()


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _words(error: Exception) -> str:
    return str(error.args[0]) if isinstance(error, KeyError) else str(error)
