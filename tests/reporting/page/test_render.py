import re
from html.parser import HTMLParser
from itertools import pairwise

import pandas as pd
import pytest

from wherewhen.reporting.page.model import Dataset, Experiment, Page, Row, Status
from wherewhen.reporting.page.render import anchor, render

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


def cells(html: str) -> list[list[str]]:
    """Return the text of a table by its lines; bold cells are starred."""
    styles = re.findall(r"([^{}]+){([^}]+)}", html.partition("</style>")[0])
    bold = [
        name for names, style in styles if "bold" in style for name in re.findall(r"#(\w+)", names)
    ]
    lines = re.findall(r"<tr>(.*?)</tr>", html.partition("<tbody>")[2], re.S)
    found = [re.findall(r'<t[hd] id="(\w+)"[^>]*>(.*?)</t', line, re.S) for line in lines]
    return [[text + "*" * (name in bold) for name, text in line] for line in found]


def test_names_are_never_html():
    texts = []

    def one() -> str:
        texts.append(f"{NASTY} {len(texts)};")
        return texts[-1]

    name = one()
    row = Row(name, Status.FAILED, one(), one(), {one(): {one(): one()}}, {one(): one()},
              {one(): one()}, {one(): one()})  # fmt: skip
    numbers = pd.DataFrame(
        {"row": [name], "measure": one(), "mean": 1.0, "deviation": 1.0, "published": 1.0,
         "difference": 1.0}
    )  # fmt: skip
    paper = {one(): {one(): one()}}
    experiment = Experiment(one(), one(), one(), numbers, [one()], [row], elsewhere=paper)
    dataset = Dataset(one(), "base", {one(): one()}, [experiment])
    html = render(Page(one(), {one(): one()}, [dataset], [one()]))
    text = " ".join("".join(Reader(html).text).split())
    assert [one for one in texts if one not in text] == []
    assert "<script" not in html


def test_nothing_is_loaded_from_anywhere(html, seen):
    for _, attributes in seen.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert re.match(r"#|data:|$", attributes.get(name) or ""), attributes
    assert not any(re.search(r"url\(|@import", style) for style in seen.styles)
    assert not re.search(r"https?:", "".join(seen.text))
    assert seen.all("link") == [{"rel": "icon", "href": "data:,"}]
    (policy,) = [m["content"] for m in seen.all("meta") if "http-equiv" in m]
    assert policy.startswith("default-src 'none'") and "http" not in policy


def test_table_has_ours_the_paper_and_the_difference_and_bolds_the_best(html):
    table = html.partition("<article")[2].partition("</table>")[0]
    measures = re.findall(r'class="col_heading level0[^>]*>(.*?)<', table)
    assert measures == ["", "rank-1", "mAP", ""]  # nothing has a rank-20
    below = re.findall(r'class="col_heading level1[^>]*>(.*?)<', table)
    assert below == ["by", "ours", "±", "paper", "diff.", "ours", "±", "trials"]
    by = "network + Euclidean"
    assert cells(table) == [
        ["GoogLeNet + FC-GRU", by, "51.0", "2.4", "54.0", "-3.0", "48.0", "1.5", "3 trials"],
        ["Ours", by, "64.0*", "1.0", "61.2", "+2.8", "61.0*", "1.5", "3 trials"],
        ["Ours, attention &lt;muted&gt; &amp; more", by,
         "64.0*", "–", "64.1", "+0.0", "61.0*", "1.5", "1 trial"],
        ["RFA-net", "", "–", "–", "49.3", "–", "–", "–", "quoted"],
        ["VGG16 + FC-GRU", by, "–", "–", "–", "–", "–", "–", "failed"],
        ["HOG3D", "HOG3D + Euclidean", "–", "–", "–", "–", "–", "–", "not run"],
    ]  # fmt: skip


def test_notes_and_what_keeps_rows_from_being_finished_stand_under_the_table(html):
    notes = html.partition("<ul>")[2].partition("</ul>")[0]
    assert "Protocol two_camera." in notes and "VGG16 + FC-GRU: It failed." in notes


def test_every_number_says_how_it_was_made(html):
    details = re.findall(r"<details>.*?</details>", html, re.S)
    (paper,) = [one for one in details if "not to be subtracted" in one]
    assert cells(paper) == [["RFA-net", "49.3 / 76.8", "–"]]
    details.remove(paper)
    assert len(details) == 11  # of 5, 1 and 5 rows
    for text in ("2a6fba2", "5d41402abc4b2a76b9719d911017c592", "train.network.muted",
                 "uv run kedro experiment run t --rows", "3 trials"):  # fmt: skip
        assert text in details[0]
    assert "cubes" not in details[0]  # unknown
    assert "failed" in details[3]


def test_headings_nest_and_pictures_are_described(seen):
    levels = [int(tag[1]) for tag, _ in seen.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(one["alt"] for one in seen.all("img"))
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
