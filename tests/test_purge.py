import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import fsspec
import mlflow
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from wherewhen import leases
from wherewhen.buckets import Bucket
from wherewhen.features.cube_store import CubeStore
from wherewhen.lineage.records import Record, record_path
from wherewhen.pipelines.split.parameters import SplitParameters
from wherewhen.purge import SCOPES, Purge, PurgeError, mentioning
from wherewhen.synthetic.truth import truth_file

PERSONS = ("anna_0001", "bert_0002")
TRACKLETS = [f"{camera}/{person}" for person in PERSONS for camera in ("cam_a", "cam_b")]
ANNA, BERT = PERSONS

WRONG_NAMES = [
    "", " ", ".", "..", "*", "on*", "on?", "[o]ne", "../one", "./one", "one/", "/one", "on", "One",
    "ONE", "one\0", "02_intermediate/one", "../../outside", "/etc", "~", "one,two", "onë",
]  # fmt: skip
"""None of them names the data set `one`, or the person `one`."""


@pytest.fixture(autouse=True)
def no_mlflow(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'none.db'}")


class Made:
    """Writes what runs leave behind for a data set: artifacts with their records, and stores."""

    def __init__(self, root, name, age_in_days=0):
        self.root, self.name = root, name
        self.finished = datetime.now(UTC) - timedelta(days=age_in_days)

    def path(self, path):
        path = self.root / "data" / path.replace("*", self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def record(self, file, versioned):
        Record(
            artifact=file.name, identity="0" * 16, node="n", function="f", code="c", parameters={},
            inputs={}, content="c", counts="c", size=1, commit="c", versions={},
            started=self.finished.isoformat(), finished=self.finished.isoformat(),
        ).write(record_path(file, versioned))  # fmt: skip
        seconds = self.finished.timestamp()
        os.utime(file, (seconds, seconds))

    def artifact(self, path, content="x", identity="0123456789abcdef", versioned=True):
        file = self.path(path)
        file = file / identity / file.name if versioned else file
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pd.DataFrame):
            content.to_parquet(file)
        else:
            file.write_text(content if isinstance(content, str) else json.dumps(content))
        self.record(file, versioned)
        return file

    def frames(self, base, paths, identity="0123456789abcdef"):
        """Write frames, the table that names them and the folder that its paths start from."""
        for path in paths:
            file = self.root / base / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"picture")
        table = pd.DataFrame({"tracklet": TRACKLETS, "path": paths})
        self.artifact("03_primary/*/frames.parquet", table, identity)
        self.artifact("02_intermediate/*/frames_root.json", json.dumps(str(base)), identity)

    def cubes(self, identity="0123456789abcdef"):
        store = CubeStore.create(self.path("04_feature/*/cubes"), {"of": self.name, "by": identity})
        for tracklet in TRACKLETS:
            store.write(tracklet, np.ones((2, 2, 2, 3)))
        store.seal()
        seconds = self.finished.timestamp()
        os.utime(store.folder, (seconds, seconds))
        self.artifact("04_feature/*/cubes.json", {"store": store.key}, identity)
        return store


def make(root, name, age_in_days=0, raw="data/01_raw/*"):
    """Write what a run leaves behind; both persons train in trial_00 and are tested in trial_01."""
    made = Made(root, name, age_in_days)
    persons = [tracklet.rpartition("/")[2] for tracklet in TRACKLETS]
    tracklets = pd.DataFrame({"tracklet": TRACKLETS, "person": persons, "camera": ["a", "b"] * 2})
    made.artifact("03_primary/*/tracklets.parquet", tracklets)
    made.frames(raw.replace("*", name), [f"{tracklet}/0001.png" for tracklet in TRACKLETS])
    made.artifact("02_intermediate/*/ingest_report.json", {"persons_in_one_camera": [ANNA]})
    made.artifact("05_model_input/*/torchreid_splits.json", [{"train": [ANNA]}], versioned=False)
    made.cubes()
    for trial, role in (("trial_00", "train"), ("trial_01", "probe")):
        split = tracklets.assign(trial=trial, role=role)
        made.artifact(f"05_model_input/*/{trial}/split.parquet", split)
        made.artifact(f"06_models/*/{trial}/network.safetensors")
        made.artifact(f"06_models/*/{trial}/untrained_network.safetensors")
        made.artifact(f"07_model_output/*/{trial}/logits_network.safetensors")
        embeddings = split.assign(vector=[[0.5, 1.0]] * len(split))
        made.artifact(f"07_model_output/*/{trial}/embeddings_network.parquet", embeddings)
        made.path(f"06_models/*/{trial}/checkpoints/0f/best.safetensors").write_text("x")
    rankings = pd.DataFrame({"probe": TRACKLETS[::2], "gallery": TRACKLETS[1::2]})
    made.artifact("08_reporting/*/rankings.parquet", rankings)
    scores = pd.DataFrame({"measure": ["rank-1"], "value": [0.5]})
    made.artifact("08_reporting/*/scores.parquet", scores)
    made.artifact("08_reporting/*/best_ranked.png", versioned=False)
    made.artifact("08_reporting/*/cmc_curves.png", versioned=False)
    return made


