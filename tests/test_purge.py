import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from wherewhen.cli import cli
from wherewhen.features.cube_store import CubeStore
from wherewhen.purge import Purge, PurgeError

TRACKLETS = ["a/p", "b/p", "a/q", "b/q"]


@pytest.fixture(autouse=True)
def no_mlflow(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'none.db'}")


def write_dataset(root, name):
    """Write what a run leaves behind, of two persons p and q; p trains in trial_00."""
    data = root / "data"

    def table(path, /, **columns):
        path = data / path.replace("*", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(columns).to_parquet(path)

    def file(path, text="x"):
        path = data / path.replace("*", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    person = [tracklet[-1] for tracklet in TRACKLETS]
    table(
        "03_primary/*/tracklets.parquet", tracklet=TRACKLETS, person=person, camera=["a", "b"] * 2
    )
    paths = [f"set/{tracklet}/1.png" for tracklet in TRACKLETS]
    table("03_primary/*/frames.parquet", tracklet=TRACKLETS, path=paths)
    for trial, roles in (("trial_00", "train"), ("trial_01", "probe")):
        table(
            f"05_model_input/*/{trial}/split.parquet",
            trial=[trial] * 4,
            tracklet=TRACKLETS,
            person=person,
            role=[roles] * 2 + ["gallery"] * 2,
        )
        file(f"06_models/*/{trial}/network.safetensors")
        file(f"06_models/*/{trial}/metrics_network.safetensors/v/metrics_network.safetensors")
        file(f"06_models/*/{trial}/checkpoints/fingerprint/best.safetensors")
        file(f"07_model_output/*/{trial}/logits_network.safetensors")
    vectors = [np.ones(2)] * 4
    table("07_model_output/*/trial_01/e.parquet", tracklet=TRACKLETS, person=person, vector=vectors)
    table("08_reporting/*/rankings.parquet", probe=["a/p", "a/q"], gallery=["b/q", "b/q"])
    table("08_reporting/*/scores.parquet", measure=["mAP"], value=[0.5])
    file("08_reporting/*/best_ranked.png")
    file("08_reporting/*/cmc_curves.png")
    file("02_intermediate/*/ingest_report.json", json.dumps({"persons_in_one_camera": ["p"]}))
    file("01_raw/*/set/a/p/1.png")
    store = CubeStore.create(data / "04_feature" / name / "cubes", {"of": name})
    for tracklet in TRACKLETS:
        store.write(tracklet, np.ones((2, 2, 2, 3)))
    store.seal()
    return store


def files(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def rows(root, path):
    return pd.read_parquet(root / "data" / path)


def test_a_person_goes_from_cubes_tables_and_rankings(tmp_path):
    store = write_dataset(tmp_path, "set")
    done = Purge(tmp_path)
    done.person("p")
    store = CubeStore(store.folder)
    assert store.complete
    assert list(store.lengths) == ["a/q", "b/q"]
    assert store.verify() == []
    assert set(rows(tmp_path, "07_model_output/set/trial_01/e.parquet").person) == {"q"}
    assert rows(tmp_path, "08_reporting/set/rankings.parquet").probe.to_list() == ["a/q"]
    assert rows(tmp_path, "03_primary/set/tracklets.parquet").tracklet.to_list() == ["a/q", "b/q"]
    assert len(rows(tmp_path, "08_reporting/set/scores.parquet")) == 1
    assert any(line.startswith("cubes of a/p") for line in done.removed)
    left = "\n".join(done.left)
    for words in (
        "2 raw frames, in set/a/p, set/b/p",
        "trial_00/network.safetensors: was fitted to the person",
        "best_ranked.png: may show the person",
        "ingest_report.json: names the person",
    ):
        assert words in left
    assert "trial_01/network" not in left
    assert "cmc_curves" not in left
    assert (tmp_path / "data/01_raw/set/set/a/p/1.png").exists()


def test_what_mixes_people_goes_when_asked(tmp_path):
    write_dataset(tmp_path, "set")
    Purge(tmp_path, derived=True).person("p")
    names = {path.rsplit("/data/")[-1] for path in files(tmp_path)}
    assert "data/06_models/set/trial_01/network.safetensors" in names
    assert "data/08_reporting/set/cmc_curves.png" in names
    for gone in (
        "data/06_models/set/trial_00/network.safetensors",
        "data/08_reporting/set/best_ranked.png",
        "data/02_intermediate/set/ingest_report.json",
    ):
        assert gone not in names


def test_models_go_with_who_trained_and_logits_with_who_was_tested(tmp_path):
    write_dataset(tmp_path, "set")
    Purge(tmp_path, derived=True).person("p")
    left = {path.removeprefix("data/") for path in files(tmp_path) if "/trial_" in path}
    models = "06_models/set/trial_01"
    assert {path for path in left if path.endswith(".safetensors")} == {
        f"{models}/network.safetensors",
        f"{models}/metrics_network.safetensors/v/metrics_network.safetensors",
        f"{models}/checkpoints/fingerprint/best.safetensors",
        "07_model_output/set/trial_00/logits_network.safetensors",
    }


@pytest.mark.parametrize("name", ["checkpoint.pt", "metrics_network.joblib"])
def test_files_of_earlier_versions_go_too(tmp_path, name):
    write_dataset(tmp_path, "set")
    old = tmp_path / "data/06_models/set/trial_00" / name
    old.write_text("x")
    Purge(tmp_path, derived=True).person("p")
    assert not old.exists()


def test_a_dry_run_changes_nothing_and_says_the_same(tmp_path):
    write_dataset(tmp_path, "set")
    before = files(tmp_path)
    dry, real = Purge(tmp_path, dry_run=True), Purge(tmp_path)
    dry.person("p")
    assert files(tmp_path) == before
    real.person("p")
    assert (dry.removed, dry.left) == (real.removed, real.left)


def test_a_data_set_goes_whole_and_alone(tmp_path):
    write_dataset(tmp_path, "one")
    write_dataset(tmp_path, "two")
    done = Purge(tmp_path)
    done.dataset("one")
    left = {path for path in files(tmp_path) if "/one/" in path}
    assert left == {"data/01_raw/one/set/a/p/1.png"}
    assert any("data/01_raw/one: raw frames are yours" in line for line in done.left)
    assert len({path for path in files(tmp_path) if "/two/" in path}) > 10


def test_the_same_name_in_two_data_sets_is_asked_back(tmp_path):
    write_dataset(tmp_path, "one")
    write_dataset(tmp_path, "two")
    with pytest.raises(PurgeError, match=r"one, two each have a person p: .*--dataset"):
        Purge(tmp_path).person("p")
    Purge(tmp_path).person("p", "two")
    assert set(rows(tmp_path, "03_primary/one/tracklets.parquet").person) == {"p", "q"}


def test_nobody_of_that_name(tmp_path):
    write_dataset(tmp_path, "set")
    with pytest.raises(PurgeError, match=r"names a person nobody; expected"):
        Purge(tmp_path).person("nobody")
    with pytest.raises(PurgeError, match=r"no data set none .* known: set"):
        Purge(tmp_path).dataset("none")


def test_an_interrupted_purge_is_taken_up(tmp_path, monkeypatch):
    store = write_dataset(tmp_path, "set")
    clean = Purge._clean

    def interrupted(self, path, *rest):
        if "03_primary" in path.parts:
            raise KeyboardInterrupt
        clean(self, path, *rest)

    monkeypatch.setattr(Purge, "_clean", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Purge(tmp_path).person("p")
    monkeypatch.undo()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'none.db'}")
    Purge(tmp_path).person("p")
    assert list(CubeStore(store.folder).lengths) == ["a/q", "b/q"]
    assert set(rows(tmp_path, "03_primary/set/tracklets.parquet").person) == {"q"}


def test_a_damaged_store_is_named(tmp_path):
    store = write_dataset(tmp_path, "set")
    (store.folder / "identity.json").write_text("{")
    done = Purge(tmp_path)
    done.person("p")
    assert any("a damaged cube store: delete the folder" in line for line in done.left)


def test_mlflow_artifacts_are_cleaned_too(tmp_path, monkeypatch):
    write_dataset(tmp_path, "set")
    artifacts = tmp_path / "mlartifacts" / "run"
    artifacts.mkdir(parents=True)
    pd.DataFrame({"probe": TRACKLETS}).to_parquet(artifacts / "rankings.parquet")
    monkeypatch.setattr(Purge, "_artifacts", lambda self, name: [artifacts])
    done = Purge(tmp_path)
    done.person("p")
    assert pd.read_parquet(artifacts / "rankings.parquet").probe.to_list() == ["a/q", "b/q"]
    assert "2 rows of mlartifacts/run/rankings.parquet" in done.removed


def test_the_command(tmp_path, monkeypatch):
    write_dataset(tmp_path, "set")
    monkeypatch.setattr("wherewhen.project.project_root", lambda: tmp_path)
    run = CliRunner().invoke(cli, ["purge", "--person", "p", "--dry-run"])
    assert run.exit_code == 0, run.output
    assert "would be removed:\n  cubes of a/p in data/04_feature/set/cubes/" in run.output
    assert "backups" in run.output
    assert CliRunner().invoke(cli, ["purge"]).exit_code == 2
    nobody = CliRunner().invoke(cli, ["purge", "--person", "nobody"])
    assert nobody.exit_code == 1
    assert "names a person nobody" in nobody.output
