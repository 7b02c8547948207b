"""The wires: every table is drawn, every trial on its own."""

from wherewhen.pipelines.analyse.pipeline import create_pipeline

TABLES = ("length_matrix", "frame_weights", "attention", "failures")
FIGURES = ("lengths", "frame_weights", "attention", "failures")


def test_each_table_has_its_figure_in_each_trial():
    made = create_pipeline(["trial_00", "trial_01"]).all_outputs()
    trials = ("trial_00", "trial_01")
    tables = {f"{trial}.{table}" for trial in trials for table in TABLES}
    figures = {f"{trial}.figure_{name}" for trial in trials for name in FIGURES}
    assert made == tables | figures


def test_a_table_can_be_made_without_the_others():
    alone = create_pipeline(["trial_00"]).to_outputs("trial_00.failures")
    assert [node.name for node in alone.nodes] == ["trial_00.list_failures"]


def test_without_a_trained_network_there_is_nothing_to_look_at():
    assert not create_pipeline(["trial_00"], trained=False).nodes
