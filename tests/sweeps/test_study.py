"""Studies that are interrupted go the way of undisturbed ones."""

import sqlite3
from contextlib import closing

import optuna
import pytest
from optuna.trial import TrialState

from wherewhen.sweeps.config import read_sweep
from wherewhen.sweeps.study import (
    ERROR,
    StudyError,
    finished,
    open_study,
    propose,
    require_usable,
    understood,
)

SWEEP = read_sweep(
    "mine",
    {
        "search": {
            "train.training.learning_rate": {"low": 0.0, "high": 1.0},
            "embed.clips": {"choices": [1, 2, 3]},
        },
        "sampler": {"seed": 4, "startup": 3},
    },
)


def judged(params):
    return params["embed.clips"] - (params["train.training.learning_rate"] - 0.3) ** 2


def search(database, evaluations, killed_at=()):
    """Evaluate, in processes that are killed in the midst of some evaluations."""
    killed_at = set(killed_at)
    study = open_study(database, "mine", SWEEP)
    while (done := len(finished(study))) < evaluations:
        evaluation = propose(study, SWEEP)
        if done in killed_at:
            killed_at.remove(done)
            study = open_study(database, "mine", SWEEP)
            assert study.trials[evaluation.number].state is TrialState.FAIL
            continue
        study.tell(evaluation, judged(evaluation.params))
    return study


def test_an_interrupted_sweep_goes_the_way_of_an_undisturbed_one(tmp_path):
    undisturbed = search(tmp_path / "one.db", 6)
    interrupted = search(tmp_path / "other.db", 6, killed_at=[1, 5])
    ways = [[each.params for each in finished(study)] for study in (undisturbed, interrupted)]
    assert ways[0] == ways[1]
    assert len({str(way) for way in ways[0]}) == 6
    states = [each.state for each in interrupted.get_trials()]
    assert states.count(TrialState.FAIL) == 2 and states.count(TrialState.COMPLETE) == 6
    assert interrupted.best_value == undisturbed.best_value


def test_the_study_is_read_back_from_its_file(tmp_path):
    search(tmp_path / "sweeps.db", 2)
    study = optuna.load_study(study_name="mine", storage=f"sqlite:///{tmp_path / 'sweeps.db'}")
    first = [each.params for each in study.trials]
    assert len(first) == 2
    assert [each.params for each in search(tmp_path / "sweeps.db", 3).trials][:2] == first


def test_what_failed_by_itself_is_not_repeated(tmp_path):
    study = open_study(tmp_path / "sweeps.db", "mine", SWEEP)
    evaluation = propose(study, SWEEP)
    evaluation.set_user_attr(ERROR, "diverged")
    study.tell(evaluation, state=TrialState.FAIL)
    assert [each.number for each in finished(study)] == [0]
    assert propose(study, SWEEP).params != evaluation.params


def another_program_s(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE notes (text TEXT)")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b"garbage" * 100), r"is damaged .*put a copy in its place"),
        (lambda path: path.mkdir(), r"is no file, expected a database: move it away"),
        (another_program_s, r"is a database, and not Optuna's: move it away"),
    ],
)
def test_a_file_that_holds_no_study_is_named(tmp_path, spoil, said):
    spoil(tmp_path / "sweeps.db")
    with pytest.raises(StudyError, match=rf"sweeps\.db {said}.*All that was made is kept"):
        open_study(tmp_path / "sweeps.db", "mine", SWEEP)


def test_a_file_that_goes_away_in_the_middle_is_named(tmp_path):
    database = tmp_path / "sweeps.db"
    study = search(database, 1)
    database.unlink()
    with pytest.raises(StudyError, match=r"was removed while this process used it"):
        require_usable(database)
    assert len(study.trials) == 1  # SQLite still reads the file that has no name any more


def test_a_fault_in_the_middle_is_named(tmp_path):
    database = tmp_path / "sweeps.db"
    study = search(database, 1)
    with (
        pytest.raises(StudyError, match=r"is damaged .*All that was made is kept"),
        understood(database),
    ):
        database.write_bytes(b"garbage" * 5000)
        study.ask()
