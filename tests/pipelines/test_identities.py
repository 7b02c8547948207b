"""What a node reads is in the identity of what it makes, and what isn't there decides nothing.

First the wires: a node gets the parameters that its function names, and has no other way to any.
Then the groups: every field counts but those marked as operational. Last these: nodes run on tiny
data with other values of all of them that they read, and make the same.
"""

import dataclasses
import hashlib
import inspect
import shutil
import typing
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import BaseModel, ConfigDict, TypeAdapter

from wherewhen.features.backbones.parts import FROZEN
from wherewhen.files import Workspace
from wherewhen.lineage.code import modules_behind
from wherewhen.lineage.ledger import function_name, parameter
from wherewhen.model.config import FisherConfig, NetworkConfig
from wherewhen.pipeline_registry import build_pipelines
from wherewhen.pipelines.evaluate.parameters import (
    EvaluateParameters,
    FusionParameters,
    ReRankingParameters,
)
from wherewhen.pipelines.extract.parameters import ExtractParameters
from wherewhen.pipelines.groups import Group
from wherewhen.pipelines.ingest.parameters import IngestParameters
from wherewhen.pipelines.learn_metric.parameters import LearnMetricParameters
from wherewhen.pipelines.parameters import Parameters, check_parameters
from wherewhen.pipelines.search.parameters import SearchParameters
from wherewhen.pipelines.split.parameters import SplitParameters
from wherewhen.synthetic.config import CameraConfig, SyntheticConfig
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.fingerprint import OPERATIONAL, decisive, fingerprint
from wherewhen.training.config import TrainingConfig

FUSED = {"parts": ["network/cosine", "row_pooled/kissme", "row_pooled/lfda"]}

TREES = {
    "rendered": {},
    "footage": {"ingest": {"root": "~/footage"}, "split": {"torchreid": True}},
    "the owners' split": {"ingest": {"root": "x"}, "split": {"source": "auto"}},
    "a split from a file": {"split": {"source": "file", "path": "splits.json"}},
    "fisher": {"embed": {"features": ["network", "fisher"]}},
    "a baseline": {
        "embed": {"features": ["hog3d", "rcn"], "baselines": {"rcn": {"epochs": 2}}},
    },
    "borrowed networks": {"train": {"network_from": "lent/{trial}.safetensors"}},
    "a start from files": {"train": {"start": "lent/{trial}.safetensors"}},
    "re-ranking": {"evaluate": {"re_ranking": {"k1": 5}}},
    "fusion": {"evaluate": {"fusion": FUSED}},
    "cubes of those who train": {"extract": {"tracklets": "train"}},
    "the paper, by trial": {"preset": "paper", "train": {"seed_by_trial": True}},
}

CALLED_OTHERWISE = {
    "config": ("train.network", "train.training", "embed.fisher"),
    "options": ("embed.baselines.hog3d", "embed.baselines.rcn"),
    "start": ("train.start.trial_00", "train.start.trial_01"),
    "path": tuple(
        f"train.{name}.trial_0{trial}" for name in ("network_from", "start") for trial in (0, 1)
    ),
    "sides": ("analyse.lengths",),
    "number": ("analyse.failures",),
    "footage": ("ingest.root",),
    "inputs": (
        "report.attention_tracklets",
        "report.probes",
        "analyse.metric",
        "analyse.failures",
        "analyse.tracklets",
    ),
    "tracklets": ("report.attention_tracklets", "analyse.tracklets"),
    "parameters": (
        *("synthesise", "ingest", "split", "extract", "learn_metric", "evaluate", "search"),
    ),
}
"""Arguments of nodes, and the parameters whose last name is another: whole groups, mostly."""

OPTIONAL = ("title", "splits", "footage", "frames", "people", "start")
"""Inputs that a node has for some parameters alone."""


def every_node(tree):
    """Return the typed tree, of two trials, and the nodes of all stages that it asks for."""
    parameters = check_parameters(tree | {"split": {"trials": 2} | tree.get("split", {})})
    pipelines = build_pipelines(parameters)
    found = {node.name: node for stage in pipelines.values() for node in stage.nodes}
    return parameters, list(found.values())


def wires(node):
    """Return the inputs of a node by the name of the argument that they are given as."""
    bound = inspect.signature(_function(node)).bind_partial(*node.inputs)
    given = {}
    for name, value in bound.arguments.items():
        for each in value if isinstance(value, tuple) else (value,):
            given.setdefault(name, []).append(each)
    return given


