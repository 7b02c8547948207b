import pytest

from wherewhen.environments import ConfigurationError
from wherewhen.experiments.config import (
    ExperimentError,
    choose,
    load_experiments,
    nested,
    read_experiments,
)
from wherewhen.presets import overlay


def one(rows, **said):
    return read_experiments({"e": {"title": "E", "rows": rows, **said}})["e"]


class TestParameters:
    def test_dots_are_nests(self):
        assert nested({"a.b.c": 1, "a": {"d.e": 2}}) == {"a": {"b": {"c": 1}, "d": {"e": 2}}}

    @pytest.mark.parametrize(
        "twice", [{"a.b": 1, "a": {"b": 1}}, {"a.b": 1, "a": 2}, {"a": {"b": 1, "b.c": 2}}]
    )
    def test_one_parameter_in_two_spellings_is_refused(self, twice):
        with pytest.raises(ExperimentError, match="twice"):
            nested(twice)

    def test_the_last_tree_wins_and_lists_are_replaced(self):
        below, above = {"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": {"c": [3]}, "d": {"e": 2}}
        assert overlay(below, above) == {"a": {"b": 1, "c": [3]}, "d": {"e": 2}}
        assert below == {"a": {"b": 1, "c": [1, 2]}, "d": 1}


class TestPrecedence:
    LEVELS = ("defaults", "experiment", "row", "overrides")

    @pytest.mark.parametrize("highest", range(4))
    def test_each_level_wins_over_those_before_it(self, highest):
        said = [{"embed.frames": n} if n <= highest else {} for n in range(4)]
        read = read_experiments(
            {
                "defaults": {"parameters": {**said[0], "embed.clips": 9}},
                "e": {
                    "title": "E",
                    "parameters": said[1],
                    "rows": {"r": {"parameters": said[2]}},
                },
                "overrides": {"parameters": said[3]},
            }
        )
        assert read["e"].row("r").parameters == {"embed": {"frames": highest, "clips": 9}}

    def test_a_row_wins_over_its_experiment(self):
        experiment = one(
            {"r": {"parameters": {"train.network.channels": [1]}}},
            parameters={"train.network.channels": [2]},
        )
        network = experiment.row("r").parameters["train"]["network"]
        assert network == {"channels": [1]}

    def test_null_takes_a_row_out(self):
        assert [row.name for row in one({"a": {}, "b": None, "c": {}}).rows] == ["a", "c"]


class TestFaults:
    @pytest.mark.parametrize(
        ("rows", "said", "named"),
        [
            ({"r": {"paramters": {}}}, {}, ["experiment e, row r", "paramters"]),
            ({"r": 3}, {}, ["experiment e, row r", "mapping"]),
            ({"r": {"quoted": True}}, {"table": "IV"}, ["row r", "quoted", "published"]),
            ({"r": {"published": "Median"}}, {"table": "IV"}, ["row r", "Median", "Max pooling"]),
            ({"r": {"published": "Ours"}}, {}, ["row r", "no `table`"]),
            ({"r": {}}, {"titel": "x"}, ["experiment e", "titel"]),
            ({"r": {"parameters": {"a.b": 1, "a": {"b": 2}}}}, {}, ["experiment e, row r", "a"]),
        ],
    )
    def test_a_fault_names_experiment_row_and_entry(self, rows, said, named):
        with pytest.raises(ExperimentError) as caught:
            one(rows, **said)
        for words in named:
            assert words in str(caught.value)

    def test_an_unknown_experiment_or_row_names_the_known(self):
        experiments = read_experiments({"e": {"title": "E", "rows": {"r": {}}}})
        with pytest.raises(ExperimentError, match="no experiment f: there are e"):
            choose(experiments, "f")
        with pytest.raises(ExperimentError, match=r"no row 's'; it has 'r'"):
            choose(experiments, "e").only(("s",))

    def test_an_unknown_environment_names_the_known(self):
        with pytest.raises(ConfigurationError, match="did you mean prid2011"):
            load_experiments("prid2012")


def test_rows_are_chosen_in_the_table_s_order():
    chosen = one({"a": {}, "b": {}, "c": {}}).only(("c", "a"))
    assert [row.name for row in chosen.rows] == ["a", "c"]


@pytest.fixture(scope="module")
def experiments():
    return load_experiments()


class TestShipped:
    def test_the_paper_s_tables_are_there(self, experiments):
        assert {experiment.table for experiment in experiments.values()} == {
            "III", "IV", "V", "VI", "VII", "VIII", None,
        }  # fmt: skip

    def test_every_published_row_appears(self, experiments):
        from wherewhen.experiments.published import methods

        for experiment in experiments.values():
            if experiment.table:
                rows = [row.published for row in experiment.rows]
                assert set(rows) == set(methods(experiment.table)), experiment.name

    def test_table_iii_has_the_paper_s_nine_architectures(self, experiments):
        """Section V-C: two backbones' vectors, three kernels of each, the best without attention.

        The first layer is 3x3 from the input; its own state's kernel is 5x5 (V-B).
        """
        vectors = {"input_kernels": [1], "hidden_kernels": [1]}
        kernels = [
            {"input_kernels": [3, second, third], "hidden_kernels": [5, second, third]}
            for second, third in [(9, 1), (1, 9), (5, 5)]
        ]
        expected = [("vgg16:fc7", vectors), ("googlenet:pool", vectors)]
        expected += [("vgg16", each) for each in kernels]
        expected += [("googlenet", each) for each in kernels]
        expected += [("googlenet", kernels[-1] | {"attention": "muted"})]
        rows = [row.parameters for row in experiments["table_iii"].rows]
        assert all(row["train"]["network"].pop("channels") == [32, 64, 64] for row in rows)
        assert [(row["extract"]["backbone"], row["train"]["network"]) for row in rows] == expected

    def test_an_environment_s_file_is_laid_over_row_by_row(self, project):
        (project / "conf/mars/globals.yml").write_text("stack: [128, 256, 256]\n")
        (project / "conf/mars/experiments.yml").write_text(
            "overrides: {parameters: {embed.frames: 7}}\n"
            "table_iv:\n"
            "  rows:\n"
            "    max pooling: null\n"
            "    average pooling: {metric: cosine}\n"
            "    mine: {parameters: {embed.clips: 2}}\n"
        )
        table = load_experiments("mars")["table_iv"]
        names = [row.name for row in table.rows]
        assert names == ["average pooling", "attention pooling", "Fisher vector pooling", "mine"]
        assert table.row("average pooling").metric == "cosine"
        assert table.row("average pooling").published == "Average/attention pooling"
        assert table.row("mine").parameters["embed"]["frames"] == 7
        stack = load_experiments("mars")["table_iii"].rows[0].parameters
        assert stack["train"]["network"]["channels"] == [128, 256, 256]