def files(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".locks" not in path.parts
    }


def of(root, name):
    return {path for path in files(root) if f"/{name}/" in path}


def purge(root, name, person=None, days=None, **options):
    plan = Purge(root, **options)
    plan.plan(name, person, days)
    plan.carry_out()
    return plan


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """A project with one data set, for tests that only read it."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "outside").mkdir()
    make(folder / "project", "one")
    (folder / "project/data/03_primary/file").write_text("x")
    (folder / "project/data/.locks/old").mkdir(parents=True)
    return folder / "project"


class TestNames:
    @pytest.mark.parametrize("name", [*WRONG_NAMES, "file", ".locks", "old", "data"])
    def test_only_the_name_of_a_data_set_is_one(self, unchanged, name):
        with pytest.raises(PurgeError, match=r"no data set .* known: one$"):
            Purge(unchanged).chosen(name)

    @pytest.mark.parametrize(
        "name", [*WRONG_NAMES, ANNA[:-1], ANNA.upper(), f"cam_a/{ANNA}", "an*"]
    )
    def test_only_the_name_of_a_person_is_one(self, unchanged, name):
        with pytest.raises(PurgeError, match=rf"no person .* known: {ANNA}, {BERT}$"):
            Purge(unchanged).chosen("one", name)

    def test_the_name_that_was_probably_meant_is_said(self, unchanged):
        with pytest.raises(PurgeError, match=r"did you mean one\?"):
            Purge(unchanged).chosen("ones")
        with pytest.raises(PurgeError, match=rf"did you mean {ANNA}\?"):
            Purge(unchanged).chosen(None, "anna")

    def test_a_name_with_signs_of_patterns_is_taken_as_it_is(self, tmp_path):
        make(tmp_path, "one")
        make(tmp_path, "o*e")
        purge(tmp_path, Purge(tmp_path).chosen("o*e"))
        assert of(tmp_path, "one")
        assert of(tmp_path, "o*e") == {f"data/01_raw/o*e/{each}/0001.png" for each in TRACKLETS}

    def test_of_many_persons_some_are_listed(self, tmp_path):
        many = [f"p{number:03d}" for number in range(50)]
        table = pd.DataFrame({"tracklet": many, "person": many})
        Made(tmp_path, "crowd").artifact("03_primary/*/tracklets.parquet", table)
        with pytest.raises(PurgeError, match=r"p000, .*, p019 and 30 more$"):
            Purge(tmp_path).chosen("crowd", "nobody")

    def test_a_person_is_found_in_any_data_set_but_not_in_two(self, unchanged, tmp_path):
        assert Purge(unchanged).chosen(None, ANNA) == "one"
        table = pd.DataFrame({"tracklet": TRACKLETS[:2], "person": [ANNA] * 2})
        for name in ("one", "two"):
            Made(tmp_path, name).artifact("03_primary/*/tracklets.parquet", table)
        with pytest.raises(PurgeError, match=r"one, two each have a person .*--dataset"):
            Purge(tmp_path).chosen(None, ANNA)
        assert Purge(tmp_path).chosen("two", ANNA) == "two"

    def test_where_nothing_was_made(self, tmp_path):
        with pytest.raises(PurgeError, match="known: none"):
            Purge(tmp_path).chosen("one")
        with pytest.raises(PurgeError, match="known: none"):
            Purge(tmp_path).chosen(None, ANNA)


class TestDataset:
    def test_it_goes_whole_and_alone_and_its_raw_frames_stay(self, tmp_path):
        make(tmp_path, "one")
        make(tmp_path, "one_more")
        before = of(tmp_path, "one_more")
        plan = purge(tmp_path, "one")
        assert of(tmp_path, "one") == {f"data/01_raw/one/{each}/0001.png" for each in TRACKLETS}
        assert of(tmp_path, "one_more") == before
        assert any("data/01_raw/one: raw frames (--raw" in line for line in plan.left)
        assert not (tmp_path / "data/03_primary/one").exists()
        assert (tmp_path / "data/03_primary").is_dir()

    def test_raw_frames_go_when_asked(self, tmp_path):
        make(tmp_path, "one")
        make(tmp_path, "two")
        purge(tmp_path, "one", raw=True)
        assert not list((tmp_path / "data").glob("*/one"))
        assert len(of(tmp_path, "two")) > 10

    def test_raw_frames_that_lie_elsewhere_under_data_go_as_the_table_names_them(self, tmp_path):
        make(tmp_path, "one", raw="data/01_raw/footage")
        other = tmp_path / "data/01_raw/footage/other.png"
        other.write_text("x")
        purge(tmp_path, "one", raw=False)
        assert len(of(tmp_path, "footage")) == 5
        make(tmp_path, "one", raw="data/01_raw/footage")
        plan = purge(tmp_path, "one", raw=True)
        assert of(tmp_path, "footage") == {"data/01_raw/footage/other.png"}
        assert "frames in data/01_raw/footage (4)" in plan.lines()

    def test_the_folders_of_the_layers_stay(self, tmp_path):
        make(tmp_path, "one")
        layers = sorted((tmp_path / "data").iterdir())
        purge(tmp_path, "one", raw=True)
        assert sorted((tmp_path / "data").iterdir()) == layers

    def test_footage_elsewhere_is_named(self, tmp_path):
        make(tmp_path / "project", "one", raw=str(tmp_path / "footage"))
        plan = purge(tmp_path / "project", "one", raw=True)
        assert len(files(tmp_path / "footage")) == 4
        assert f"frames in {tmp_path / 'footage'}: not under data/, so yours to delete" in plan.left

    def test_a_plan_changes_nothing(self, tmp_path):
        make(tmp_path, "one")
        before = files(tmp_path)
        for person in (None, ANNA):
            plan = Purge(tmp_path, derived=True, raw=True)
            plan.dataset("one") if person is None else plan.person("one", person)
            assert plan.lines()
        assert files(tmp_path) == before

    def test_reports_on_several_data_sets_go_if_this_one_is_among_them(self, tmp_path):
        make(tmp_path, "one")
        page = tmp_path / "data/08_reporting/experiments.html"
        page.write_text("<h1>one_more</h1>")
        purge(tmp_path, "one")
        assert page.exists()
        make(tmp_path, "one")
        page.write_text("<h1>one</h1>")
        purge(tmp_path, "one")
        assert not page.exists()

    def test_what_can_not_be_removed_is_named(self, tmp_path, no_privileges):
        make(tmp_path, "one")
        folder = tmp_path / "data/05_model_input/one/trial_00/split.parquet"
        (tmp_path / "data/05_model_input").chmod(0o500)
        folder.parent.chmod(0o500)
        try:
            with pytest.raises(
                PurgeError, match=r"05_model_input/one can't be removed: Permission"
            ):
                purge(tmp_path, "one")
        finally:
            folder.parent.chmod(0o700)
            (tmp_path / "data/05_model_input").chmod(0o700)
        assert (tmp_path / "data/03_primary/one/tracklets.parquet").exists()


class TestLinks:
    """Nothing that lies outside of data/ is touched, whatever leads there."""

    LAYERS = ("01_raw", "03_primary", "04_feature", "07_model_output", "08_reporting")

    @pytest.fixture
    def root(self, tmp_path):
        make(tmp_path / "project", "one")
        (tmp_path / "project/data/08_reporting/experiments.html").write_text(f"one: {ANNA}")
        return tmp_path / "project"

    def move_out(self, root, path):
        outside = root.parent / "outside"
        outside.mkdir(exist_ok=True)
        target = outside / path.replace("/", "_")
        (root / path).rename(target)
        (root / path).symlink_to(target)
        return target

    @pytest.mark.parametrize("layer", LAYERS)
    @pytest.mark.parametrize("of_data_set", [True, False])
    @pytest.mark.parametrize("what", [{}, {"person": ANNA}, {"days": 0}])
    def test_a_folder_that_is_a_link(self, root, layer, of_data_set, what):
        target = self.move_out(root, f"data/{layer}{'/one' * of_data_set}")
        before = files(target)
        time.sleep(0.01)  # what was just made is older than now
        plan = purge(root, "one", **what, derived=True, raw=True)
        assert plan.lines()
        assert files(target) == before
        if layer != "01_raw":
            assert f": data/{layer}/one, a link, leads there" in "\n".join(plan.left)

    @pytest.mark.parametrize("what", [{}, {"person": ANNA}, {"days": 0}])
    @pytest.mark.parametrize("inside", ["04_feature/one/cubes", "07_model_output/one/trial_00"])
    def test_a_link_inside_is_named_but_what_it_leads_to_stays(self, root, inside, what):
        target = self.move_out(root, f"data/{inside}")
        before = files(target)
        time.sleep(0.01)
        plan = purge(root, "one", **what, raw=True)
        assert files(target) == before
        assert f"{target}: data/{inside}, a link, leads there" in plan.left
        assert (root / f"data/{inside}").is_symlink() == bool(what)

    def test_frames_that_are_links(self, root):
        frame = f"data/01_raw/one/cam_a/{ANNA}/0001.png"
        target = self.move_out(root, frame)
        plan = purge(root, "one", ANNA, raw=True)
        assert target.read_bytes() == b"picture"
        assert any("not under data/, so yours" in line for line in plan.left)
        assert not (root / f"data/01_raw/one/cam_b/{ANNA}").exists()

    def test_frames_whose_paths_leave_the_data(self, root):
        made = Made(root, "one")
        outside = root.parent / "secret.png"
        made.frames("data/01_raw/one", ["../../../../secret.png"] + ["x.png"] * 3, "f" * 16)
        outside.write_bytes(b"picture")
        purge(root, "one", ANNA, raw=True)
        assert outside.exists()


class TestPerson:
    @pytest.mark.parametrize("raw", [False, True])
    def test_no_table_no_text_and_no_file_names_the_person_any_more(self, tmp_path, raw):
        made = make(tmp_path, "one")
        compressed = pd.DataFrame({"probe": TRACKLETS * 100}).astype("category")
        made.artifact("07_model_output/*/trial_01/rankings_network.parquet", compressed)
        made.artifact("08_reporting/*/notes.txt", f"failed: cam_b/{ANNA}/0001.png", versioned=False)
        pd.DataFrame({"probe": TRACKLETS}).to_csv(made.path("08_reporting/*/table.csv"))
        purge(tmp_path, "one", ANNA, raw=raw)
        left = {path: text for path, text in files(tmp_path).items() if "01_raw" not in path}
        assert not [path for path, text in left.items() if ANNA.encode() in text or ANNA in path]
        assert bool([path for path in files(tmp_path) if ANNA in path]) != raw
        assert f"data/01_raw/one/cam_b/{BERT}/0001.png" in files(tmp_path)

    @pytest.mark.parametrize("raw", [False, True])
    def test_what_is_known_of_rendered_frames_goes_with_them(self, tmp_path, raw):
        make(tmp_path, "one", raw=f"data/01_raw/*/{'ab' * 8}/crops")
        home = tmp_path / "data/01_raw/one" / ("ab" * 8)
        (home / "manifest.json").write_text(json.dumps({"fingerprint": home.name}))
        truths = {each: truth_file(home, f"crops/{each}/0001.png") for each in TRACKLETS}
        for file in truths.values():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(b"outlines")
        plan = purge(tmp_path, "one", ANNA, raw=raw)
        assert all(file.exists() for each, file in truths.items() if BERT in each)
        assert any(file.exists() for each, file in truths.items() if ANNA in each) != raw
        assert (f"truth in data/01_raw/one/{home.name} (2)" in plan.lines()) == raw

    def test_the_others_keep_their_cubes_and_the_store_is_not_whole(self, tmp_path):
        store = make(tmp_path, "one").cubes("other")
        purge(tmp_path, "one", ANNA)
        for left in CubeStore.stores_under(store.folder.parent):
            assert not left.complete
            assert list(left.lengths) == [f"cam_a/{BERT}", f"cam_b/{BERT}"]
            assert left.verify() == []

    def test_a_store_without_the_person_stays_whole(self, tmp_path):
        make(tmp_path, "one")
        other = CubeStore.create(tmp_path / "data/04_feature/one/cubes", {"of": "others"})
        other.write(TRACKLETS[-1], np.ones((2, 2, 2, 3)))
        other.seal()
        purge(tmp_path, "one", ANNA)
        assert CubeStore(other.folder).complete

    def test_cubes_of_a_camera_called_like_the_person_stay(self, tmp_path):
        made = Made(tmp_path, "one")
        tracklets = ["1/1", "1/2", "2/1", "2/2"]
        table = pd.DataFrame({"tracklet": tracklets, "person": ["1", "2"] * 2})
        made.artifact("03_primary/*/tracklets.parquet", table)
        store = CubeStore.create(made.path("04_feature/*/cubes"), {})
        for tracklet in tracklets:
            store.write(tracklet, np.ones((2, 2, 2, 3)))
        purge(tmp_path, "one", "1")
        assert list(CubeStore(store.folder).lengths) == ["1/2", "2/2"]

    def test_what_mixes_people_is_named(self, tmp_path):
        make(tmp_path, "one")
        plan = purge(tmp_path, "one", ANNA)
        left = "\n".join(plan.left)
        for path in (
            "06_models/one/trial_00/network.safetensors",
            "06_models/one/trial_00/checkpoints/0f/best.safetensors",
            "08_reporting/one/best_ranked.png",
        ):
            assert f"data/{path}: the person may be in it (--derived removes it)" in left
        for path in ("trial_01/network", "untrained_network", "cmc_curves", "scores.parquet"):
            assert path not in left
        assert "bring the person back" in left

    def test_what_mixes_people_goes_when_asked(self, tmp_path):
        make(tmp_path, "one")
        purge(tmp_path, "one", ANNA, derived=True)
        left = {path.removeprefix("data/") for path in files(tmp_path)}
        models = (path.split("/")[2:4] for path in left if path.startswith("06_models"))
        assert sorted({"/".join(model) for model in models}) == [
            "trial_00/untrained_network.safetensors",
            "trial_01/checkpoints",
            "trial_01/network.safetensors",
            "trial_01/untrained_network.safetensors",
        ]
        assert not any("logits_" in path for path in left)
        assert "08_reporting/one/cmc_curves.png" in left
        assert not any("best_ranked" in path for path in left)  # nor its record

    def test_scores_and_what_names_nobody_stays(self, tmp_path):
        make(tmp_path, "one")
        purge(tmp_path, "one", ANNA, derived=True, raw=True)
        assert "data/08_reporting/one/scores.parquet/0123456789abcdef/scores.parquet" in files(
            tmp_path
        )

    @pytest.mark.parametrize("name", ["checkpoint.pt", "metrics_network.joblib"])
    def test_files_of_earlier_versions_go_too(self, tmp_path, name):
        old = make(tmp_path, "one").path(f"06_models/*/trial_00/{name}")
        old.write_text("x")
        purge(tmp_path, "one", ANNA, derived=True)
        assert not old.exists()

    def test_a_table_that_can_not_be_read_goes(self, tmp_path):
        made = make(tmp_path, "one")
        damaged = made.artifact("07_model_output/*/trial_00/windows.parquet", "PAR1 damaged")
        purge(tmp_path, "one", ANNA)
        assert not damaged.exists()

    def test_crops_that_were_cut_elsewhere_in_data_go_and_others_stay(self, tmp_path):
        crops = "data/02_intermediate/*/unpacked"
        make(tmp_path, "one", raw=crops)
        plan = purge(tmp_path, "one", ANNA, derived=True)
        left = {path for path in files(tmp_path) if "unpacked" in path}
        base = crops.replace("*", "one")
        assert left == {f"{base}/{camera}/{BERT}/0001.png" for camera in ("cam_a", "cam_b")}
        assert not any("unpacked" in line for line in plan.left)

    def test_an_interrupted_purge_is_taken_up(self, tmp_path, monkeypatch):
        make(tmp_path, "one")
        delete = Purge._delete

        def interrupted(self, path):
            if "tracklets.parquet" in path.parts:
                raise KeyboardInterrupt
            delete(self, path)

        monkeypatch.setattr(Purge, "_delete", interrupted)
        with pytest.raises(KeyboardInterrupt):
            purge(tmp_path, Purge(tmp_path).chosen("one", ANNA), ANNA, raw=True)
        monkeypatch.setattr(Purge, "_delete", delete)
        purge(tmp_path, Purge(tmp_path).chosen("one", ANNA), ANNA, raw=True)
        assert not [path for path, text in files(tmp_path).items() if ANNA.encode() in text]


class TestInABucket:
    """What a run has left in a bucket, of which this machine has no copy."""

    @pytest.fixture
    def emptied(self, tmp_path):
        make(tmp_path, "one")
        data = tmp_path / "data"
        bucket = Bucket("memory://lab/data", data)
        for stage in sorted(data.glob("0[2-9]*")):
            bucket.push(stage)
            shutil.rmtree(stage)
        note = {"url": bucket.url, "copy": "this"}
        (data / ".buckets").mkdir()
        (data / ".buckets/one.json").write_text(json.dumps(note))
        yield bucket
        fsspec.filesystem("memory").store.clear()

    def test_a_person_is_removed_there_and_here(self, tmp_path, emptied):
        before = emptied.sizes(emptied.root)
        purge(tmp_path, Purge(tmp_path).chosen(None, ANNA), ANNA)
        left = emptied.sizes(emptied.root)
        assert 0 < len(left) < len(before)
        assert not [path for path in left if ANNA in path.as_posix()]
        cubes = [
            path.name for path in left if path.suffix == ".safetensors" and "cubes" in path.parts
        ]
        assert sorted(cubes) == [f"{BERT}.safetensors"] * 2
        assert not [path for path in left if path.name == "tracklets.parquet"]
        assert set(emptied.gone(tmp_path / "data/07_model_output")) == set()

    def test_a_data_set_is_removed_there_and_here(self, tmp_path, emptied):
        purge(tmp_path, "one")
        assert not [path for path in emptied.sizes(emptied.root) if ".leases" not in path.parts]
        assert not list((tmp_path / "data").glob("0[2-9]*/one"))

    def test_a_run_on_another_machine_keeps_it_off(self, tmp_path, emptied, monkeypatch):
        monkeypatch.setattr(leases, "BEAT", 0.05)
        monkeypatch.setattr(leases, "POLL", 0.02)
        other = Bucket(emptied.url, tmp_path / "other")
        lock = other.root / ".locks/one/trial_07.lock"
        with (
            other.held(lock, print),
            pytest.raises(PurgeError, match=r"process \d+ on .* is at one"),
        ):
            Purge(tmp_path).alone("one").__enter__()


class TestMentioning:
    @pytest.mark.parametrize(
        "text",
        ["anna", "cam_a/anna/0001.png", '["anna"]', "anna.mp4", "of anna.", "a,anna,b", "\nanna\n"],
    )
    def test_a_name_is_found_as_a_word_or_a_part_of_a_path(self, text):
        assert mentioning(["anna"])(text)

    @pytest.mark.parametrize("text", ["hannah", "anna_2", "anna-2", "joanna", "Anna", "ann"])
    def test_another_name_is_not(self, text):
        assert not mentioning(["anna"])(text)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("0001", True), ("cam/0001/0002.png", True), ('["0001"]', True), ("a,0001,b", True),
            ("cam/0002/0001.png", False), ("rank-0001", False), ("1.0001", False),
            ('{"n": 0001}', False), ("10001", False),
        ],
    )  # fmt: skip
    def test_a_number_is_a_name_only_where_it_stands_alone(self, text, said):
        assert bool(mentioning(["0001"])(text)) == said

    def test_names_with_signs_are_taken_as_they_are(self):
        assert mentioning(["a.b (c)"])("x/a.b (c)/y")
        assert not mentioning(["a.b"])("aXb")

    def test_json_s_escapes_are_known(self):
        assert mentioning(["zoë"])(json.dumps(["zoë"]))


class TestOlderThan:
    def test_what_its_record_calls_old_goes(self, tmp_path):
        make(tmp_path, "one", age_in_days=40)
        young = Made(tmp_path, "one", 20)
        kept = [
            young.artifact("08_reporting/*/scores.parquet", "x", identity="f" * 16),
            young.artifact("08_reporting/*/summary.csv", "x", versioned=False),
        ]
        copied = tmp_path / "data/08_reporting/one/best_ranked.png"
        os.utime(copied)  # a copied file is as young as the copy, but not its record
        purge(tmp_path, "one", days=30)
        left = of(tmp_path, "one") - {path for path in files(tmp_path) if "01_raw" in path}
        beside = [kept[0].with_name("record.json"), record_path(kept[1], versioned=False)]
        young_checkpoints = {
            f"data/06_models/one/{trial}/checkpoints/0f/best.safetensors"
            for trial in ("trial_00", "trial_01")
        }
        assert left == young_checkpoints | {
            path.relative_to(tmp_path).as_posix() for path in [*kept, *beside]
        }

    def test_what_has_no_record_is_as_old_as_its_last_change(self, tmp_path):
        made = make(tmp_path, "one")
        old, young = (
            made.path(f"06_models/*/{trial}/checkpoints/0f/best.safetensors")
            for trial in ("trial_00", "trial_01")
        )
        forty_days_ago = time.time() - 40 * 86400
        os.utime(old, (forty_days_ago, forty_days_ago))
        purge(tmp_path, "one", days=30)
        assert not old.parent.exists()
        assert young.exists()

    def test_a_store_goes_when_no_artifact_names_it_any_more(self, tmp_path):
        old = make(tmp_path, "one", age_in_days=40)
        store = tmp_path / "data/04_feature/one/cubes"
        (key,) = (path.name for path in store.iterdir())
        other = old.cubes("other").key
        young = Made(tmp_path, "one").artifact("04_feature/*/cubes.json", {"store": key}, "f" * 16)
        purge(tmp_path, "one", days=30)
        assert [path.name for path in store.iterdir()] == [key]
        assert key != other
        young.unlink()
        (young.parent / "record.json").unlink()
        purge(tmp_path, "one", days=30)
        assert not store.exists()

    @pytest.mark.parametrize("raw", [False, True])
    def test_rendered_sets_go_only_when_asked_and_footage_never(self, tmp_path, raw):
        made = make(tmp_path, "one", age_in_days=40)
        rendered, footage = (tmp_path / "data/01_raw/one" / name for name in ("ab" * 8, "session"))
        for folder, named in ((rendered, rendered.name), (footage, "something else")):
            folder.mkdir()
            (folder / "manifest.json").write_text(json.dumps({"fingerprint": named}))
            os.utime(folder, (0, 0))
        made.artifact("02_intermediate/*/synthetic_people.json", {"store": rendered.name})
        plan = purge(tmp_path, "one", days=30, raw=raw)
        assert rendered.exists() != raw
        assert footage.exists()
        assert f"data/01_raw/one/cam_a/{ANNA}/0001.png" in files(tmp_path)
        assert any("rendered people, in no use" in line for line in plan.left) != raw

    def test_other_data_sets_stay(self, tmp_path):
        make(tmp_path, "one", age_in_days=40)
        make(tmp_path, "two", age_in_days=40)
        before = of(tmp_path, "two")
        purge(tmp_path, "one", days=30, raw=True)
        assert of(tmp_path, "two") == before


HOLD = """
import sys, time
from pathlib import Path
from wherewhen.locks import held

Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
with held(Path(sys.argv[1]), sys.exit):
    print("held", flush=True)
    time.sleep(600)
