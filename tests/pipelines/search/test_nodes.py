import pandas as pd

from wherewhen.pipelines.search.nodes import known_persons


def test_junk_and_distractors_are_not_one_person():
    table = pd.DataFrame({"tracklet": ["a/1", "a/2", "a/3"], "person": ["anna", "0000", "0000"]})
    assert known_persons(table).to_list() == ["anna", "0000", "0000"]
    table["kind"] = ["person", "distractor", "junk"]
    assert known_persons(table).to_list() == ["anna", "a/2", "a/3"]
