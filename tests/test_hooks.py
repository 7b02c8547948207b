"""What the hooks do in a session; the whole of a run is looked at in end_to_end/test_run.py."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from kedro_datasets.json import JSONDataset

from wherewhen import registry
from wherewhen.hooks import RunHooks
from wherewhen.pretrained import card
from wherewhen.tracking import Description, described


class Tracker:
    """Notes what MLflow would be told."""

    def __init__(self):
        self.files = []

    def log_file(self, path, folder):
        self.files.append((path, folder))


@pytest.fixture
def hooks(tmp_path):
    """Hooks in the middle of a run, with a data set and a ledger that notes what it is told."""

    def build(metadata):
        dataset = JSONDataset(filepath=str(tmp_path / "report.json"), metadata=metadata)
        notes = []
        ledger = SimpleNamespace(
            maker=lambda name: None if name.startswith("params:") else "node",
            is_kept=lambda name: name != "in_memory",
            file=lambda name: tmp_path / "report.json",
            prepare=lambda name: notes.append(("prepare", name)),
            made=lambda name, **stamp: notes.append(("made", name, stamp)),
        )
        found = RunHooks()
        found.after_catalog_created(SimpleNamespace(ledger=ledger, unbound=lambda name: dataset))
        found._tracker, found._stamp = Tracker(), {"commit": "0123"}
        return found, notes

    return build


NODE = SimpleNamespace(name="read_frames")


def test_a_record_is_written_after_mlflow_was_told(hooks):
    found, notes = hooks({"mlflow": {"artifact_path": "ingest"}})
    found.before_node_run(NODE)
    found.before_dataset_saved("report")
    found.after_dataset_saved("report", {}, NODE)
    assert [(path.name, folder) for path, folder in found._tracker.files] == [
        ("report.json", "ingest")
    ]
    assert notes[0] == ("prepare", "report")
    kind, name, stamp = notes[1]
    assert (kind, name, stamp["commit"], stamp["model_id"]) == ("made", "report", "0123", None)
    assert stamp["started"] is found._started["read_frames"]


@pytest.mark.parametrize("name", ["in_memory", "params:x"])
def test_what_is_no_artifact_has_no_record(hooks, name):
    found, notes = hooks(None)
    found.before_dataset_saved(name)
    found.after_dataset_saved(name, {}, NODE)
    assert notes == []


@pytest.mark.parametrize("metadata", [None, {}, {"kedro-viz": {"layer": "x"}}])
def test_nothing_is_logged_of_what_asks_for_nothing(hooks, metadata):
    found, notes = hooks(metadata)
    found.after_dataset_saved("report", {}, NODE)
    assert found._tracker.files == []
    assert [kind for kind, *_ in notes] == ["made"]


def test_without_an_mlflow_run_the_record_is_written_all_the_same(hooks):
    found, notes = hooks({"mlflow": {"artifact_path": "ingest"}})
    found._tracker = None
    found.after_dataset_saved("report", {}, NODE)
    assert [kind for kind, *_ in notes] == ["made"]


def test_an_error_before_the_run_began_is_left_alone():
    RunHooks().on_pipeline_error(ValueError("early"), pipeline=None)


def test_a_second_error_does_not_hide_the_first(hooks, caplog):
    found, _ = hooks(None)
    ended = []
    found._tracker = SimpleNamespace(end=ended.append, require_told=lambda: None)
    found.on_pipeline_error(ValueError("first"), pipeline=None)
    assert ended == ["FAILED"]
    assert "MLflow was not told" in caplog.text


def test_a_table_that_cannot_be_printed_does_not_fail_a_finished_run(hooks, caplog):
    found, _ = hooks(None)
    ended = []
    found._tracker = SimpleNamespace(
        end=ended.append, require_told=lambda: ended.append("told"), run_id="a-run"
    )
    found._log_results = lambda pipeline: None
    found._register = lambda: None
    scores = pd.DataFrame({"dataset": ["d"], "protocol": ["p"]})  # without a trial
    parameters = SimpleNamespace(evaluate=SimpleNamespace(average_precision="mean_precision"))
    catalog = SimpleNamespace(
        load=lambda name: scores, ledger=SimpleNamespace(parameters=parameters)
    )
    found.after_pipeline_run(SimpleNamespace(all_outputs=lambda: {"scores"}), catalog)
    assert ended == ["FINISHED", "told"]
    assert "the table of scores can't be printed: scores: column trial" in caplog.text


class TestRegistration:
    """What is registered is looked at in test_registry.py, after a run in end_to_end."""

    @pytest.fixture
    def finished(self, hooks, monkeypatch):
        """Hooks after a run that has made two models, and the models that were registered."""
        found, _ = hooks(None)
        ledger = found._catalog.ledger
        ledger.parameters = SimpleNamespace(
            split=SimpleNamespace(trial_names=["trial_00", "trial_01"]),
            evaluate=SimpleNamespace(dataset="small"),
        )
        ledger.record = lambda name: SimpleNamespace(model_id=f"id of {name}", commit="0123")
        found._made = {"trial_00.model", "trial_01.model"}
        found._tracker = SimpleNamespace(
            end=lambda status: None, require_told=lambda: None, run_id="a-run"
        )
        found._log_results = lambda pipeline: None
        registered = []
        monkeypatch.setattr(registry, "about", lambda card, **known: known)
        monkeypatch.setattr(registry, "register", lambda *given: registered.append(given) or "line")
        monkeypatch.setattr(card, "read_card", lambda path: None)
        ledger.file("split_fingerprints").write_text('{"trial_00": "s"}')
        return found, registered

    PIPELINE = SimpleNamespace(all_outputs=set)

    def test_the_first_trials_model_is_registered(self, finished):
        found, registered = finished
        found.after_pipeline_run(self.PIPELINE, found._catalog)
        ((model_id, name, tags),) = registered
        assert (model_id, name) == ("id of trial_00.model", "small")
        assert tags == {
            "trial": "trial_00", "split_fingerprint": "s", "run_id": "a-run", "git_commit": "0123"
        }  # fmt: skip

    def test_models_that_were_taken_over_and_those_of_tables_are_not(self, finished):
        found, registered = finished
        with described(Description("a row")):
            found.after_pipeline_run(self.PIPELINE, found._catalog)
        found._made = {"trial_01.model"}
        found.after_pipeline_run(self.PIPELINE, found._catalog)
        assert registered == []

    def test_a_registry_that_fails_is_said_and_fails_no_finished_run(
        self, finished, monkeypatch, caplog
    ):
        def fail(*_):
            raise OSError("the database is locked")

        found, _ = finished
        monkeypatch.setattr(registry, "register", fail)
        found.after_pipeline_run(self.PIPELINE, found._catalog)
        assert "was not registered: the database is locked. See to it" in caplog.text
        assert "models:/id of trial_00.model" in caplog.text


def test_metadata_of_the_catalog_are_json(repository):
    """A typo in ``metadata.mlflow`` would be a silence in MLflow."""
    import yaml

    known = {"artifact_path", "metrics", "tags", "model"}
    for file in (repository / "conf/base").glob("catalog_*.yml"):
        for name, entry in yaml.safe_load(file.read_text()).items():
            metadata = entry.get("metadata", {})
            assert set(metadata) <= {"mlflow", "lineage", "kedro-viz"}, name
            assert set(metadata.get("mlflow", {})) <= known, name
            assert json.dumps(metadata)
