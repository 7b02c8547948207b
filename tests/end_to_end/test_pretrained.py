"""From a finished run to the folder that ships with the package, and back to its scores."""

import json
import re
import shutil
import subprocess

import pytest
from remade import remade_scores

from wherewhen import pretrained, publish


@pytest.fixture(scope="module")
def folder(finished, here, tiny, tmp_path_factory):
    """The folder that the command makes of the finished run."""
    folder = tmp_path_factory.mktemp("published") / "files"
    words = ("publish", "--trial", "trial_00", "--to", str(folder))
    code, output = here(finished, *words, **tiny)
    assert code == 0, output
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert output.endswith(f"together {size:,} bytes")
    return folder


@pytest.fixture
def refused(here, finished, tiny, tmp_path):
    """Return a function that publishes with other words; nothing comes of it, but a message."""

    def call(*words, **parameters):
        before = sorted(tmp_path.rglob("*"))
        given = {**tiny, **parameters}
        code, output = here(finished, "publish", *words, **given)
        assert code == 1, output
        assert sorted(tmp_path.rglob("*")) == before
        return output

    return call


def test_card_and_files_agree(folder, finished):
    card = pretrained.check_folder(folder)
    head = ["git", "-C", str(finished.root), "rev-parse", "HEAD"]
    assert card.making.commit == subprocess.check_output(head, text=True).strip()
    assert not card.making.dirty
    assert (card.data.dataset, card.data.rendered["persons"]) == ("synthetic", 12)
    assert (card.data.training_persons, card.data.test_persons, card.data.persons) == (6, 6, 12)
    network = finished.latest("06_models/synthetic/trial_00/network.safetensors")
    assert (folder / "network.safetensors").read_bytes() == network.read_bytes()
    assert str(finished.root) not in (folder / "card.json").read_text()
    assert str(finished.root) not in (folder / "card.md").read_text()


def test_its_scores_are_the_runs(folder, finished):
    scores, card = finished.scores(), pretrained.load_card(folder)
    assert {each.metric for each in card.scores if each.features == "network"} == {
        "siamese", "cosine", "euclidean", "kissme", "lfda"
    }  # fmt: skip
    for each in card.scores:
        rows = scores[
            (scores.features == each.features)
            & (scores.metric == each.metric)
            & (scores.measure == each.measure)
        ].set_index("trial")
        assert each.value == rows.value["trial_00"]
        assert each.mean == pytest.approx(rows.value.mean())
        assert each.deviation == pytest.approx(rows.value.std())
        assert each.trials == len(rows) == 2
    # all six test persons are in the sample: its scores are the run's, metrics in float32 or not
    for metric, measures in card.sample.scores.items():
        of_run = scores[
            (scores.trial == "trial_00") & (scores.features == "network")
            & (scores.metric == metric)
        ].set_index("measure")  # fmt: skip
        for measure, value in measures.items():
            assert value == pytest.approx(of_run.value[measure], abs=1e-9), (metric, measure)


def test_its_scores_are_made_again_from_the_renderer_on(folder, tmp_path, one_thread):
    card, scores = remade_scores(folder, tmp_path)
    assert set(scores) == set(card.sample.scores)
    for metric, expected in card.sample.scores.items():
        assert scores[metric] == pytest.approx(expected, abs=0.02), metric


def test_other_people_are_taken_and_its_own_are_not(here, project, folder, tiny, monkeypatch):
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    asked = {**tiny, "train.start": "pretrained"}
    code, output = here(project, "lineage", **asked)
    assert code == 1
    assert "synthesise.seed is 0, which draws the same people" in output
    code, output = here(project, "lineage", **asked, **{"synthesise.seed": 9})
    assert code == 0, output
    assert "trial_00.network (" in output


def test_a_folder_is_replaced_whole(here, finished, folder, tiny, tmp_path):
    again = tmp_path / "files"
    shutil.copytree(folder, again)
    (again / "network.safetensors").write_bytes(b"old")
    code, output = here(finished, "publish", "--trial", "trial_00", "--to", str(again), **tiny)
    assert code == 0, output
    for path in folder.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name
    assert [path.name for path in tmp_path.iterdir()] == ["files"]


class TestRefused:
    def test_a_trial_that_there_isnt(self, refused, tmp_path):
        output = refused("--trial", "trial_09", "--to", str(tmp_path / "files"))
        assert "no trial is called 'trial_09'; did you mean trial_0" in output

    def test_what_is_not_made(self, refused, tmp_path):
        words = ("--trial", "trial_00", "--to", str(tmp_path / "files"))
        output = refused(*words, **{"train.training.epochs": 7})
        assert "trial_00.network" in output or "trial_00.history" in output
        assert "train.training.epochs 6 -> 7" in output
        assert "make it first: uv run kedro run --params" in output

    def test_real_people_and_networks_from_elsewhere(self, refused, tmp_path):
        words = ("--trial", "trial_00", "--to", str(tmp_path / "files"))
        output = refused(*words, **{"train.start": "one.safetensors", "ingest.root": "footage"})
        assert "ingest.root is footage, expected None: only rendered people may be" in output
        assert "train.start is " in output
        assert "the card knows one data set" in output

    def test_other_files_in_the_folder(self, refused, tmp_path):
        (tmp_path / "notes.txt").touch()
        output = refused("--trial", "trial_00", "--to", str(tmp_path))
        assert "holds other files than a published network: name another folder" in output

    def test_what_is_too_large(self, refused, tmp_path, monkeypatch):
        monkeypatch.setattr(publish, "LARGEST", 20_000)
        output = refused("--trial", "trial_00", "--to", str(tmp_path / "files"))
        assert "expected at most 20,000 (card.json " in output
        assert "make metrics.safetensors smaller by learn_metric.dimension" in output


def test_several_commits_are_refused_and_a_changed_tree_is_recorded(here, copied, tiny, tmp_path):
    def recommit(name, commit):
        for record in copied.made(name):
            beside = record.pop("beside")
            beside.write_text(json.dumps(record | {"commit": commit}))

    words = ("publish", "--trial", "trial_00", "--to", str(tmp_path / "files"))
    recommit("08_reporting/synthetic/scores.parquet", "d" * 40)
    code, output = here(copied, *words, **tiny)
    assert code == 1
    assert re.search(r"artifacts are of 2 commits \(.*d{40}.*one has to make all", output)
    assert not (tmp_path / "files").exists()

    for path in (copied.root / "data").rglob("*record.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"commit": "d" * 40 + "+"}))
    code, output = here(copied, *words, **tiny)
    assert code == 0, output
    assert "The working tree differed from the commit" in output
    card = pretrained.check_folder(tmp_path / "files")
    assert (card.making.commit, card.making.dirty) == ("d" * 40, True)