"""


class TestAlone:
    @pytest.mark.parametrize(
        "lock",
        [
            ".locks/one/shared.lock", ".locks/one/trial_00.lock", ".locks/one/trial_99.lock",
            "08_reporting/one/sweeps/s/.lock",
        ],
    )  # fmt: skip
    def test_a_run_that_is_at_it_is_named_and_nothing_is_removed(self, tmp_path, lock):
        make(tmp_path, "one")
        before = files(tmp_path)
        command = [sys.executable, "-c", HOLD, str(tmp_path / "data" / lock)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "held\n"
            named = rf"process {process.pid} on .* is at one.*Nothing was removed"
            try:
                with pytest.raises(PurgeError, match=named), Purge(tmp_path).alone("one"):
                    pytest.fail("it went on")
            finally:
                process.kill()
        assert {**before, **files(tmp_path)} == files(tmp_path)

    def test_a_run_of_another_data_set_does_not_matter(self, tmp_path):
        make(tmp_path, "one")
        with Purge(tmp_path).alone("two"), Purge(tmp_path).alone("one"):
            purge(tmp_path, "one")

    def test_no_lock_is_left_behind(self, tmp_path):
        with Purge(tmp_path).alone("one"):
            assert list((tmp_path / "data/.locks/one").glob("*.lock"))
        assert not list((tmp_path / "data/.locks/one").iterdir())

    def test_every_trial_that_there_can_be_is_locked(self):
        assert set(SplitParameters(trials=100).trial_names) < set(SCOPES)
        with pytest.raises(ValidationError):
            SplitParameters(trials=101)


@pytest.fixture(scope="module")
def tracking(database, tmp_path_factory):
    """The address of a database of MLflow of this file's own."""
    own = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    shutil.copy(database, own)
    return f"sqlite:///{own}"