def _function(node):
    return node.func.func if isinstance(node.func, partial) else node.func


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
class TestWires:
    def test_a_node_gets_the_parameters_that_its_function_names(self, tree):
        _, nodes = every_node(tree)
        assert any(name.startswith("params:") for node in nodes for name in node.inputs)
        for node in nodes:
            for argument, inputs in wires(node).items():
                for name in inputs:
                    if name.startswith("params:"):
                        path = name.removeprefix("params:")
                        expected = CALLED_OTHERWISE.get(argument, ())
                        assert path in expected or path.split(".")[-1] == argument, (
                            f"{node.name} takes {path} as {argument}"
                        )

    def test_a_parameter_is_of_the_type_that_the_function_names(self, tree):
        parameters, nodes = every_node(tree)
        for node in nodes:
            hints = typing.get_type_hints(_function(node))
            for argument, inputs in wires(node).items():
                for name in inputs:
                    if name.startswith("params:"):
                        _check(parameter(parameters, name), hints[argument], node.name, name)

    def test_whatever_a_function_wants_of_plain_values_is_a_parameter(self, tree):
        """Nothing stands at a default in the code, where no identity would see it change."""
        for node in every_node(tree)[1]:
            given, function = wires(node), _function(node)
            bound = set(node.func.keywords) if isinstance(node.func, partial) else set()
            for argument in inspect.signature(function).parameters.values():
                if argument.name not in {*given, *bound}:
                    assert argument.name in OPTIONAL, (
                        f"{node.name}: nothing is given as {argument.name}"
                    )

    def test_there_is_no_other_way_to_a_parameter(self, tree):
        for node in every_node(tree)[1]:
            function = _function(node)
            assert function.__closure__ is None
            assert function.__module__.startswith("wherewhen.pipelines.")
            assert "<" not in function.__qualname__  # a name by which the code can be found
            bound = node.func.keywords if isinstance(node.func, partial) else {}
            for name, value in bound.items():
                assert f"{name}={value!r}" in function_name(node.func)
            knowing = {"pipeline_registry", "sessions", "hooks", "settings", "cli", "lineage"}
            behind = {module.split(".")[1] for module in modules_behind(function.__module__)}
            assert not behind & knowing


def _check(value, hint, node, name):
    """Hold a parameter to a type hint, without converting it."""
    if isinstance(value, BaseModel):
        assert type(value) is hint, f"{node}: {name} is {type(value).__name__}, not {hint}"
    elif hint is not typing.Any:
        config = ConfigDict(arbitrary_types_allowed=True)
        found = TypeAdapter(hint, config=config).validate_python(value, strict=True)
        assert found == value, f"{node}: {name}"


# --- which fields count --------------------------------------------------------------------------

GROUPS = {
    "synthesise": SyntheticConfig(),
    "synthesise, a camera": CameraConfig(name="a", elevation=0.1, azimuth=0.2),
    "ingest": IngestParameters(root="x"),
    "split": SplitParameters(),
    "split, a file": SplitParameters(source="file", path="splits.json"),
    "extract": ExtractParameters(),
    "extract, a file": ExtractParameters(weights={"source": "file", "path": "w.pth"}),
    "train.network": NetworkConfig(),
    "train.training": TrainingConfig(),
    "embed.fisher": FisherConfig(),
    "learn_metric": LearnMetricParameters(),
    "evaluate": EvaluateParameters(),
    "evaluate, re-ranked": EvaluateParameters(re_ranking=ReRankingParameters()),
    "evaluate.fusion": FusionParameters(**FUSED),
    "evaluate.fusion, given weights": FusionParameters(**FUSED, weights=(0.5, 1.5, 2.0)),
    "search": SearchParameters(),
    "search, a folder": SearchParameters(model="model"),
}

OPERATIONAL_FIELDS = {
    "synthesise": {"workers"},
    "ingest": {"unpack_to", "workers"},
    "split": {"torchreid"},
    "extract": {"readers", "budget_gib"},
    "train.training": {
        "recompute",
        *("checkpoint_every", "checkpoint_seconds", "preload_gigabytes"),
        *("preload_device_share", "cuda_graph", "roofline"),
    },
    "evaluate": {"average_precision", "fusion"},
    "search": {"kind", "frames_per_second"},
}
"""Written by hand: a mark too much would take over what other parameters have made, in silence."""


