import os
import socket
from types import SimpleNamespace

import mlflow
import pandas as pd
import psutil
import pytest

from wherewhen import tracking
from wherewhen.tracking import (
    HOST,
    PROCESS,
    STARTED,
    Description,
    MetricLog,
    Tracker,
    TrackingError,
    artifact_list,
    close_dead,
    described,
    experiment_id,
    find_runs,
    is_dead,
    known_model,
    measure_metrics,
    score_metrics,
)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A database, made once: it takes MLflow seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.setenv("WHEREWHEN_ARTIFACTS", (folder / "artifacts").as_uri())
        experiment_id("small")
        yield folder
    mlflow.set_tracking_uri(None)


@pytest.fixture
def tracker(database):
    found = Tracker.start("small", "a run", {"dataset": "small"})
    yield found
    found.end("FINISHED")


def run_of(tracker):
    return mlflow.MlflowClient().get_run(tracker.run_id)


def points(run_id, name):
    history = mlflow.MlflowClient().get_metric_history(run_id, name)
    return {metric.step: metric.value for metric in history}


class TestMetricLog:
    def test_numbers_arrive_by_step_under_the_trials_name(self, tracker):
        with MetricLog("trial_00") as log:
            log.record({"step": 1, "loss": 0.5, "validation_loss": float("nan")})
            log.record({"step": 2, "loss": 0.25, "validation_loss": 0.75})
        assert points(tracker.run_id, "trial_00.loss") == {1: 0.5, 2: 0.25}
        assert points(tracker.run_id, "trial_00.validation_loss") == {2: 0.75}

    def test_steps_before_a_resumption_are_filled_in_once(self, tracker):
        history = [{"step": step, "loss": float(step)} for step in (1, 2, 3)]
        with MetricLog("trial_00") as log:
            log.record(history[2])
            log.complete(history)
        assert points(tracker.run_id, "trial_00.loss") == {1: 1.0, 2: 2.0, 3: 3.0}
        client = mlflow.MlflowClient()
        assert len(client.get_metric_history(tracker.run_id, "trial_00.loss")) == 3

    def test_more_than_a_batch_arrives_whole(self, tracker):
        with MetricLog("t") as log:
            for step in range(1200):
                log.record({"step": step, "loss": 1.0})
        assert len(points(tracker.run_id, "t.loss")) == 1200

    def test_without_a_run_nothing_is_sent_and_nothing_fails(self):
        assert mlflow.active_run() is None
        with MetricLog("trial_00") as log:
            log.record({"step": 1, "loss": 0.5})


class TestTracker:
    def test_a_run_says_which_process_it_is_of(self, tracker):
        tags = run_of(tracker).data.tags
        assert tags[HOST] == socket.gethostname()
        assert tags[PROCESS] == str(os.getpid())
        assert not is_dead(tags)

    def test_what_is_described_names_the_run_and_is_told_its_id(self, database):
        said = Description("table_iv · max pooling", {"row": "max pooling"}, "how to repeat it")
        with described(said):
            given = {"dataset": "small", "command": "kedro run"}
            other = Tracker.start("small", "another name", given)
        other.end("FINISHED")
        run = mlflow.MlflowClient().get_run(said.run_id)
        assert run.info.run_name == "table_iv · max pooling"
        assert (run.data.tags["row"], run.data.tags["dataset"]) == ("max pooling", "small")
        assert run.data.tags["command"] == "how to repeat it"
        assert not tracking.is_described()

    def test_many_parameters_and_tags_arrive(self, tracker):
        tracker.log_parameters({f"p.{number}": number for number in range(250)})
        tracker.set_tags({f"t.{number}": str(number) for number in range(250)})
        data = run_of(tracker).data
        assert len(data.params) == 250 and data.params["p.249"] == "249"
        assert data.tags["t.249"] == "249"

    def test_a_parameter_that_mlflow_has_no_room_for_stops_nothing(self, tracker):
        tracker.log_parameters({"long": "x" * 10_000, "short": 1})
        assert run_of(tracker).data.params == {"short": "1"}

    def test_numbers_that_are_none_are_left_out(self, tracker):
        tracker.log_metrics({"a": 0.5, "b": float("nan")}, data=("small", "digest"))
        assert run_of(tracker).data.metrics == {"a": 0.5}

    def test_data_are_datasets(self, tracker):
        tracker.log_data("small", "0123", {"root": "here"}, "data")
        (given,) = run_of(tracker).inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == ("small", "0123")

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_a_run_of_its_own_ends_as_it_did(self, database, error):
        with Tracker.of_its_own("small", "a table", {"kind": "table"}) as table:
            whole = table.run_id
            assert mlflow.active_run() is None
        with (
            pytest.raises(error),
            Tracker.of_its_own("small", "a table", {"kind": "table"}) as table,
        ):
            broken = table.run_id
            raise error
        client = mlflow.MlflowClient()
        assert client.get_run(whole).info.status == "FINISHED"
        expected = "FAILED" if error is ValueError else "KILLED"
        assert client.get_run(broken).info.status == expected

    def test_a_run_that_goes_on_is_this_process_s(self, database):
        client = mlflow.MlflowClient()
        with Tracker.of_its_own("small", "a sweep", {"study": "s"}) as sweep:
            run_id = sweep.run_id
            sweep.set_tags({PROCESS: "99999999"})  # as a process leaves it that was killed
        client.update_run(run_id, status="RUNNING")
        with Tracker.of_its_own("small", "a sweep", {"study": "s"}, run_id) as sweep:
            assert sweep.run_id == run_id
            close_dead()  # as every session does that begins meanwhile
            assert client.get_run(run_id).info.status == "RUNNING"
        assert client.get_run(run_id).info.status == "FINISHED"

    def test_the_dead_are_closed_and_the_living_and_strangers_are_not(self, database):
        client, experiment = mlflow.MlflowClient(), experiment_id("small")
        here = socket.gethostname()
        now = f"{psutil.Process().create_time():.2f}"
        tags = {
            "dead": {HOST: here, PROCESS: "99999999", STARTED: "1.0"},
            "reused": {HOST: here, PROCESS: str(os.getpid()), STARTED: "1.0"},
            "alive": {HOST: here, PROCESS: str(os.getpid()), STARTED: now},
            "elsewhere": {HOST: "another-machine", PROCESS: "99999999", STARTED: "1.0"},
            "untold": {},
        }
        ids = {name: client.create_run(experiment, tags=each).info.run_id
               for name, each in tags.items()}  # fmt: skip
        Tracker.start("small", "the next one", {}).end("FINISHED")
        found = {name: client.get_run(run_id).info.status for name, run_id in ids.items()}
        for run_id in ids.values():
            client.set_terminated(run_id)
        assert found == {
            "dead": "KILLED",
            "reused": "KILLED",
            "alive": "RUNNING",
            "elsewhere": "RUNNING",
            "untold": "RUNNING",
        }

    def test_a_run_that_an_interrupt_left_open_is_killed_by_the_next(self, database):
        left = Tracker.start("small", "interrupted", {})
        Tracker.start("small", "next", {}).end("FINISHED")
        assert run_of(left).info.status == "KILLED"