class TestMLflow:
    @pytest.fixture
    def client(self, tracking, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking)
        yield mlflow.MlflowClient(tracking)
        mlflow.set_tracking_uri(None)

    def run(self, client, tmp_path, experiment, deleted=False):
        found = client.get_experiment_by_name(experiment)
        place = (tmp_path / "artifacts").as_uri()
        number = found.experiment_id if found else client.create_experiment(experiment, place)
        run = client.create_run(number)
        table = tmp_path / "rankings.parquet"
        pd.DataFrame({"probe": TRACKLETS}).to_parquet(table)
        client.log_artifact(run.info.run_id, str(table), "scores")
        client.log_dict(run.info.run_id, [{"artifact": "scores"}], "lineage.json")
        client.set_terminated(run.info.run_id)
        if deleted:
            client.delete_run(run.info.run_id)
        return tmp_path / "artifacts" / run.info.run_id / "artifacts"

    def test_a_person_goes_from_the_artifacts_of_all_runs(self, client, tmp_path):
        make(tmp_path, "one")
        places = [self.run(client, tmp_path, "one", deleted) for deleted in (False, True)]
        other = self.run(client, tmp_path, "another")
        purge(tmp_path, "one", ANNA)
        for place in places:
            assert [path.name for path in place.rglob("*") if path.is_file()] == ["lineage.json"]
        assert (other / "scores/rankings.parquet").exists()

    def test_a_data_set_goes_and_what_mlflow_keeps_is_said(self, client, tmp_path):
        make(tmp_path, "two")
        place = self.run(client, tmp_path, "two")
        plan = purge(tmp_path, "two")
        assert not place.exists()
        assert any(line.startswith("MLflow experiment two: parameters") for line in plan.left)

    def test_old_runs_go_and_young_ones_stay(self, client, tmp_path):
        make(tmp_path, "three")
        place = self.run(client, tmp_path, "three")
        purge(tmp_path, "three", days=1)
        assert place.exists()
        time.sleep(0.01)
        purge(tmp_path, "three", days=0)
        assert not place.exists()
