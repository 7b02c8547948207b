"""A run makes what is missing or out of date, and nothing else."""

import json
import logging
import threading
import time
from pathlib import Path

import pytest
from kedro.io import DatasetError
from kedro.pipeline import Pipeline
from kedro_datasets.json import JSONDataset

from wherewhen.lineage.ledger import NotMade, StaleInputError
from wherewhen.lineage.runner import Runner
from wherewhen.locks import held

ALL = ["draw", "double", "add"]


def total(small, **parameters):
    return small.catalog(**parameters).load("total")


def files_of(small):
    files = (path for path in (small.root / "data").rglob("*.json") if path.is_file())
    return {path: path.read_bytes() for path in files}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("name", ["doubled", "total"])
def test_a_file_that_is_half_written_when_a_node_fails_is_removed(small, monkeypatch, error, name):
    def stop(dataset, data):
        path = Path(str(dataset._get_save_path() if dataset._version else dataset._filepath))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
        if name in path.name:
            raise error
        path.write_text(json.dumps(data))

    monkeypatch.setattr(JSONDataset, "save", stop)
    with pytest.raises((KeyboardInterrupt, DatasetError, OSError)):
        small.run()
    monkeypatch.undo()
    files = files_of(small)
    assert files and b"half" not in files.values()
    small.run()
    assert total(small) == {"total": 12, "count": 3}


def test_a_node_that_fails_before_it_writes_leaves_what_is_there(small, monkeypatch):
    small.run()
    before = files_of(small)
    monkeypatch.setattr(JSONDataset, "load", lambda dataset: 1 / 0)
    with pytest.raises((ZeroDivisionError, DatasetError)):
        small.run(factor=3)
    assert files_of(small) == before


class TestASecondRun:
    def test_makes_nothing(self, small):
        assert small.run() == ALL
        assert small.run() == []
        assert total(small) == {"total": 12, "count": 3}

    def test_says_so(self, small, caplog):
        small.run()
        with caplog.at_level(logging.INFO):
            small.run()
        assert "nothing is out of date: all 3 nodes are taken over" in caplog.text
        assert "0 of 3 nodes ran, 3 were taken over" in caplog.text

    def test_with_another_parameter_makes_what_reads_it_and_what_follows(self, small, caplog):
        small.run()
        with caplog.at_level(logging.INFO):
            assert small.run(factor=5) == ["double", "add"]
        assert "to be made, factor 2 -> 5: double" in caplog.text
        assert total(small, factor=5) == {"total": 30, "count": 3}

    def test_goes_back_without_making_what_is_kept(self, small):
        """`doubled` is kept of every identity; `total` is one file, of the last one alone."""
        small.run()
        small.run(factor=5)
        assert small.run() == ["double", "add"]  # `counted` is kept in memory alone, so double runs
        assert total(small) == {"total": 12, "count": 3}

    def test_with_a_parameter_that_says_only_how_makes_nothing(self, small):
        small.run()
        assert small.run(draw={"workers": 7}) == []

    def test_stops_where_the_content_is_the_same(self, small, monkeypatch):
        """Another code, the same numbers: what was made of them stays."""
        small.run()
        versions = {"draw": "another", "double": "d", "add": "a"}
        monkeypatch.setattr(
            "wherewhen.lineage.ledger.code_version", lambda function: versions[function.__name__]
        )
        assert small.run() == ALL
        versions["draw"] = "one more"
        assert small.run() == ["draw"]

    def test_makes_again_what_was_changed(self, small, caplog):
        small.run()
        (small.root / "data/total.json").write_text(json.dumps({"total": 99, "count": 3}))
        with pytest.raises(NotMade, match=r"data/total\.json was changed after it was made"):
            total(small)
        with caplog.at_level(logging.INFO):
            assert small.run() == ["double", "add"]
        assert "data/total.json was changed after it was made" in caplog.text
        assert total(small) == {"total": 12, "count": 3}

    @pytest.mark.parametrize("what", ["file", "record"])
    def test_makes_again_what_is_gone(self, small, what):
        small.run()
        (folder,) = (small.root / "data/drawn.json").iterdir()
        (folder / {"file": "drawn.json", "record": "record.json"}[what]).unlink()
        assert small.run() == ["draw"]

    def test_makes_again_what_was_cut_off(self, small):
        small.run()
        (folder,) = (small.root / "data/drawn.json").iterdir()
        path = folder / "drawn.json"
        path.write_bytes(path.read_bytes()[:5])
        assert small.run() == ["draw"]
        assert json.loads(path.read_text()) == {"numbers": [1, 2, 3]}


