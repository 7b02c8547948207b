"""The pages of the reference that follow from the code are up to date."""

import runpy

import pytest

from wherewhen.pipelines.parameters import Parameters


@pytest.fixture(scope="module")
def pages(repository):
    return runpy.run_path(str(repository / "docs/reference_pages.py"))


@pytest.mark.parametrize(
    "name",
    ["catalog.md", "command-line.md", "components.md", "hostile-input.md", "parameters.md"],
)
def test_a_page_is_as_the_code_says(name, pages, repository):
    written = (repository / "docs/reference" / name).read_text(encoding="utf-8")
    assert written == pages["GENERATED"][name](), (
        f"docs/reference/{name} is out of date: run `uv run python docs/reference_pages.py`"
    )


def test_every_parameter_is_described(pages):
    for path, values, _, text in pages["fields_of"](Parameters, ""):
        assert values, path
        assert text or path.count(".") == 1, f"{path} has no docstring"  # a stage has its group's


def test_values_are_described_in_words(pages):
    kind_of = pages["kind_of"]
    assert kind_of(int | None) == "whole number or `null`"
    assert kind_of(tuple[float, ...]) == "list of number"
    fields = Parameters.model_fields["split"].annotation.model_fields
    assert pages["values_of"](fields["trials"]) == "whole number ≥ 1 and ≤ 100"
    assert pages["values_of"](fields["source"]) == "`drawn`, `official`, `auto`, `file`"


def test_docstrings_become_markdown(pages):
    text = "A ``value`` of :class:`~wherewhen.KISSME`,\n    or a|b."
    assert pages["plain"](text) == r"A `value` of `wherewhen.KISSME`, or a\|b."