def fields():
    return [(name, field) for name, group in GROUPS.items() for field in type(group).model_fields]


def content(path):
    return f"content of {path}"


def reduced(value):
    return fingerprint(decisive(value, content))


def test_the_operational_fields_are_those_that_are_known_to_decide_nothing():
    marked = {
        name: {
            field
            for field, info in type(group).model_fields.items()
            if OPERATIONAL in info.metadata
        }
        for name, group in GROUPS.items()
    }
    for name, expected in OPERATIONAL_FIELDS.items():
        assert marked[name] == expected
    plain = name_only(GROUPS) - set(OPERATIONAL_FIELDS)
    assert not any(marked[name] for name in plain)


def name_only(groups):
    return {name for name in groups if "," not in name}


def test_every_group_that_a_node_reads_is_looked_at_here():
    read = set()
    for tree in TREES.values():
        parameters, nodes = every_node(tree)
        for name in {name for node in nodes for name in node.inputs if name.startswith("params:")}:
            if isinstance(parameter(parameters, name), BaseModel):
                read.add(name.removeprefix("params:"))
    marked = {
        name for name, info in Parameters.model_fields.items() if OPERATIONAL in info.metadata
    }
    assert marked == {"data", "device", "execution"}
    assert read - marked == name_only(GROUPS)


@pytest.mark.parametrize(("name", "field"), fields())
def test_a_field_counts_unless_it_is_operational(name, field):
    group = GROUPS[name]
    before = getattr(group, field)
    counted = field not in OPERATIONAL_FIELDS.get(name.split(",")[0], set())
    for after in others(before):
        changed = group.model_copy(update={field: after})
        assert (reduced(changed) != reduced(group)) == counted, f"{field}: {before!r} -> {after!r}"


