import mlflow
import pytest

from wherewhen.tracking import MetricLog


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
