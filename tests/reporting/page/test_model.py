from dataclasses import replace

from wherewhen.reporting.page.model import Status


def test_a_row_says_its_trials_or_what_keeps_it_from_being_finished(experiment):
    states = [row.state for row in experiment.rows]
    assert states == ["3 trials", "3 trials", "1 trial", "failed", "not run"]
    unfinished = replace(experiment.rows[2], status=Status.PARTLY)
    assert unfinished.state == "1 trial, unfinished"


def test_progress_counts_rows_by_their_state(experiment):
    assert experiment.progress == "3 of 5 rows finished, 1 failed, 1 not run"
