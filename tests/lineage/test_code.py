import ast
import functools
import importlib
import sys
import textwrap

import pytest

from wherewhen.lineage import code
from wherewhen.lineage.code import (
    SOURCE,
    EditedError,
    code_version,
    modules_behind,
    modules_to_run,
    source_file,
)
from wherewhen.reporting.figures import FIGURES

LOSSES = SOURCE / "training/losses"


@pytest.fixture
def version_of(tmp_path, monkeypatch):
    """Return a function that gives the version of a module's function, by the module's source."""
    monkeypatch.syspath_prepend(tmp_path)

    def version(source):
        for cached in (code._version, code._tree, code._statements, code._imported):
            cached.cache_clear()
        (tmp_path / "some_nodes.py").write_text(textwrap.dedent(source))
        sys.modules.pop("some_nodes", None)
        importlib.invalidate_caches()
        return code_version(importlib.import_module("some_nodes").work)

    yield version
    sys.modules.pop("some_nodes", None)


PLAIN = '''
"""A module."""

def work(x):
    """Add one."""
    return x + 1
'''


def test_comments_docstrings_and_layout_do_not_count(version_of):
    other = '''
    """Another text."""


    def work(x):
        """Say something else."""
        # and a comment
        return (x
                + 1)
    '''
    assert version_of(PLAIN) == version_of(other)


def test_the_text_behind_a_field_does_not_count(version_of):
    fields = "class Some:\n    a: int = 1\n{}\n\ndef work(): return Some\n"
    assert version_of(fields.format("")) == version_of(fields.format('    """What it is."""'))


@pytest.mark.parametrize(
    "other",
    [
        PLAIN.replace("x + 1", "x + 2"),
        PLAIN + "\nOTHER = 1\n",
        PLAIN.replace("x + 1", "x - 1"),
        PLAIN.replace("return x + 1", "assert x\n    return x + 1"),
    ],
)
def test_a_statement_counts(version_of, other):
    assert version_of(PLAIN) != version_of(other)


def test_a_text_that_is_used_counts(version_of):
    text = "def work():\n    return {!r}\n"
    assert version_of(text.format("a")) != version_of(text.format("b"))


def test_a_bound_argument_is_of_the_same_code():
    from wherewhen.pipelines.split.nodes import take_trial

    bound = functools.partial(take_trial, trial="trial_00")
    assert code_version(bound) == code_version(take_trial)


class TestModulesBehind:
    def test_imports_inside_functions_are_followed(self):
        behind = modules_behind("wherewhen.pipelines.train.nodes")
        assert "wherewhen.training.loop" in behind  # imported by `fit` itself
        assert "wherewhen.model.convolution" in behind  # by a module behind it
        assert "wherewhen.training.losses" in behind

    def test_names_in_texts_are_followed(self):
        assert "wherewhen.baselines.rcn" in modules_behind("wherewhen.pipelines.embed.nodes")

    def test_modules_that_are_imported_by_a_computed_name_are_followed(self):
        terms = {f"wherewhen.training.losses.{file.stem}" for file in LOSSES.glob("[!_]*.py")}
        assert "wherewhen.training.losses.triplet" in terms
        assert terms <= set(modules_behind("wherewhen.pipelines.train.nodes"))

    def test_other_stages_are_not_behind_one(self):
        assert not [
            name
            for name in modules_behind("wherewhen.pipelines.train.nodes")
            if name.startswith(("wherewhen.reporting", "wherewhen.metric_learning"))
        ]
        evaluation = modules_behind("wherewhen.pipelines.evaluate.nodes")
        assert "wherewhen.retrieval.cmc" in evaluation
        assert not [name for name in evaluation if name.startswith("wherewhen.training")]
        assert "wherewhen.baselines.rcn" not in evaluation

    def test_the_values_of_parameters_count_and_not_their_module(self):
        assert "wherewhen.pipelines.parameters" not in modules_behind(
            "wherewhen.pipelines.ingest.nodes"
        )

    def test_to_run_a_module_packages_and_what_only_passes_on_are_needed(self):
        needed = set(modules_to_run("wherewhen.recogniser.recogniser"))
        behind = modules_behind("wherewhen.recogniser.recogniser")
        assert needed > {*behind, "wherewhen", "wherewhen.pretrained", "wherewhen.metric_learning"}
        assert not [name for name in needed if name.startswith("wherewhen.pipelines")]

    def test_every_stage_is_behind_its_nodes(self):
        """A node that computes by a module which isn't followed would be taken over for ever."""
        needed = {
            "synthesise": ["wherewhen.synthetic.planning", "wherewhen.synthetic.filming"],
            "ingest": ["wherewhen.tracklets.readers.mars", "wherewhen.tracklets.ingest"],
            "split": ["wherewhen.tracklets.splits", "wherewhen.tracklets.split_files"],
            "extract": ["wherewhen.features.extraction", "wherewhen.features.backbones"],
            "embed": ["wherewhen.model.encode", "wherewhen.features.pooling"],
            "learn_metric": ["wherewhen.metric_learning.kissme"],
            "evaluate": ["wherewhen.retrieval.scoring", "wherewhen.metric_learning.kissme"],
            "report": ["wherewhen.reporting.tables"],
            "analyse": ["wherewhen.reporting.looks", "wherewhen.retrieval.lengths"],
        }
        for stage, modules in needed.items():
            behind = modules_behind(f"wherewhen.pipelines.{stage}.nodes")
            assert set(modules) <= set(behind), stage

    def test_every_figure_is_behind_the_node_that_draws_it(self):
        behind = modules_behind("wherewhen.pipelines.figures")
        assert {code._module_of(kind.draw) for kind in FIGURES.values()} <= set(behind)
        assert {"wherewhen.model.encode", "wherewhen.reporting.looks"} <= set(behind)

    def test_what_is_named_exists(self):
        assert source_file("wherewhen.lineage.code") == SOURCE / "lineage/code.py"
        assert source_file("wherewhen.lineage") == SOURCE / "lineage/__init__.py"
        assert source_file("wherewhen.nothing") is None
        for module in code.DECIDES_NOTHING:
            assert source_file(module) is not None, module


class TestLoading:
    def test_all_that_is_behind_is_imported(self, version_of):
        version_of("def work():\n    from wherewhen.retrieval.open_set import eer\n")
        sys.modules.pop("wherewhen.retrieval.open_set", None)
        code.load_code(sys.modules["some_nodes"].work)
        assert "wherewhen.retrieval.open_set" in sys.modules

    def test_an_edit_after_the_version_was_computed_is_refused(self, version_of, tmp_path):
        version_of(PLAIN)
        work = sys.modules["some_nodes"].work
        (tmp_path / "some_nodes.py").write_text(PLAIN + "\n# a comment\n")
        code.load_code(work)
        (tmp_path / "some_nodes.py").write_text(PLAIN + "\nOTHER = 1\n")
        with pytest.raises(EditedError, match=r"some_nodes\.py was edited since this run began"):
            code.load_code(work)


def test_the_version_of_python_does_not_count():
    source = (
        "@wrap\nclass A(B):\n    x: int = None\n\n    def f(self, *a, y=()):\n"
        "        return f'{a!r} {self.x}'\n"
    )
    # equal under Python 3.11.7, 3.12.1, 3.13.0 and 3.14.10
    assert code._hash(ast.parse(source)) == (
        "4eaa944e1995c6386baecfeaf78f7d01f0d19aff7134e2b1b0003d97da2d1159"
    )
