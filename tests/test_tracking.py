import shutil

import mlflow
import pytest

from wherewhen.tracking import (
    PROCESS,
    Description,
    MetricLog,
    Tracker,
    client,
    close_dead,
    described,
    find_runs,
    log_finished,
)


@pytest.fixture
def run(tmp_path):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = mlflow.create_experiment("test", artifact_location=(tmp_path / "a").as_uri())
    with mlflow.start_run(experiment_id=experiment) as active:
        yield active
    mlflow.set_tracking_uri(None)


def points(run, name):
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, name)
    return {metric.step: metric.value for metric in history}


def test_numbers_arrive_by_step_under_the_trials_name(run):
    with MetricLog("trial_00") as log:
        log.record({"step": 1, "loss": 0.5, "validation_loss": float("nan")})
        log.record({"step": 2, "loss": 0.25, "validation_loss": 0.75})
    assert points(run, "trial_00.loss") == {1: 0.5, 2: 0.25}
    assert points(run, "trial_00.validation_loss") == {2: 0.75}


def test_steps_before_a_resumption_are_filled_in_once(run):
    history = [{"step": step, "loss": float(step)} for step in (1, 2, 3)]
    with MetricLog("trial_00") as log:
        log.record(history[2])
        log.complete(history)
    assert points(run, "trial_00.loss") == {1: 1.0, 2: 2.0, 3: 3.0}
    client = mlflow.MlflowClient()
    assert len(client.get_metric_history(run.info.run_id, "trial_00.loss")) == 3


def test_more_than_a_batch_arrives_whole(run):
    with MetricLog("t") as log:
        for step in range(1200):
            log.record({"step": step, "loss": 1.0})
    assert len(points(run, "t.loss")) == 1200


def test_without_a_run_nothing_is_sent_and_nothing_fails():
    assert mlflow.active_run() is None
    with MetricLog("trial_00") as log:
        log.record({"step": 1, "loss": 0.5})


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An empty database, made once: it takes MLflow seconds."""
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def tracked(database, tmp_path, monkeypatch):
    """Let all tracking go to a database of this test's own."""
    shutil.copy(database, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("WHEREWHEN_ARTIFACTS", (tmp_path / "artifacts").as_uri())
    yield
    mlflow.set_tracking_uri(None)


def killed(dataset, name, tags):
    """Leave a run as a process leaves it that was killed: running, with the tags of nobody."""
    with Tracker.of_its_own(dataset, name, tags) as tracker:
        run_id = tracker.run_id
        client().set_tag(run_id, PROCESS, str(2**22 + 1))
    client().update_run(run_id, status="RUNNING")
    return run_id


def status(run_id):
    return client().get_run(run_id).info.status


class TestRunsOfTheirOwn:
    def test_a_run_of_a_killed_process_is_closed_when_another_begins(self, tracked):
        dead = killed("d", "a sweep", {"study": "s"})
        with Tracker.of_its_own("d", "a table", {}) as tracker:
            run_id = tracker.run_id
            assert (status(dead), status(run_id)) == ("KILLED", "RUNNING")
        assert status(run_id) == "FINISHED"

    def test_a_run_that_goes_on_is_this_process_s(self, tracked):
        again = killed("d", "a sweep", {"study": "s"})
        with Tracker.of_its_own("d", "a sweep", {"study": "s"}, again) as tracker:
            assert tracker.run_id == again
            close_dead()
            assert status(again) == "RUNNING"
        assert status(again) == "FINISHED"

    def test_an_error_and_an_interruption_are_told_apart(self, tracked):
        for error, expected in ((ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")):
            with pytest.raises(error), Tracker.of_its_own("d", "a table", {}) as tracker:
                run_id = tracker.run_id
                raise error
            assert status(run_id) == expected

    def test_it_is_not_the_active_run(self, tracked):
        with Tracker.of_its_own("d", "a table", {}):
            assert mlflow.active_run() is None


def test_a_session_s_run_is_named_and_repeated_as_described(tracked):
    said = Description("a row", {"row": "ours"}, "kedro experiment run")
    with described(said):
        tracker = Tracker("d")
        run_id = tracker.start("plain", {"dataset": "d", "command": "kedro run"})
        tracker.end("FINISHED")
    run = client().get_run(run_id)
    assert said.run_id == run_id and run.info.run_name == "a row"
    wanted = {"row": "ours", "dataset": "d", "command": "kedro experiment run"}
    assert wanted.items() <= run.data.tags.items()


class TestFoundRuns:
    def test_by_all_their_tags_and_the_newest_first(self, tracked):
        made = []
        for row in ("a", "b", "a"):
            with Tracker.of_its_own("d", "x", {"experiment": "e", "row": row}) as tracker:
                made.append(tracker.run_id)
        found = find_runs("d", {"experiment": "e", "row": "a"})
        assert [run.info.run_id for run in found] == [made[2], made[0]]
        assert find_runs("other", {"experiment": "e"}) == []

    @pytest.mark.parametrize("row", ["it's", 'say "x"', 'it\'s "x"', "x' OR '1", "λ = 0", "100%"])
    def test_whatever_is_in_a_tag(self, tracked, row):
        for name in (row, "another"):
            with Tracker.of_its_own("d", "x", {"row": name}):
                pass
        (run,) = find_runs("d", {"row": row})
        assert run.data.tags["row"] == row


def test_numbers_are_added_to_a_run_that_has_ended(tracked):
    with Tracker.of_its_own("d", "x", {}) as tracker:
        run_id = tracker.run_id
    log_finished(run_id, {"rank-1": 0.5}, {"scores": "1234"})
    run = client().get_run(run_id)
    assert run.data.metrics == {"rank-1": 0.5} and run.data.tags["scores"] == "1234"
    assert run.info.status == "FINISHED"
