from wherewhen.reporting.page.model import Experiment, Number, Row, Status


def row(name: str, **means: float) -> Row:
    numbers = {measure.replace("_", "-"): Number(mean) for measure, mean in means.items()}
    return Row(name, Status.FINISHED, numbers=numbers)


def test_measures_keep_the_order_of_first_appearance_and_say_which_are_compared():
    quoted = Row("b", Status.QUOTED, numbers={"rank-1": Number(published=60.0)})
    rows = [row("a", rank_1=50.0, mAP=40.0), quoted, row("c", rank_5=70.0)]
    experiment = Experiment("t", "T", rows=rows)
    assert experiment.measures == ["rank-1", "mAP", "rank-5"]
    assert experiment.compared == {"rank-1"}


def test_best_takes_ours_alone_and_what_is_equal_as_printed():
    quoted = Row("quoted", Status.QUOTED, numbers={"rank-1": Number(published=99.0)})
    rows = [row("a", rank_1=60.04), row("b", rank_1=59.96), row("c", rank_1=59.9), quoted]
    assert Experiment("t", "T", rows=rows).best("rank-1") == {"a", "b"}


def test_best_of_one_is_none():
    experiment = Experiment("t", "T", rows=[row("a", rank_1=60.0), row("b")])
    assert experiment.best("rank-1") == set()
    assert experiment.best("mAP") == set()


def test_progress_counts_what_is_ours(experiment):
    assert experiment.progress == "3 of 5 rows finished, 1 failed, 1 not run"
    quoted = Experiment("q", "Q", rows=[Row("a", Status.QUOTED)])
    assert quoted.progress == "published figures only"
