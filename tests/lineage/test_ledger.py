import functools
import json
from pathlib import Path

import pytest
from kedro.io import AbstractDataset
from pydantic import BaseModel

from wherewhen.lineage.catalog import UNKNOWN
from wherewhen.lineage.ledger import NotMade, function_name, parameter


def only_folder(path):
    (folder,) = path.iterdir()
    return folder


class TestIdentity:
    def test_names_the_folder(self, small):
        small.run()
        ledger = small.catalog().ledger
        folder = only_folder(small.root / "data/drawn.json")
        assert folder.name == ledger.identity(ledger.maker("drawn"))
        assert ledger.file("drawn") == folder / "drawn.json"

    def test_of_what_follows_is_unknown_before_its_inputs_are_there(self, small):
        ledger = small.catalog().ledger
        assert ledger.version("drawn") != UNKNOWN
        assert ledger.version("doubled") == UNKNOWN
        with pytest.raises(NotMade, match="drawn: not made yet"):
            ledger.identity(ledger.maker("doubled"))

    def test_follows_from_function_parameters_and_contents(self, small):
        small.run()
        ledger = small.catalog().ledger
        making = ledger.making(ledger.maker("doubled"))
        assert making["function"].endswith("conftest.double")
        assert making["parameters"] == {"factor": 2}
        assert making["inputs"] == {"drawn": ledger.record("drawn").content}

    def test_leaves_out_what_says_only_how(self, small):
        ledger = small.catalog().ledger
        assert ledger.making(ledger.maker("drawn"))["parameters"] == {
            "draw": {"start": 1, "count": 3}
        }

    def test_leaves_out_what_says_only_how_for_all_stages(self, small):
        small.run()
        assert small.run(speed=2) == []

    def test_is_of_the_content_and_not_of_the_way(self, small):
        """Three numbers from 1 by two ways: what is made of them is the same."""
        small.run(draw={"start": 1, "count": 3})
        one = small.catalog().ledger
        small.run(draw={"start": 1, "count": 3, "workers": 2})
        two = small.catalog(draw={"workers": 2}).ledger
        assert one.version("doubled") == two.version("doubled") != UNKNOWN


class TestRecord:
    def test_says_what_went_in_and_what_came_out(self, small):
        small.run()
        record = small.catalog().ledger.record("doubled")
        assert record.artifact == "doubled"
        assert record.node == "double"
        assert (record.commit, record.run_id) == ("0123", "run")
        assert record.versions == {"python": "3"}
        assert record.started <= record.finished
        assert record.size == small.catalog().ledger.file("doubled").stat().st_size

    def test_of_another_identity_is_never_taken(self, small):
        """A record that was copied into the folder of what is asked for does not fit."""
        small.run()
        small.run(draw={"start": 5})
        one, two = sorted((small.root / "data/drawn.json").iterdir())
        for name in ("record.json", "drawn.json"):
            (two / name).write_bytes((one / name).read_bytes())
        states = [small.catalog(draw={"start": start}).ledger.is_there("drawn") for start in (1, 5)]
        assert sorted(states) == [False, True]

    def test_dates_decide_nothing(self, small):
        """What was made last, or bears a name that sorts last, is not what is asked for."""
        small.run()
        small.run(draw={"start": 5})
        for folder in (small.root / "data/drawn.json").iterdir():
            record = json.loads((folder / "record.json").read_text())
            future = record["parameters"]["draw"]["start"] == 5
            record["finished"] = "2099-01-01T00:00:00+00:00" if future else "1999-01-01T00:00:00"
            (folder / "record.json").write_text(json.dumps(record))
        assert small.catalog().load("drawn") == {"numbers": [1, 2, 3]}
        assert small.catalog(draw={"start": 5}).load("drawn") == {"numbers": [5, 6, 7]}

    def test_a_reason_compares_with_what_was_made_last(self, small):
        small.run()
        ledger = small.catalog(draw={"count": 4}).ledger
        with pytest.raises(NotMade, match=r"drawn: draw\.count 3 -> 4"):
            ledger.record("drawn")


class TestPlan:
    def test_says_why_and_what_follows(self, small):
        small.run()
        ledger = small.catalog(factor=3).ledger
        assert ledger.plan(ledger.nodes) == {
            "draw": None,
            "double": "factor 2 -> 3",
            "add": "follows from double",
        }

    def test_runs_what_passes_on_in_memory_for_who_needs_it(self, small):
        small.run()
        (small.root / "data/total.json").unlink()
        ledger = small.catalog().ledger
        reasons = ledger.plan(ledger.nodes)
        assert reasons["double"] == "add needs what it passes on"
        assert reasons["add"] == "data/total.json is gone"


def test_ancestors_are_in_order(small):
    ledger = small.catalog().ledger
    assert [node.name for node in ledger.ancestors(["total"])] == ["draw", "double", "add"]
    assert [node.name for node in ledger.ancestors(["drawn"])] == ["draw"]
    assert ledger.ancestors(["params:draw"]) == []


def test_what_an_earlier_version_left_is_moved_away(small, caplog):
    data = small.root / "data"
    (data / "total.json/2026-01-01T00.00.00").mkdir(parents=True)  # versions by date, once
    (data / "drawn.json").write_text("{}")  # one file, once
    small.run()
    assert small.catalog().load("total")["total"] == 12
    assert sorted(path.name for path in data.glob("*.old")) == ["drawn.json.old", "total.json.old"]
    assert "drawn.json is of an earlier version: moved to drawn.json.old" in caplog.text


def test_a_function_is_named_with_what_is_bound_to_it():
    bound = functools.partial(parameter, name="x")
    assert function_name(bound) == "wherewhen.lineage.ledger.parameter(name='x')"


def test_a_parameter_is_found_by_its_name():
    class Inner(BaseModel):
        options: dict = {"a": {"b": 3}}

    class Outer(BaseModel):
        inner: Inner = Inner()

    assert parameter(Outer(), "params:inner.options.a.b") == 3
    assert parameter(Outer(), "params:inner") == Inner()


class TestAStore:
    """A data set whose artifact is a small file that names a store of its own."""

    @pytest.fixture
    def ledger(self, small):
        class Store(AbstractDataset):
            metadata = None

            def __init__(self, path):
                self._filepath, self.broken = path, None

            def load(self):
                return json.loads(Path(self._filepath).read_text())

            def save(self, data):
                Path(self._filepath).parent.mkdir(parents=True, exist_ok=True)
                Path(self._filepath).write_text(json.dumps(data))

            def fault(self):
                return self.broken

            def counts(self):
                return "what counts"

            def _describe(self):
                return {}

        small.run()
        catalog = small.catalog()
        catalog["total"] = Store(small.root / "data/store.json")
        self.store = catalog.unbound("total")
        catalog.ledger.prepare("total")
        self.store.save({"total": 1})
        return catalog.ledger

    def test_counts_by_what_it_says(self, ledger, small):
        from datetime import UTC, datetime

        ledger.made("total", started=datetime.now(UTC), **small.stamp)
        record = ledger.record("total")
        assert record.counts == "what counts"
        assert record.content != record.counts

    def test_is_not_there_if_it_finds_a_fault(self, ledger, small):
        from datetime import UTC, datetime

        ledger.made("total", started=datetime.now(UTC), **small.stamp)
        assert ledger.is_there("total")
        self.store.broken = "3 tracklets are gone"
        ledger.refresh()
        with pytest.raises(NotMade, match="total: 3 tracklets are gone"):
            ledger.record("total")
