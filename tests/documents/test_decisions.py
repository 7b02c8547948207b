"""Every decision that code cites stands in the document of decisions."""

import re

import pytest

ROW = re.compile(r"^\| (\d+) \| (.+?) \|", re.MULTILINE)
CITED = re.compile(r"\bdecisions? (\d+)(?:(?:,| and) (\d+))?")


@pytest.fixture(scope="module")
def decisions(repository):
    page = (repository / "docs/explanation/paper-decisions.md").read_text(encoding="utf-8")
    return {int(number): topic for number, topic in ROW.findall(page)}


def test_decisions_are_numbered_without_a_hole(decisions):
    assert list(decisions) == list(range(1, len(decisions) + 1))


def test_cited_decisions_are_there(decisions, repository):
    cited = {
        (file.relative_to(repository).as_posix(), int(number))
        for folder in ("src", "tests", "conf", "docs")
        for file in (repository / folder).rglob("*")
        if file.suffix in {".py", ".yml", ".md"}
        for numbers in CITED.findall(file.read_text(encoding="utf-8"))
        for number in filter(None, numbers)
    }
    assert {(file, number) for file, number in cited if number not in decisions} == set()


def test_citations_are_found_in_every_form():
    text = "(decision 2), (decisions 4 and 6), (V-B, decision 12)"
    assert [number for found in CITED.findall(text) for number in found if number] == [
        *("2", "4", "6", "12")
    ]
