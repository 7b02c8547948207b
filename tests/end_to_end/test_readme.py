"""What the README and the docs tell people to type, click and look at is there."""

import re
import shlex
from functools import cache
from pathlib import Path

import click
import pytest
import yaml
from omegaconf import OmegaConf

from wherewhen.cli import cli
from wherewhen.cli import run as kedro_run
from wherewhen.pipeline_registry import register_pipelines
from wherewhen.pipelines.parameters import check_parameters

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    REPOSITORY / "data/README.md",
    *sorted((REPOSITORY / "docs").glob("**/*.md")),
]
FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
CONTINUED = re.compile(r"\\\n\s*")
INLINE = re.compile(r"`([^`\n]+)`")
PROGRAMS = {
    "kedro",
    "pytest",
    "jupyter",
    "python",
    "ruff",
    "lint-imports",
    "mlflow",
    "sphinx-build",
    "ray",
}


def name_of(document):
    return document.relative_to(REPOSITORY).as_posix()


@cache
def commands():
    """Return every command of the documents: the words after `uv run`, with the document's name."""
    return list(_commands())


def _commands():
    for document in DOCUMENTS:
        text = document.read_text()
        blocks = (CONTINUED.sub("", block) for block in FENCE.findall(text))
        fenced = [line for block in blocks for line in block.splitlines()]
        spans = INLINE.findall(FENCE.sub("", text))
        for line in [*fenced, *spans]:
            _, found, rest = line.partition("uv run ")
            if found and "..." not in line:
                yield pytest.param(
                    shlex.split(rest, comments=True), id=f"{name_of(document)}: {rest}"
                )


def kedro_runs():
    """Yield the words after a ``kedro run`` that runs, and after a bare ``--params``."""
    for case in commands():
        (words,) = case.values
        if words[:2] == ["kedro", "run"] and "--help" not in words:
            yield pytest.param(words[2:], id=case.id)
    for document in DOCUMENTS:
        for span in INLINE.findall(FENCE.sub("", document.read_text())):
            if span.startswith(("--params ", "--env ")):
                yield pytest.param(shlex.split(span), id=f"{name_of(document)}: {span}")


def made_by_commands():
    """Name the environments that the documents tell to make."""
    commands_of_documents = (case.values[0] for case in commands())
    return {words[2] for words in commands_of_documents if words[:2] == ["kedro", "new-dataset"]}


def own_commands():
    """Yield the words of commands of this project that take no other command."""
    for case in commands():
        (words,) = case.values
        if words[0] == "kedro" and {*words[1:2]} & {"lineage", "new-dataset", "publish", "purge"}:
            yield pytest.param(words[1:], id=case.id)


@cache
def parameters_of(environment):
    """Merge the parameters of an environment over those of base, as Kedro does."""
    OmegaConf.register_new_resolver("globals", {"dataset": "dataset"}.get, replace=True)
    folders = [REPOSITORY / "conf/base"]
    folders += [REPOSITORY / "conf" / environment] if environment else []
    files = [file for folder in folders for file in sorted(folder.glob("parameters*.yml"))]
    return OmegaConf.merge(*(OmegaConf.load(file) for file in files))


@pytest.mark.parametrize("words", commands())
def test_a_command_names_a_program_and_files_that_exist(words):
    while words and words[0].startswith("--"):  # of uv: --group viz
        words = words[2:]
    assert words[0] in PROGRAMS
    for word in words[1:]:
        if word.endswith((".py", ".ipynb")):
            assert (REPOSITORY / word).is_file()


@pytest.fixture(scope="module")
def pipelines():
    return register_pipelines()


@pytest.mark.parametrize("words", kedro_runs())
def test_a_run_has_options_pipelines_and_parameters_that_exist(words, pipelines):
    given = kedro_run.make_context("run", list(words)).params
    environment = given["env"]
    there = environment is None or (REPOSITORY / "conf" / environment).is_dir()
    assert there or environment in made_by_commands()
    tree = OmegaConf.merge(parameters_of(environment), as_tree(given["params"]))
    assert check_parameters(OmegaConf.to_container(tree, resolve=True))
    assert set(given["pipelines"]) <= set(pipelines)
    namespaces = {node.namespace for node in pipelines["__default__"].nodes}
    assert set(given["namespaces"]) <= namespaces


@pytest.mark.parametrize("words", own_commands())
def test_a_command_has_options_and_arguments_that_exist(words):
    assert cli.commands[words[0]].make_context(words[0], words[1:])


def as_tree(params):
    """Make a tree of what Kedro made of ``--params``."""
    return OmegaConf.create(yaml.safe_load(yaml.safe_dump(params)))


def test_a_mistyped_option_would_be_noticed():
    with pytest.raises(click.UsageError):
        kedro_run.make_context("run", ["--enviroment", "prid2011"])
