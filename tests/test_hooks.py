import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest
from kedro.io import DataCatalog, Version
from kedro_datasets.json import JSONDataset

from wherewhen.datasets import NetworkDataset
from wherewhen.hooks import FingerprintHooks, commit_tags, saved_path
from wherewhen.model.config import network_config
from wherewhen.model.siamese import build_network

VERSION = Version(None, "2026-01-01T00.00.00.000Z")


def git(folder, *arguments):
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    return subprocess.run(
        ["git", "-C", folder, *who, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "file").write_text("one\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


class TestCommitTags:
    def test_a_clean_checkout_names_its_commit(self, checkout):
        assert commit_tags(checkout) == {
            "git_commit": git(checkout, "rev-parse", "HEAD"),
            "git_dirty": "false",
        }

    def test_a_changed_file_shows(self, checkout):
        (checkout / "file").write_text("two\n")
        assert commit_tags(checkout)["git_dirty"] == "true"

    def test_data_that_git_does_not_know_is_no_change(self, checkout):
        (checkout / "untracked").write_text("x")
        assert commit_tags(checkout)["git_dirty"] == "false"

    def test_outside_of_a_checkout_it_says_so(self, tmp_path):
        assert commit_tags(tmp_path) == {"git_commit": "unknown: not a git checkout"}

    def test_a_machine_without_git_is_no_error(self, checkout, monkeypatch):
        monkeypatch.setenv("PATH", str(checkout))
        assert commit_tags(checkout) == {"git_commit": "unknown: not a git checkout"}


class TestSavedPath:
    def test_of_a_plain_file(self, tmp_path):
        dataset = JSONDataset(filepath=str(tmp_path / "a.json"))
        dataset.save({})
        assert saved_path(dataset) == tmp_path / "a.json"

    def test_of_a_versioned_file(self, tmp_path):
        dataset = JSONDataset(filepath=str(tmp_path / "a.json"), version=VERSION)
        dataset.save({})
        assert saved_path(dataset) == tmp_path / "a.json" / VERSION.save / "a.json"

    def test_of_a_network(self, tmp_path):
        dataset = NetworkDataset(str(tmp_path / "n.safetensors"), version=VERSION)
        dataset.save(build_network(network_config(channels=(2,), projection=2), 3, 2))
        assert saved_path(dataset) == tmp_path / "n.safetensors" / VERSION.save / "n.safetensors"


class TestMetadata:
    """What a data set's `metadata.mlflow` asks for is what a real MLflow gets."""

    @pytest.fixture(scope="class")
    def experiment(self, tmp_path_factory):
        """Make a database once: it takes MLflow seconds."""
        folder = tmp_path_factory.mktemp("mlflow")
        mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
        yield mlflow.create_experiment("test", artifact_location=(folder / "a").as_uri())
        mlflow.set_tracking_uri(None)

    @pytest.fixture
    def run(self, experiment):
        with mlflow.start_run(experiment_id=experiment) as active:
            yield active

    @staticmethod
    def save(tmp_path, data, metadata):
        dataset = JSONDataset(filepath=str(tmp_path / "report.json"), metadata=metadata)
        hooks = FingerprintHooks()
        hooks.after_catalog_created(DataCatalog({"report": dataset}))
        dataset.save(data)
        hooks.after_dataset_saved("report", data, node=SimpleNamespace())

    @staticmethod
    def artifacts(run, folder=None):
        return [file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id, folder)]

    def test_artifacts_and_tags(self, tmp_path, run):
        wanted = {"artifact_path": "ingest", "tags": {"dataset_fingerprint": "fingerprint"}}
        data = {"fingerprint": "0123", "persons": 2}
        self.save(tmp_path, data, {"mlflow": wanted})
        assert self.artifacts(run, "ingest") == ["ingest/report.json"]
        local = mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path="ingest/report.json", dst_path=str(tmp_path / "d")
        )
        assert json.loads(Path(local).read_text()) == data
        assert mlflow.get_run(run.info.run_id).data.tags["dataset_fingerprint"] == "0123"

    def test_a_field_that_is_not_there_is_no_tag(self, tmp_path, run):
        self.save(tmp_path, {"faults": []}, {"mlflow": {"tags": {"absent": "fingerprint"}}})
        assert "absent" not in mlflow.get_run(run.info.run_id).data.tags

    @pytest.mark.parametrize("metadata", [None, {}, {"kedro-viz": {"layer": "x"}}])
    def test_nothing_is_logged_of_what_asks_for_nothing(self, tmp_path, run, metadata):
        self.save(tmp_path, {}, metadata)
        assert self.artifacts(run) == []

    def test_without_a_run_nothing_fails(self, tmp_path):
        assert mlflow.active_run() is None
        self.save(tmp_path, {}, {"mlflow": {"artifact_path": "ingest", "tags": {"a": "absent"}}})
