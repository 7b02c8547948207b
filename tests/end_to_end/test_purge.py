"""A person, a data set, and what is old, removed from what a whole run has made."""

import shutil

import pandas as pd
import pytest

from wherewhen.lineage.records import Record
from wherewhen.purge import Purge

PERSON = "person_0003"


@pytest.fixture
def root(finished, tmp_path, monkeypatch):
    """A copy of the data of a whole run; MLflow's artifacts are the finished project's own."""
    shutil.copytree(finished.root / "data", tmp_path / "data", symlinks=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'none.db'}")
    return tmp_path


def derived(root):
    """Read all that was made, raw frames left out."""
    paths = (path for layer in (root / "data").glob("[0-9]*") for path in layer.rglob("*"))
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in paths
        if path.is_file() and "01_raw" not in path.parts
    }


def test_no_byte_names_the_person_any_more(root):
    before = derived(root)
    assert any(PERSON.encode() in content for content in before.values())
    plan = Purge(root)
    plan.person(plan.chosen(None, PERSON), PERSON)
    plan.carry_out()
    left = derived(root)
    assert not [
        path for path, content in left.items() if PERSON.encode() in content + path.encode()
    ]
    cubes = {path for path in before if "/cubes/cam_" in path}
    assert {path for path in cubes if PERSON not in path} < set(left)
    assert len(list((root / "data/01_raw").rglob(f"{PERSON}/*.png"))) > 0


def test_no_record_of_a_run_names_anybody(root):
    (table,) = (root / "data/03_primary/synthetic/tracklets.parquet").glob("*/*.parquet")
    tracklets = pd.read_parquet(table)
    names = {*tracklets.person, *tracklets.tracklet}
    records = list((root / "data").rglob("*record.json"))
    assert len(records) > 40
    for path in records:
        assert Record.read(path) is not None
        assert not [name for name in names if name in path.read_text()]


def test_networks_stay_that_did_not_learn_from_the_person(root):
    split = {
        path.parents[2].name: pd.read_parquet(path)
        for path in (root / "data/05_model_input/synthetic").glob("trial_*/*/*/split.parquet")
    }
    tested = {
        trial
        for trial, rows in split.items()
        if PERSON not in set(rows.person[rows.role == "train"])
    }
    assert len(split) == 2
    plan = Purge(root, derived=True)
    plan.person("synthetic", PERSON)
    plan.carry_out()
    networks = (root / "data/06_models/synthetic").glob("trial_*/network.safetensors")
    assert {path.parent.name for path in networks} == tested
    assert "data/08_reporting/synthetic/cmc_curves.png" in derived(root)
    assert "data/08_reporting/synthetic/best_ranked.png" not in derived(root)


def test_a_whole_data_set(root):
    plan = Purge(root, raw=True)
    plan.dataset(plan.chosen("synthetic"))
    plan.carry_out()
    assert not derived(root)
    assert not list((root / "data/01_raw").iterdir())


def test_what_is_old(root):
    before = derived(root)
    for days, left in ((1, before.keys()), (0, set())):
        plan = Purge(root, raw=True)
        plan.older_than("synthetic", days)
        plan.carry_out()
        assert derived(root).keys() == left
    assert not list((root / "data/01_raw").rglob("*.png"))


@pytest.mark.slow
def test_the_next_run_makes_again_what_is_missing(finished, new_project, tiny, tmp_path):
    project = new_project(tmp_path)
    shutil.copytree(finished.root / "data", project.root / "data", symlinks=True)
    said = project.output_of(project.kedro("purge", "--person", PERSON, "--yes"))
    assert "removed." in said
    output = project.run(**tiny)
    assert "Traceback" not in output
    assert any(PERSON.encode() in content for content in derived(project.root).values())
    old, new = (each.weights("trial_00") for each in (finished, project))
    assert all((old[name] == new[name]).all() for name in old)