def others(value):
    """Give values that differ from one: of its own kind, and of nested groups in each field."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            for other in others(getattr(value, name)):
                yield value.model_copy(update={name: other})
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, float):
        yield value + 1e-9
    elif isinstance(value, str):
        yield value + "x"
    elif isinstance(value, Path):
        yield value / "x"
    elif isinstance(value, dict):
        yield value | {"another": {}}
        yield from ({**value, key: other} for key in value for other in others(value[key]))
    elif isinstance(value, tuple):
        yield (*value, value[-1])
        if len(value) > 1 and value[0] != value[-1]:
            yield value[::-1]
        yield from ((other, *value[1:]) for other in others(value[0]))
    else:
        assert value is None
        yield from (0, "x", Path("x"))


def making(tree):
    """Return of every node what decides its outputs, but for code and the content of inputs."""
    parameters, nodes = every_node(tree)
    return {
        node.name: (
            function_name(node.func),
            node.inputs,
            [
                reduced(parameter(parameters, name))
                for name in node.inputs
                if name.startswith("params:")
            ],
        )
        for node in nodes
    }


def test_a_fusion_changes_itself_alone():
    plain, equal, learned = (
        making({"evaluate": {"fusion": fusion}})
        for fusion in (None, FUSED, {**FUSED, "weights": "learned"})
    )
    own = {f"trial_0{n}.{name}" for n in (0, 1) for name in ("weigh_fusion", "score_fusion")}
    assert set(equal) == set(learned) == set(plain) | own
    assert {name for name in plain if plain[name] != equal[name]} == {"collect_scores"}
    assert {name for name in equal if equal[name] != learned[name]} == own
    behind = modules_behind("wherewhen.pipelines.evaluate.nodes")
    assert not [name for name in behind if "fus" in name]


def test_a_file_counts_by_its_content_wherever_it_lies(tmp_path):
    for number, text in enumerate(("one", "one", "two")):
        (tmp_path / f"{number}.json").write_text(text)

    def named(number):
        group = SplitParameters(source="file", path=tmp_path / f"{number}.json")
        return fingerprint(decisive(group, lambda path: hashlib.md5(path.read_bytes()).hexdigest()))

    assert named(0) == named(1) != named(2)


def test_values_stay_what_they_are():
    """As text the number 1 and the name "1" would be one."""

    class Sample(Group):
        number: int | str = 1
        path: Path = Path("a")
        deep: dict[str, tuple[typing.Any, ...]]

    sample = Sample(deep={"x": (Path("b"), FisherConfig())})
    found = decisive(sample, content)
    fisher = {"components": 8, "dimension": None, "improved": True, "frames": 10_000, "seed": 0}
    assert found == {
        "number": 1,
        "path": {"content": "content of a"},
        "deep": {"x": [{"content": "content of b"}, fisher]},
    }
    assert reduced(sample.with_changes(number="1")) != reduced(sample)


# --- operational fields decide nothing -----------------------------------------------------------


def recorded(group, read):
    """Return a copy of a group that notes which of its fields are read."""
    plain = type(group)

    class Recorded(plain):
        def __getattribute__(self, name):
            if name in plain.model_fields:
                read.add(name)
            return super().__getattribute__(name)

    return Recorded.model_construct(**{name: getattr(group, name) for name in plain.model_fields})


@dataclasses.dataclass
class Trial:
    """A node, its group, and other values of the operational fields that it reads."""

    run: typing.Callable[[BaseModel], object]
    group: BaseModel
    changes: dict[str, tuple]
    same: typing.Callable[[object, object], None]

    def check(self):
        """Run with each value and compare with the plain run; nothing that is read is left out."""
        read = set()
        expected = self.run(recorded(self.group, read))
        marked = {
            name
            for name, info in type(self.group).model_fields.items()
            if OPERATIONAL in info.metadata
        }
        assert read - marked, "nothing was read through the record"
        assert read & marked <= set(self.changes), "an operational field is read, but not tried"
        for name, values in self.changes.items():
            assert name in marked
            for value in values:
                changed = self.group.model_copy(update={name: value})
                self.same(expected, self.run(changed))


@pytest.fixture
def footage(tmp_path):
    """Three persons in two cameras, of four frames of noise, as PRID 2011 has them."""
    generator = np.random.default_rng(0)
    for camera in ("cam_a", "cam_b"):
        for person in (1, 2, 3):
            folder = tmp_path / f"footage/prid_2011/multi_shot/{camera}/person_{person:04d}"
            folder.mkdir(parents=True)
            for frame in range(1, 5):
                noise = generator.integers(0, 256, (32, 16, 3), np.uint8)
                Image.fromarray(noise).save(folder / f"{frame:04d}.png")
    return tmp_path / "footage"


def same_tables(one, other):
    for before, after in zip(one, other, strict=True):
        if isinstance(before, pd.DataFrame):
            pd.testing.assert_frame_equal(before, after, check_exact=True)
        else:
            assert before == after


class TestOperationalFieldsDecideNothing:
    def test_of_ingest(self, footage, tmp_path):
        from wherewhen.pipelines.ingest.nodes import read_frames

        archive = tmp_path / "set.zip"
        shutil.make_archive(str(archive.with_suffix("")), "zip", footage)

        def run(parameters):
            found, report = read_frames(archive, parameters)
            return found.tracklets, found.frames, report

        group = IngestParameters(root=archive, options={"prid2011": {}})
        changes = {"workers": (1, 3), "unpack_to": (tmp_path / "elsewhere",)}
        Trial(run, group, changes, same_tables).check()
        assert (tmp_path / "elsewhere/set").is_dir()

    def test_of_split(self):
        from wherewhen.pipelines.split.nodes import split

        rows = [(f"cam_{c}/p{n}", f"p{n}", f"cam_{c}", 5) for c in "ab" for n in range(6)]
        tracklets = pd.DataFrame(rows, columns=["tracklet", "person", "camera", "length"])
        Trial(
            lambda parameters: split(tracklets, ".", parameters, "single_match"),
            SplitParameters(trials=2, validation=0.5),
            {"torchreid": (True,)},
            same_tables,
        ).check()

    @pytest.mark.parametrize("tracklets", ["all", "none"])
    def test_of_extract(self, footage, tmp_path, tracklets):
        from wherewhen.features.cube_store import CubeStore
        from wherewhen.features.extraction import StreamedCubes, fill
        from wherewhen.pipelines.extract.nodes import plan_extraction
        from wherewhen.pipelines.ingest.nodes import admit, read_frames

        table, frames, root = admit(read_frames(footage, IngestParameters(workers=1))[0])
        runs = iter(range(100))

        def run(parameters):
            plan, identity = plan_extraction(root, table, frames, parameters, FROZEN)
            store = CubeStore.create(tmp_path / f"run {next(runs)}", plan.identity)
            fill(store, plan, progress=False)
            reader = store if parameters.tracklets == "all" else StreamedCubes(store, plan)
            cubes = {
                (name, variant): reader.read(reader.whole(name, variant)).tobytes()
                for name in table.tracklet
                for variant in range(2)
            }
            return identity, store.key, cubes

        group = ExtractParameters(
            backbone="timm:test_resnet",
            weights={"source": "random", "seed": 0},
            augmentation={"variants": 2},
            batch_size=3,
            readers=1,
            tracklets=tracklets,
        )
        changes = {"readers": (2, 3, None), "budget_gib": (1.0,)}
        Trial(run, group, changes, same_tables).check()

    def test_of_training(self, tmp_path, one_thread):
        import torch

        from wherewhen.model.config import NetworkConfig
        from wherewhen.pipelines.train.nodes import fit, initialise
        from wherewhen.training.history import TIMING

        rows = [(f"{c}/p{n}", f"p{n}", c) for n in range(8) for c in "ab"]
        split = pd.DataFrame(rows, columns=["tracklet", "person", "camera"])
        split = split.assign(role="train", trial="trial_00")
        cubes = _noise(split.tracklet)
        network = NetworkConfig(channels=[4], projection=3, dropout=0.3)
        untrained = initialise(cubes, split, network, False, FROZEN, ExtractParameters())
        runs = iter(range(100))

        def run(config):
            folder = tmp_path / str(next(runs))
            trained, history = fit(
                untrained, cubes, split, Workspace(folder), config, seed_by_trial=True
            )
            return trained.state_dict(), history.drop(columns=list(TIMING))

        def same(one, other):
            assert all(torch.equal(value, other[0][name]) for name, value in one[0].items())
            pd.testing.assert_frame_equal(one[1], other[1], check_exact=True)

        group = TrainingConfig(
            frames=2, persons_per_batch=3, epochs=2, validation_fraction=0.25, keep="best",
            validate_every=1, threads=1,
        )  # fmt: skip
        changes = {
            "checkpoint_every": (1, 3),
            "checkpoint_seconds": (0.0,),
            "preload_gigabytes": (0.0,),
            "preload_device_share": (0.0, 1.0),
            "cuda_graph": (False,),
            "roofline": (True,),
        }
        Trial(run, group, changes, same).check()
        with pytest.raises(AssertionError):  # it would be seen
            same(run(group), run(group.model_copy(update={"learning_rate": 0.01})))

    def test_of_evaluate(self):
        from wherewhen.pipelines.evaluate.nodes import score_network

        generator = np.random.default_rng(0)
        rows = [(f"{c}/{n}", str(n), c, role) for c, role in (("a", "probe"), ("b", "gallery"))
                for n in range(5)]  # fmt: skip
        table = pd.DataFrame(rows, columns=["tracklet", "person", "camera", "role"])
        table = table.assign(trial="trial_00", vector=list(generator.normal(size=(10, 4))))
        Trial(
            lambda parameters: score_network(table, {}, np.eye(5), parameters, features="network"),
            EvaluateParameters(resamples=10, re_ranking=ReRankingParameters(k1=2, k2=1)),
            {"average_precision": ("trapezoid",)},
            same_tables,
        ).check()

    def test_of_search(self):
        from wherewhen import pretrained
        from wherewhen.pipelines.search.nodes import embed_gallery

        generator = np.random.default_rng(0)
        names = ["a/1", "a/2"]
        cubes = ArrayCubes(
            {name: generator.random((3, 7, 7, 1280)).astype(np.float16) for name in names}
        )
        cubes.identity = pretrained.load_card().cubes
        table = pd.DataFrame({"tracklet": names, "person": names, "camera": "a", "length": 3})
        Trial(
            lambda parameters: embed_gallery(cubes, table, parameters),
            SearchParameters(frames=2),
            {"kind": ("ivf",)},
            same_tables,
        ).check()


def _noise(tracklets):
    """Make cubes of four frames of noise a tracklet, in two variants."""
    shape = (2, 4, 2, 2, 5)
    return ArrayCubes(
        {
            name: np.random.default_rng(seed).normal(size=shape).astype(np.float16)
            for seed, name in enumerate(tracklets)
        }
    )


def test_of_parameters_that_only_a_stage_reads_none_is_operational():
    """They are read one by one, and whatever is read by its name counts."""
    for name in ("embed", "report", "analyse", "train"):
        kind = Parameters.model_fields[name].annotation
        marked = [name for name, info in kind.model_fields.items() if OPERATIONAL in info.metadata]
        assert not marked