class TestAnew:
    def test_makes_all_of_it(self, small):
        small.run()
        assert small.run(anew=True) == ALL

    def test_makes_the_chosen_stages(self, small):
        small.run()
        assert small.run("second", "third", anew=True) == ["double", "add"]

    def test_that_is_killed_is_gone_on_with_by_a_plain_run(self, small, monkeypatch):
        small.run()

        class Stop(BaseException):
            pass

        def stop(*_):
            raise Stop

        catalog = small.catalog()
        monkeypatch.setattr("wherewhen.lineage.runner.Task.execute", stop)
        with pytest.raises(Stop):
            Runner(anew=True).run(small.stages()["__default__"], catalog)
        monkeypatch.undo()
        monkeypatch.chdir(small.root)
        assert small.run() == ALL


class TestAPartOfThePipelines:
    def test_reads_what_is_there(self, small):
        small.run()
        (small.root / "data/total.json").unlink()
        assert small.run("second", "third") == ["double", "add"]

    def test_refuses_what_other_parameters_have_made(self, small):
        small.run()
        with pytest.raises(StaleInputError) as caught:
            small.run("second", "third", draw={"start": 2})
        assert "drawn: draw.start 1 -> 2" in str(caught.value)
        assert "kedro run --pipelines first with the same parameters" in str(caught.value)

    def test_refuses_what_was_never_made(self, small):
        with pytest.raises(StaleInputError, match="drawn: not made yet"):
            small.run("second")

    def test_refuses_what_is_only_kept_in_memory(self, small):
        small.run()
        with pytest.raises(StaleInputError, match="counted: is kept in memory alone; double has"):
            small.run("third", anew=True)

    def test_names_the_first_cause_and_all_stages_on_the_way(self, small):
        with pytest.raises(StaleInputError) as caught:
            small.run("third")
        assert "drawn: not made yet" in str(caught.value)
        assert "--pipelines first,second" in str(caught.value)

    def test_nothing_is_run_before_a_refusal(self, small, calls):
        with pytest.raises(StaleInputError):
            small.run("third")
        assert calls() == []


class TestTwoRunsAtOnce:
    def test_the_second_waits_and_takes_over(self, small, caplog):
        lock = small.root / "data/.locks/small/shared.lock"
        lock.parent.mkdir(parents=True)
        ran = []
        with caplog.at_level(logging.INFO), held(lock, lambda who: None):
            second = threading.Thread(target=lambda: ran.extend(small.run()))
            second.start()
            deadline = time.monotonic() + 20
            while "waiting for another run" not in caplog.text:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert ran == []
        second.join()
        assert ran == ALL
        assert "waiting for another run that is at small (process" in caplog.text

    def test_a_run_that_makes_nothing_waits_for_nobody(self, small):
        small.run()
        with held(small.root / "data/.locks/small/shared.lock", lambda who: None):
            assert small.run() == []


def test_only_missing_outputs_is_what_every_run_does(small):
    small.run()
    catalog = small.catalog(factor=3)
    small.run(factor=3)
    assert catalog.load("total")["total"] == 18
    Runner().run(Pipeline([]), catalog, only_missing_outputs=True)
