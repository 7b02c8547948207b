"""Links and anchors of the documents lead somewhere, and so do the pages that code names."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    REPOSITORY / "data/README.md",
    *sorted((REPOSITORY / "docs").glob("**/*.md")),
]
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)[^)]*\)")
REFERENCE = re.compile(r"^\[[^\]]+\]: +(\S+)", re.MULTILINE)
PAGE = re.compile(r"docs/[\w/-]+\.md")


def prose_of(document):
    """Return a document without its code blocks."""
    return FENCE.sub("", document.read_text(encoding="utf-8"))


def anchors_of(document):
    """Return the anchors of a document's headings, as GitHub and MyST make them."""
    found = []
    for heading in HEADING.findall(prose_of(document)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return found


def links():
    """Yield every link to a file of the repository: (document, target)."""
    for document in DOCUMENTS:
        text = prose_of(document)
        for target in [*LINK.findall(text), *REFERENCE.findall(text)]:
            if "://" not in target and not target.startswith("mailto:"):
                name = document.relative_to(REPOSITORY).as_posix()
                yield pytest.param(document, target, id=f"{name}: {target}")


@pytest.mark.parametrize(("document", "target"), list(links()))
def test_a_link_leads_to_a_file_and_its_anchor_to_a_heading(document, target):
    path, _, anchor = target.partition("#")
    file = document.parent / path if path else document
    assert file.exists()
    assert not anchor or anchor in anchors_of(file)


def test_pages_that_code_and_configuration_name_are_there():
    folders = ("src", "tests", "conf", "notebooks", "benchmarks")
    named = {
        (file.relative_to(REPOSITORY).as_posix(), page)
        for folder in folders
        for file in (REPOSITORY / folder).rglob("*")
        if file.suffix in {".py", ".yml", ".ipynb", ".jinja"}
        for page in PAGE.findall(file.read_text(encoding="utf-8"))
    }
    assert {(file, page) for file, page in named if not (REPOSITORY / page).is_file()} == set()


def test_a_broken_anchor_would_be_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A title: `code`, 2\n\n```\n# no heading\n```\n\n## A title\n\n## A title\n")
    assert anchors_of(page) == ["a-title-code-2", "a-title", "a-title-1"]
