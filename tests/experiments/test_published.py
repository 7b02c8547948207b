import pytest

from wherewhen.experiments.published import DATASETS, SOURCE, figures, methods, published_results


def test_the_tables_are_complete():
    results = published_results()
    counts = results.groupby("table").size().to_dict()
    assert counts == {"III": 108, "IV": 36, "V": 60, "VI": 76, "VII": 124, "VIII": 18}
    assert set(results.dataset) == set(DATASETS)
    assert set(results.measure) == {"rank-1", "rank-5", "rank-10", "rank-20"}
    assert results.value.between(0, 100).all()
    assert not results.duplicated(["table", "method", "dataset", "measure"]).any()
    assert "Where-and-When" in SOURCE


def test_a_row_of_a_table():
    found = figures("III", "Ours-G (5x5, 5x5)", "prid2011")
    assert found.value.to_dict() == {
        "rank-1": 74.8,
        "rank-5": 92.6,
        "rank-10": 97.7,
        "rank-20": 98.6,
    }
    assert set(found.note) == {""}


def test_a_method_without_a_hat_has_a_name_that_can_be_typed():
    assert all(name.isascii() for name in published_results().method)
    assert figures("III", "Ours-G without attention (5x5, 5x5)", "mars").value["rank-1"] == 55.2


@pytest.mark.parametrize(
    ("table", "method", "dataset"),
    [("III", "Ours", "prid2011"), ("VII", "Ours", "synthetic"), (None, None, "mars")],
)
def test_what_the_paper_does_not_say_is_empty(table, method, dataset):
    assert figures(table, method, dataset).empty


def test_the_misprint_is_flagged_and_kept():
    found = figures("IV", "Max pooling", "ilids_vid")
    assert found.value["rank-5"] == 58.6 < found.value["rank-1"]
    assert "misprint" in found.note["rank-5"]
    assert found.note["rank-1"] == ""


def test_nothing_else_falls_with_the_rank():
    curves = published_results().groupby(["table", "method", "dataset"], sort=False)
    falling = [key for key, rows in curves if not rows.value.is_monotonic_increasing]
    assert falling == [("IV", "Max pooling", "ilids_vid")]


def test_the_two_values_of_one_number_name_each_other():
    noted = published_results().query("dataset == 'mars' and note != ''")
    assert set(zip(noted.table, noted.value, strict=True)) == {
        ("III", 93.6),
        ("IV", 93.6),
        ("V", 96.6),
        ("VI", 96.6),
        ("VII", 96.6),
    }
    assert set(noted.note[noted.value == 93.6]) == {"tables V to VII print 96.6"}
    assert set(noted.note[noted.value == 96.6]) == {"tables III and IV print 93.6"}


def test_methods_come_in_the_table_s_order():
    assert methods("IV") == ["Max pooling", "Average/attention pooling", "Fisher vector pooling"]
