import math
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from wherewhen.reporting.page.model import Dataset, Experiment, Page, Row, Status
from wherewhen.reporting.page.render import anchor, percent, render, signed, spread

NASTY = "<script>alert(\"1\")</script> & 'x' {{ 7 * 7 }}"


class Reader(HTMLParser):
    """Collects what a browser would see: tags with their attributes, and the text between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self._within = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._within = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag):
        self._within = ""

    def handle_data(self, data):
        kind = {"script": self.scripts, "style": self.styles}.get(self._within, self.text)
        kind.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(page) -> str:
    return render(page)


@pytest.fixture(scope="module")
def seen(html) -> Reader:
    return Reader(html)


def test_names_are_never_html():
    texts = []

    def one() -> str:
        texts.append(f"{NASTY} {len(texts)};")
        return texts[-1]

    row = Row(one(), Status.FAILED, one(), {one(): {one(): one()}}, {}, {one(): one()},
              {one(): one()}, {one(): one()}, [one()])  # fmt: skip
    paper = {one(): {one(): one()}}
    experiment = Experiment(one(), one(), one(), [row], one(), elsewhere=paper)
    dataset = Dataset(one(), "base", {one(): one()}, [experiment])
    html = render(Page(one(), one(), {one(): one()}, [dataset], [one()]))
    text = " ".join("".join(Reader(html).text).split())
    assert [one for one in texts if one not in text] == []
    assert "<script" not in html  # nothing plotted, so not even plotly's


def test_data_of_a_plot_cannot_end_its_script(page, html):
    assert "&lt;muted&gt;" in html  # in the table
    (first, *_) = [one for one in Reader(html).scripts if one.startswith('{"data"')]
    assert "<" not in first


def test_nothing_is_loaded_from_anywhere(html, seen):
    for _, attributes in seen.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert re.match(r"#|data:|$", attributes.get(name) or ""), attributes
    assert not any(re.search(r"url\(|@import", style) for style in seen.styles)
    assert not re.search(r"https?:", "".join(seen.text))
    assert seen.all("link") == [{"rel": "icon", "href": "data:,"}]
    (policy,) = [m["content"] for m in seen.all("meta") if "http-equiv" in m]
    assert policy.startswith("default-src 'none'") and "http" not in policy


def test_plotly_is_there_once_and_the_rest_is_small(html):
    from plotly.offline import get_plotlyjs

    assert html.count("Copyright 2012") == 1
    assert len(html) - len(get_plotlyjs()) < 100_000


def test_a_page_without_plots_is_small_and_one_without_experiments_says_so():
    html = render(Page("Experiments", "today"))
    assert len(html) < 20_000 and "kedro experiment list" in html


def test_table_has_ours_the_paper_and_the_difference_and_bolds_the_best(html):
    table = re.search(r'<table class="numbers">.*?</table>', html, re.S)[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table.split("<tr")[3:]]
    assert rows[0] == ["51.0", "± 2.4", "54.0", "−3.0", "60.5", "± 1.2", "48.0", "± 1.5", "3"]
    assert rows[1][:4] == ["<strong>64.0</strong>", "± 1.0", "61.2", "+2.8"]
    assert rows[2][:4] == ["60.5", "", "–", "–"]
    assert rows[3] == ["–", "", "49.3", "–", "–", "", "–", "", ""]  # quoted
    assert re.findall(r'class="tag (\S+)"', table) == ["quoted", "failed", "not-run"]
    assert "protocol two_camera" in table and "± standard deviation" in table


def test_every_number_says_how_it_was_made(html):
    details = re.findall(r"<details>.*?</details>", html, re.S)
    details = [one for one in details if "not to be subtracted" not in one]
    assert len(details) == 10  # of 5 rows that are not quoted, on two data sets
    for text in ("2a6fba2", "5d41402abc4b2a76b9719d911017c592", "train.network.muted",
                 "uv run kedro experiment run t --rows", "3 trials"):  # fmt: skip
        assert text in details[0]
    assert "trial_01 failed" in details[3] and "failed" in details[3]


def test_headings_nest_tables_have_captions_and_pictures_are_described(seen):
    levels = [int(tag[1]) for tag, _ in seen.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(seen.all("table")) == len(seen.all("caption"))
    assert all(one["alt"] for one in seen.all("img"))
    assert all(one["aria-label"] for one in seen.all("div") if one.get("class") == "plot")
    assert all(one.get("scope") for one in seen.all("th"))
    assert seen.all("html") == [{"lang": "en"}]


def test_contents_lead_to_each_experiment_and_ids_are_unique(seen):
    ids = [attributes["id"] for _, attributes in seen.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [one["href"][1:] for one in seen.all("a")]
    assert {"prid2011-table-iii", "prid2011-table-v", "base-table-iii"} <= set(links) <= set(ids)


def test_header_says_what_the_models_are_not_for_and_what_was_left_out(seen):
    text = " ".join("".join(seen.text).split())
    assert "not for tracking, identifying or watching people" in text
    assert "docs/responsible-use.md" in text
    assert "Two figures with pictures of people were left out." in text
    assert "Written 22 November 2026, 19:40 UTC · wherewhen 0.1.0 · Python 3.11.9" in text


def test_anchor_is_an_address_whatever_the_name():
    assert anchor("prid2011", "Table_III: <x>") == "prid2011-table-iii-x"


@pytest.mark.parametrize(
    "value, text", [(83.14, "83.1"), (100.0, "100.0"), (0.0, "0.0"), (math.nan, "–")]
)
def test_percent_has_one_digit_and_a_dash_for_nothing(value, text):
    assert percent(value) == text


@pytest.mark.parametrize("value, text", [(2.36, "± 2.4"), (0.0, "± 0.0"), (math.nan, "")])
def test_spread_is_left_away_where_there_is_none(value, text):
    assert spread(value) == text


@pytest.mark.parametrize(
    "value, text",
    [(2.14, "+2.1"), (-0.44, "−0.4"), (-0.04, "0.0"), (0.0, "0.0"), (math.nan, "–")],
)
def test_difference_has_a_sign_unless_it_is_nothing_as_printed(value, text):
    assert signed(value) == text
