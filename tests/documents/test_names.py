"""Names in the documents exist: parameters by their paths, all else as words of the code."""

import re

import pytest

from wherewhen.pipelines.parameters import Parameters, check_name

FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
GROUPS = "|".join(Parameters.model_fields)
PATH = re.compile(rf"(?<![\w/.])(?:{GROUPS})(?:\.[a-z]\w*)+")
NAME = re.compile(r"(?<!\w)[a-z]\w*_\w+")

OF_OTHERS = {"optimize_for_inference"}
"""Names of other libraries."""


@pytest.fixture(scope="module")
def spans(repository):
    """Code in the running text of the documents: (page, code)."""
    pages = [repository / "README.md", *(repository / "docs").glob("**/*.md")]
    return {
        (page.relative_to(repository).as_posix(), span)
        for page in pages
        for span in SPAN.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    }


def test_parameters_exist(spans):
    for span in sorted({span for _, span in spans}):
        for path in PATH.findall(span):
            if not path.endswith((".py", ".yml", ".md")):
                check_name(path)


def test_names_are_words_of_the_code(spans, repository):
    folders = ("src", "conf", "tests", "benchmarks", "notebooks", "docs")
    files = [file for name in folders for file in (repository / name).rglob("*")]
    words = OF_OTHERS | {file.stem for file in files}
    for file in files:
        if file.suffix in {".py", ".yml", ".csv"}:
            words |= set(re.findall(r"\w+", file.read_text(encoding="utf-8")))
    named = {(page, name) for page, span in spans for name in NAME.findall(span)}
    assert {(page, name) for page, name in named if name not in words} == set()