class TestFoundRuns:
    def test_by_all_their_tags_and_the_newest_first(self, database):
        made = []
        for row in ("a", "b", "a"):
            with Tracker.of_its_own("small", "x", {"experiment": "e", "row": row}) as tracker:
                made.append(tracker.run_id)
        found = find_runs("small", {"experiment": "e", "row": "a"})
        assert [run.info.run_id for run in found] == [made[2], made[0]]
        assert find_runs("other", {"experiment": "e"}) == []

    @pytest.mark.parametrize("row", ["it's", 'say "x"', 'it\'s "x"', "x' OR '1", "λ = 0", "100%"])
    def test_whatever_is_in_a_tag(self, database, row):
        for name in (row, "another"):
            with Tracker.of_its_own("small", "x", {"row": name}):
                pass
        (run,) = find_runs("small", {"row": row})
        assert run.data.tags["row"] == row


def test_numbers_are_added_to_a_run_that_has_ended(database):
    with Tracker.of_its_own("small", "x", {}) as tracker:
        pass
    again = Tracker(tracker.run_id)
    again.log_metrics({"rank-1": 0.5})
    again.set_tags({"scores": "1234"})
    run = run_of(tracker)
    assert run.data.metrics == {"rank-1": 0.5} and run.data.tags["scores"] == "1234"
    assert run.info.status == "FINISHED"


@pytest.mark.parametrize(
    "content", [b"garbage" * 100, b"SQLite format 3\0" + b"x" * 100], ids=["text", "header"]
)
def test_a_database_that_is_none_is_named_with_what_to_do(tmp_path, monkeypatch, content):
    path = tmp_path / "mlflow.db"
    path.write_bytes(content)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    try:
        with pytest.raises(
            TrackingError,
            match=r"mlflow\.db is damaged \(file is not a database\).*move it away with all",
        ):
            Tracker.start("small", "a run", {})
    finally:
        mlflow.set_tracking_uri(None)
    assert path.read_bytes() == content


def test_a_model_that_mlflow_does_not_know_is_none(database):
    assert known_model(None) is None
    assert known_model("m-0123456789abcdef0123456789abcdef") is None


def test_scores_become_means_and_deviations():
    rows = [
        ("trial_00", "network", "cosine", "rank-1", 0.5),
        ("trial_01", "network", "cosine", "rank-1", 0.7),
        ("trial_00", "network", "cosine", "rank-3", 0.9),
        ("trial_01", "network", "cosine", "rank-3", 0.9),
    ]
    scores = pd.DataFrame(rows, columns=["trial", "features", "metric", "measure", "value"])
    metrics = score_metrics(scores)
    assert metrics["score.network.cosine.rank-1"] == pytest.approx(0.6)
    assert metrics["score.network.cosine.rank-1.std"] == pytest.approx(0.02**0.5)
    assert not [name for name in metrics if "rank-3" in name]
    assert list(score_metrics(scores[scores.trial == "trial_00"])) == [
        "score.network.cosine.rank-1"
    ]


def test_artifacts_are_listed_with_place_hash_and_maker(tmp_path, monkeypatch):
    record = SimpleNamespace(
        content="c0", size=3, identity="id", run_id="r1", commit="abc", finished="now", inputs={}
    )
    ledger = SimpleNamespace(
        is_kept=lambda name: name != "found",
        is_there=lambda name: name != "absent",
        record=lambda name: record,
        file=lambda name: tmp_path / name,
    )
    monkeypatch.setattr(tracking, "to_root", lambda path: path.name)
    listed = artifact_list(ledger, ["frames", "found", "absent", "scores"], {"scores"})
    assert [(entry["artifact"], entry["taken_over"]) for entry in listed] == [
        ("frames", True),
        ("scores", False),
    ]
    assert listed[0]["place"] == "frames" and listed[0]["sha256"] == "c0"
    assert listed[0]["made_by"] == "r1"


def test_measures_become_metrics_by_trial_and_network():
    table = pd.DataFrame(
        [("trial_00", "trained", "rank-1, visible 1", 0.5), ("trial_00", "untrained", "x", None)],
        columns=["trial", "network", "measure", "value"],
    )
    assert measure_metrics(table, "looks") == {"looks.trial_00.trained.rank-1 visible 1": 0.5}
