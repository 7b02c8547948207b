"""A clock that is set back or forward: nothing is chosen by its date, nobody taken for dead."""

import importlib.util
import os
import socket
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest

from wherewhen import sessions, tracking
from wherewhen.galleries.links import PERSONS, groups_of
from wherewhen.galleries.records import write_beside
from wherewhen.lineage import ledger
from wherewhen.sessions import View
from wherewhen.tracking import HOST, PROCESS, STARTED, is_dead

_path = Path(__file__).parents[1] / "experiments/conftest.py"
_spec = importlib.util.spec_from_file_location("small_project", _path)
_small = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_small)
project = _small.project


def set_clock(monkeypatch, **shift):
    """Let records be dated by a clock that is wrong by a shift."""

    class Shifted(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) + timedelta(**shift)

    monkeypatch.setattr(ledger, "datetime", Shifted)


class TestArtifacts:
    @pytest.mark.usefixtures("project")
    def test_what_is_loaded_is_what_the_parameters_ask_for_whatever_its_date(self, monkeypatch):
        """The second split is made by a clock that is a day behind, then the first is asked for."""
        stages, other = ["ingest", "split"], {"split": {"seed": 7}}
        sessions.run("drawn", {}, stages)
        first = View.of("drawn").catalog.load("splits")
        set_clock(monkeypatch, days=-1)
        sessions.run("drawn", other, stages)
        second = View.of("drawn", other)
        assert not second.catalog.load("splits").equals(first)
        assert second.ledger.previous("splits").identity != second.ledger.record("splits").identity
        sessions.run("drawn", {}, stages)
        pd.testing.assert_frame_equal(View.of("drawn").catalog.load("splits"), first)


class TestProcesses:
    @pytest.mark.parametrize("hours", [-2, 2])
    def test_a_run_goes_on_when_the_clock_is_set(self, monkeypatch, hours):
        """On Linux, psutil adds the time since the boot to a boot that moves with the clock."""
        tags = tracking._process_tags()
        before = psutil.Process.create_time
        monkeypatch.setattr(
            psutil.Process, "create_time", lambda process: before(process) + 3600 * hours
        )
        if not Path("/proc/self/stat").exists():
            pytest.skip("elsewhere a process's start is dated by the clock")
        assert not is_dead(tags)

    def test_another_process_of_its_number_is_not_it(self):
        tags = tracking._process_tags()
        ticks, _, boot = tags[STARTED].partition(" ticks after boot ")
        assert is_dead({**tags, STARTED: f"{int(ticks) - 1} ticks after boot {boot}"})
        assert is_dead({**tags, STARTED: f"{ticks} ticks after boot another"})

    def test_runs_of_an_earlier_version_are_judged_by_the_date(self):
        here = {HOST: socket.gethostname(), PROCESS: str(os.getpid())}
        now = psutil.Process().create_time()
        assert not is_dead({**here, STARTED: f"{now:.2f}"})
        assert is_dead({**here, STARTED: f"{now - 60:.2f}"})


class TestLinks:
    """Groups of a gallery count for the content that was linked, not by the dates of files."""

    @pytest.fixture
    def folder(self, tmp_path):
        table = tmp_path / PERSONS
        pd.DataFrame({"tracklet": ["01", "x"], "group": [1, 2]}).to_csv(table, index=False)
        write_beside(table, {"gallery": {"state": "linked"}})
        return tmp_path

    @staticmethod
    def in_state(state):
        return SimpleNamespace(index=SimpleNamespace(state=state))

    @pytest.mark.parametrize("days", [-9, 9])
    def test_they_hold_for_the_gallery_that_was_linked(self, folder, days):
        then = datetime.now().timestamp() + days * 86_400
        os.utime(folder / PERSONS, (then, then))
        assert groups_of(self.in_state("linked"), folder).to_dict() == {"01": 1, "x": 2}
        assert groups_of(self.in_state("changed since"), folder) is None

    def test_a_table_that_was_changed_or_has_no_record_is_not_read(self, folder, tmp_path):
        (folder / PERSONS).write_text("tracklet,group\n01,9\n")
        assert groups_of(self.in_state("linked"), folder) is None
        assert groups_of(self.in_state("linked"), tmp_path / "elsewhere") is None
