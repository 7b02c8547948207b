"""From a finished run to a model, and from a folder of crops to who is in it."""

import json
import re
import shutil

import pandas as pd
import pytest

from wherewhen.galleries.marks import Mark, MarksFile
from wherewhen.pretrained import load_card
from wherewhen.recogniser.recogniser import UNLIKE
from wherewhen.retrieval.link_scores import link_scores
from wherewhen.tracklets.fingerprint import file_sha256

RATE = ("--false-match-rate", "0.1")
"""Thirty pairs of two persons show no lower one."""


@pytest.fixture(scope="module")
def model(finished):
    """The model of the finished run's first trial."""
    return finished.latest("06_models/synthetic/trial_00/model")


@pytest.fixture(scope="module")
def searched(finished, model, here, new_project, tmp_path_factory):
    """A project with a gallery of the finished run's footage, and the model of its commands."""
    project = new_project(tmp_path_factory.mktemp("searched"))
    (footage,) = (finished.root / "data/01_raw/synthetic").rglob("multi_shot")
    shutil.copytree(footage, project.root / "footage/site")
    given = {"search.model": model, "search.metric": "lfda", "search.frames": 128}
    given["search.frames_per_second"] = 25  # each tracklet's frames are numbered from 1
    code, output = here(project, "search", "index", "--gallery", "footage/site", **given)
    assert code == 0, output
    assert output.endswith("kedro search query PROBE --env site")
    return project, given


def test_a_folder_of_crops_is_searched_as_the_run_ranks_it(searched, finished, model, here):
    project, given = searched
    rankings = pd.read_parquet(
        finished.latest("07_model_output/synthetic/trial_00/rankings_network.parquet")
    )
    rankings = rankings[rankings.metric == "lfda"]
    probe = rankings.probe.iloc[0]
    expected = rankings[rankings.probe == probe].sort_values("rank")
    words = ["search", "query", probe, "--env", "site", "--camera", "cam_b", "--top", "99", *RATE]
    code, output = here(project, *words, **given)
    assert code == 0, output
    table = project.root / f"data/08_reporting/site/search/{probe.replace('/', '_')}.csv"
    found = pd.read_csv(table).set_index("tracklet")
    found = found.loc[[name for name in found.index if name in set(expected.gallery)]]
    assert found.index.tolist() == expected.gallery.to_list()
    assert found.distance.to_list() == pytest.approx(expected.distance.to_list(), rel=1e-3)
    assert table.with_suffix(".png").is_file()

    threshold = load_card(model).calibration("lfda").threshold(0.1)
    assert f"threshold {threshold.distance:.4g}, at which 10 %" in output

    record = record_beside(table)
    assert record["asked"] == {
        "probe": probe, "probe_content": None, "top": 99, "false_match_rate": 0.1,
        "threshold": threshold.distance, "filters": {"cameras": ["cam_b"]},
    }  # fmt: skip
    assert record["model"]["network"] == file_sha256(model / "network.safetensors")
    assert record["model"]["metric"] == "lfda"
    head = json.loads((project.root / "data/09_search/site/index/index.json").read_bytes())
    assert record["gallery"]["state"] == head["sha256"]
    [footage] = record["gallery"]["footage"]
    [made] = project.made("07_model_output/site/gallery_embeddings.parquet")
    assert footage["identity"] == made["identity"]
    assert footage["mlflow_run"] in {run.info.run_id for run in project.runs("site")}
    assert record["unlike_training"] == (footage["difference"] > UNLIKE)


def record_beside(table):
    """Return the record of a table, after a comparison with the table."""
    record = json.loads(table.with_suffix(".json").read_bytes())
    assert record["table"] == {"name": table.name, "sha256": file_sha256(table)}
    return record


def test_frames_from_elsewhere_are_a_probe(searched, here):
    project, given = searched
    crops = project.root / "elsewhere"
    shutil.copytree(project.root / "footage/site/cam_a/person_0001", crops)
    code, output = here(project, "search", "query", "elsewhere", *RATE, "--env", "site", **given)
    assert code == 0, output
    assert "cam_a/person_0001" in output.split("\n")[0]


