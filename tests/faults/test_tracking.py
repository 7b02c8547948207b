"""MLflow that can't be used: said before any work, or survived and named at the end of it."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, suppress

import mlflow
import pytest

from wherewhen import tracking
from wherewhen.tracking import Tracker, TrackingError, find_runs


@pytest.fixture
def place(database, tmp_path, monkeypatch):
    """The path of a fresh database of MLflow, and artifacts beside it."""
    path = tmp_path / "mlflow.db"
    shutil.copy(database, path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    monkeypatch.setenv("WHEREWHEN_ARTIFACTS", (tmp_path / "artifacts").as_uri())
    yield path
    while mlflow.active_run():
        with suppress(Exception):
            mlflow.end_run()
    mlflow.set_tracking_uri(None)


@pytest.fixture
def hold(place):
    """Return a function that takes the database for itself, as another process would."""
    holders = []

    def begin():
        holder = sqlite3.connect(place, isolation_level=None)
        holders.append(holder)
        holder.execute("BEGIN EXCLUSIVE")
        return holder.close

    yield begin
    for holder in holders:
        holder.close()


def execute(path, statement):
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()


def of_version(version):
    return lambda path: execute(path, f"UPDATE alembic_version SET version_num = '{version}'")


def of_another_program(path):
    path.unlink()
    execute(path, "CREATE TABLE notes (text TEXT)")


def a_folder(path):
    path.unlink()
    path.mkdir()


def garbage(path):
    path.write_bytes(os.urandom(20_000))


def truncated(path):
    path.write_bytes(path.read_bytes()[:20_000])


class TestAtTheStart:
    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (of_version("451aebb31d03"), "is of an older MLflow. Copy it, then run `mlflow db up"),
            (of_version("ffffffffffff"), "is of a newer MLflow than"),
            (of_another_program, "is a database, and not MLflow's: move it away"),
            (a_folder, "is no file, expected a database: move it away"),
            (garbage, "is damaged (file is not a database): put a copy in its place, or move it"),
            (truncated, "is damaged (database disk image is malformed): put a copy"),
        ],
    )
    def test_a_file_that_is_no_database_of_this_mlflow(self, place, spoil, said):
        spoil(place)
        before = place.read_bytes() if place.is_file() else None
        with pytest.raises(TrackingError) as caught:
            Tracker.start("small", "a run", {})
        assert f"MLflow can't be used: {place} {said}" in str(caught.value)
        assert "MLFLOW_TRACKING_URI names another place" in str(caught.value)
        assert mlflow.active_run() is None
        assert before is None or place.read_bytes() == before

    def test_one_that_another_process_holds(self, place, hold):
        hold()
        began = time.monotonic()
        with pytest.raises(TrackingError, match=r"held by another process.*wait until that is"):
            Tracker.start("small", "a run", {})
        assert time.monotonic() - began < 20  # MLflow itself would try for minutes

    @pytest.mark.usefixtures("no_privileges")
    def test_one_that_may_not_be_written(self, place):
        place.chmod(0o444)
        with pytest.raises(TrackingError, match=r"mlflow\.db can't be written to .*the right to"):
            Tracker.start("small", "a run", {})

    @pytest.mark.usefixtures("no_privileges")
    def test_a_folder_that_may_not_be_written(self, place):
        place.unlink()
        place.parent.chmod(0o555)
        try:
            with pytest.raises(TrackingError, match=r"can't be written to \(Permission den"):
                Tracker.start("small", "a run", {})
        finally:
            place.parent.chmod(0o755)

    def test_a_server_that_is_not_there(self, place, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
        began = time.monotonic()
        with pytest.raises(TrackingError, match=r"http://127\.0\.0\.1.* does not answer .*start"):
            Tracker.start("small", "a run", {})
        assert time.monotonic() - began < 20

    def test_an_empty_one_is_made_anew(self, place):
        place.write_bytes(b"")
        Tracker.start("small", "a run", {}).end("FINISHED")
        (run,) = find_runs("small", {})
        assert run.info.status == "FINISHED"


class TestInTheMiddle:
    """The work goes on. What MLflow missed is sent later, or named."""

    @pytest.fixture
    def tracker(self, place):
        return Tracker.start("small", "a run", {})

    def test_what_waited_is_sent_in_order_when_the_database_is_free_again(
        self, tracker, hold, tmp_path, caplog
    ):
        file = tmp_path / "report.json"
        file.write_text("{}")
        caplog.set_level("INFO")
        release = hold()
        tracker.log_parameters({"a": 1})
        with tracking.MetricLog("trial_00") as log:
            log.record({"step": 1, "loss": 0.5})
        tracker.log_file(file, "ingest")
        assert caplog.text.count("MLflow can't be used any more") == 1
        assert "held by another process" in caplog.text
        release()
        tracker.log_metrics({"score": 0.25})
        assert "MLflow can be used again" in caplog.text
        tracker.end("FINISHED")
        tracker.require_told()
        run = mlflow.MlflowClient().get_run(tracker.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.params == {"a": "1"}
        assert run.data.metrics == {"trial_00.loss": 0.5, "score": 0.25}
        listed = mlflow.MlflowClient().list_artifacts(tracker.run_id, "ingest")
        assert [each.path for each in listed] == ["ingest/report.json"]

    def test_what_was_never_sent_is_named_and_the_run_is_closed_by_the_next(self, tracker, hold):
        release = hold()
        tracker.log_metrics({"score": 0.25})
        tracker.log_dict({}, "lineage.json")
        tracker.end("FINISHED")
        assert mlflow.active_run() is None
        with pytest.raises(TrackingError) as caught:
            tracker.require_told()
        for said in (
            "all is done and kept, but", tracker.run_id, "metrics, lineage.json, its end",
            "held by another process", "the same command again",
        ):  # fmt: skip
            assert said in str(caught.value)
        release()
        run = mlflow.MlflowClient().get_run(tracker.run_id)
        assert (run.info.status, run.data.metrics) == ("RUNNING", {})
        execute_as_if_dead(tracker)
        Tracker.start("small", "the next", {}).end("FINISHED")
        assert mlflow.MlflowClient().get_run(tracker.run_id).info.status == "KILLED"

    @pytest.mark.parametrize("replaced", [False, True])
    def test_one_that_was_removed_or_replaced_gets_nothing_more(
        self, tracker, place, database, replaced
    ):
        """SQLite would go on writing into the file that no folder names any more."""
        place.unlink()
        if replaced:
            shutil.copy(database, place)
        tracker.log_metrics({"score": 0.25})
        tracker.end("FINISHED")
        word = "replaced" if replaced else "removed"
        with pytest.raises(TrackingError, match=rf"metrics.*was {word} while this process used"):
            tracker.require_told()
        with pytest.raises(TrackingError, match="start the command again"):
            Tracker.start("small", "the next row of an experiment", {})
        if replaced:
            assert database.read_bytes() == place.read_bytes()
        else:
            assert not place.exists()

    def test_a_database_that_breaks_is_named(self, tracker, place):
        garbage(place)
        tracker.log_metrics({"score": 0.25})
        tracker.end("FINISHED")
        with pytest.raises(TrackingError, match=r"metrics, its end .*is damaged"):
            tracker.require_told()

    def test_what_mlflow_refuses_holds_up_nothing_else(self, tracker, tmp_path):
        tracker.log_file(tmp_path / "gone.json", "ingest")
        tracker.log_metrics({"score": 0.25})
        tracker.end("FINISHED")
        with pytest.raises(TrackingError, match=r"missing: ingest/gone\.json \(.*No such file"):
            tracker.require_told()
        run = mlflow.MlflowClient().get_run(tracker.run_id)
        assert (run.info.status, run.data.metrics) == ("FAILED", {"score": 0.25})

    def test_an_answer_that_mlflow_can_not_give_is_missing(self, tracker, place):
        garbage(place)
        assert tracker.obtain("the model", lambda: tracking.client().get_run("x")) is None
        with pytest.raises(TrackingError, match="missing: the model"):
            tracker.require_told()

    def test_a_table_of_its_own_that_was_not_told_all_is_an_error(self, place):
        with (
            pytest.raises(TrackingError, match=r"missing: table\.csv, its end"),
            Tracker.of_its_own("small", "a table", {}) as table,
        ):
            garbage(place)
            table.log_text("a,b", "table.csv")


def execute_as_if_dead(tracker):
    mlflow.MlflowClient().set_tag(tracker.run_id, tracking.PROCESS, "99999999")


def free_port():
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def server(place, tmp_path, monkeypatch):
    """Return a function that starts a server on the database; the environment names it."""
    port, processes = free_port(), []
    uri = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    def start():
        words = ["-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{place}"]
        words += ["--port", str(port), "--workers", "1", "--disable-security-middleware"]
        process = subprocess.Popen(
            [sys.executable, *words], cwd=tmp_path, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        processes.append(process)
        ends = time.monotonic() + 240
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{uri}/health", timeout=5):
                monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
                return lambda: end(process)
            assert process.poll() is None and time.monotonic() < ends
            time.sleep(0.2)

    def end(process):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()

    yield start
    for process in processes:
        end(process)


@pytest.mark.slow
class TestServer:
    def test_one_that_dies_and_comes_back_is_told_what_it_missed(self, server):
        stop = server()
        tracker = Tracker.start("small", "a run", {})
        tracker.log_metrics({"before": 1.0})
        stop()
        tracker.log_metrics({"meanwhile": 2.0})
        server()
        tracker.end("FINISHED")
        tracker.require_told()
        run = mlflow.MlflowClient().get_run(tracker.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.metrics == {"before": 1.0, "meanwhile": 2.0}

    def test_one_that_dies_for_good_is_named(self, server):
        stop = server()
        tracker = Tracker.start("small", "a run", {})
        stop()
        tracker.log_metrics({"meanwhile": 2.0})
        tracker.end("FINISHED")
        assert mlflow.active_run() is None
        with pytest.raises(TrackingError, match=r"metrics, its end \(http://.*does not answer"):
            tracker.require_told()
