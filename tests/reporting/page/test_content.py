from wherewhen.reporting.page import Experiment, Number, Row, Status


def test_measures_keep_the_order_of_first_appearance_and_say_which_are_compared():
    rows = [
        Row("a", Status.FINISHED, numbers={"rank-1": Number(50.0), "mAP": Number(40.0)}),
        Row("b", Status.QUOTED, numbers={"rank-1": Number(published=60.0)}),
        Row("c", Status.FINISHED, numbers={"rank-5": Number(70.0)}),
    ]
    experiment = Experiment("t", "T", rows=rows)
    assert experiment.measures == ["rank-1", "mAP", "rank-5"]
    assert experiment.compared == ["rank-1"]