def test_tracklets_are_linked_and_shown(searched, here):
    project, given = searched
    folder = project.root / "data/08_reporting/site/search"
    code, output = here(project, "search", "link", *RATE, "--env", "site", **given)
    assert code == 0, output
    # all 12 of a camera are there from its first frame on
    assert "132 pairs of one camera and time were kept apart" in output
    linked = pd.read_csv(folder / "persons.csv")
    assert len(linked) == 24
    assert not linked.duplicated(["group", "camera"]).any()
    assert linked[linked.tracklet == "cam_a/person_0001"].start.to_list() == [1 / 25]
    for name, value in link_scores(linked.person, linked.group, lengths(project, linked)).items():
        assert f"{name} {100 * value:.1f} %" in output
    assert (folder / "persons.png").is_file() == (linked["size"].max() > 1)
    assert record_beside(folder / "persons.csv")["asked"]["false_match_rate"] == 0.1

    code, output = here(project, "search", "show", "--env", "site", **given)
    assert code == 0, output
    page = (folder / "gallery.html").read_text(encoding="utf-8")
    assert "Person 1 (" in page or "Alone (24)" in page
    assert sorted(shown(page)) == sorted(linked.tracklet)
    code, output = here(project, "search", "show", "--by", "camera", "--env", "site", **given)
    assert "Camera cam_b (12)" in (folder / "gallery.html").read_text(encoding="utf-8")

    words = ["cam_a/person_0001", "--not-camera", "cam_a", *RATE, "--env", "site"]
    for command in ("query", "show"):
        code, output = here(project, "search", command, *words, **given)
        assert code == 0, output
    answer = pd.read_csv(folder / "cam_a_person_0001.csv")
    page = (folder / "cam_a_person_0001.html").read_text(encoding="utf-8")
    assert shown(page) == ["cam_a/person_0001", *answer.tracklet]
    assert page.count("<mark>match</mark>") == answer.match.sum()
    assert (
        f"By lfda of the model {record_beside(folder / 'cam_a_person_0001.csv')['model']['model']}"
        in page
    )


def shown(page):
    """Return the names of a sheet's tracklets, in order."""
    return re.findall(r"<b>(.*?)</b>", page)


def lengths(project, tracklets):
    """Count the crops of tracklets."""
    root = project.root / "footage/site"
    return [len(list((root / name).glob("*.png"))) for name in tracklets.tracklet]


def test_other_footage_than_the_gallerys_is_not_searched_in_silence(searched, here):
    project, given = searched
    words = ["search", "query", "elsewhere", *RATE, "--env", "site", "--gallery"]
    code, output = here(project, *words, "elsewhere", **given)
    assert code == 1
    assert "the gallery of site has other footage (footage/site)" in output
    code, output = here(project, *words, "footage/site", **given)
    assert code == 0, output


def test_more_is_added_and_somebody_removed(searched, here):
    project, given = searched
    shutil.copytree(project.root / "footage/site/cam_a", project.root / "more/cam_c")
    code, output = here(project, "search", "add", "--gallery", "more", "--env", "site", **given)
    assert code == 0, output
    assert "12 tracklets added" in output
    marks = MarksFile(project.root / "data/08_reporting/site/search/marks.csv")
    for tracklet in ("cam_b/person_0002", "cam_b/person_0003"):
        marks.put(Mark.now("cam_a/person_0001", tracklet, 0.5, "lfda", "0123", "same"))
    code, output = here(project, "search", "remove", "--person", "person_0002", "--env", "site")
    assert code == 0, output
    assert "3 tracklets removed" in output
    kept = [
        path
        for place in ("data", "mlartifacts", "mlflow.db")
        for path in (project.root / place, *(project.root / place).rglob("*"))
        if path.is_file()
    ]
    assert project.root / "data/09_search/site/footage.json" in kept
    assert not [path for path in kept if "person_0002" in path.as_posix()]
    assert not [path for path in kept if b"person_0002" in path.read_bytes()]
    assert list(marks.path.parent.iterdir()) == [marks.path]
    assert list(marks.read().by_pair) == [("cam_a/person_0001", "cam_b/person_0003")]
    assert "frames in footage/site/cam_a/person_0002: not under data" in output
    code, output = here(project, "search", "query", "cam_a/person_0002", "--env", "site", **given)
    assert code == 1
    assert "is neither a tracklet of the gallery nor a folder" in output


def test_an_index_that_fails_leaves_no_environment(searched, here):
    project, given = searched
    crop = project.root / "broken/hall/anna/0001.png"
    crop.parent.mkdir(parents=True)
    crop.write_bytes(b"no picture")
    words = ["search", "index", "--gallery", "broken"]
    code, output = here(project, *words, **given)
    assert code == 1
    assert "hall/anna/0001.png" in output
    assert not (project.root / "conf/broken").exists()

    code, output = here(project, "new-dataset", "kept", "--reader", "folder", "--root", "broken")
    assert code == 0, output
    files = {path: path.read_bytes() for path in (project.root / "conf/kept").iterdir()}
    code, output = here(project, *words, "--env", "kept", **given)
    assert code == 1
    assert {path: path.read_bytes() for path in (project.root / "conf/kept").iterdir()} == files
    assert not list((project.root / "data/09_search").glob("[bk]*"))


def test_there_has_to_be_a_gallery(searched, here):
    project, given = searched
    code, output = here(project, "search", "query", "footage/site/cam_a/person_0001", **given)
    assert code == 1
    assert "there is no gallery at data/09_search/synthetic: make it first" in output
