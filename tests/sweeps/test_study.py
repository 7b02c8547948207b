"""Studies that are interrupted go the way of undisturbed ones."""

import optuna
from optuna.trial import TrialState

from wherewhen.sweeps.config import read_sweep
from wherewhen.sweeps.study import ERROR, finished, open_study, propose

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
