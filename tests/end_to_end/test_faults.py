"""Bad input: the message names the file or parameter and what to do, and nothing is half-written.

Most commands are called in this process, which saves the start of Kedro and MLflow; the last one
runs as its user would start it.
"""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from disks import small_files
from PIL import Image

SIZE = (64, 128)


@pytest.fixture(scope="module")
def mine(new_project, tmp_path_factory):
    """A project with an environment for footage like that of the fixture `root`."""
    project = new_project(tmp_path_factory.mktemp("faults"))
    (project.root / "conf/mine").mkdir()
    (project.root / "conf/mine/globals.yml").write_text("dataset: mine\n")
    (project.root / "conf/mine/parameters.yml").write_text(
        "ingest: {reader: prid2011, root: footage}\nevaluate: {protocol: single_match}\n"
    )
    return project


@pytest.fixture
def kedro_run(mine, here):
    """Return a function that calls ``kedro run`` in this process: (exit code, what it printed)."""

    def run(pipelines, *parameters):
        words = ["run", "--env", "mine", "--pipelines", pipelines, "--params", ",".join(parameters)]
        code, output = here(mine, *words)
        assert "Traceback" not in output
        return code, output

    return run


@pytest.fixture
def root(tmp_path):
    """Three persons in both cameras, five frames each, in PRID 2011's layout."""
    generator = np.random.default_rng(0)
    for camera in ("cam_a", "cam_b"):
        for person in (1, 2, 3):
            folder = tmp_path / "set/prid_2011/multi_shot" / camera / f"person_{person:04d}"
            folder.mkdir(parents=True)
            for frame in range(1, 6):
                pixels = generator.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{frame:04d}.png")
    return tmp_path / "set"


@pytest.fixture(autouse=True)
def nothing_from_before(mine):
    shutil.rmtree(mine.root / "data", ignore_errors=True)


def frame(root, camera="cam_b", person=2, number=3):
    return root / f"prid_2011/multi_shot/{camera}/person_{person:04d}/{number:04d}.png"


def truncate(path):
    path.write_bytes(path.read_bytes()[:-400])


def empty(path):
    path.write_bytes(b"")


def grey(path):
    Image.open(path).convert("L").save(path)


def smaller(path):
    Image.open(path).resize((60, 128)).save(path)


def no_picture(path):
    path.write_text("not a picture")


def nothing_half_written(project):
    """Whether nothing but reports lies there, and whatever lies there is whole."""
    data = project.root / "data"
    tables = [p for p in data.rglob("*") if "03_primary" in p.parts and p.is_file()]
    return not tables and not partial_files(project)


def partial_files(project):
    names = (".tmp", ".unfinished", ".partial")
    return [p for p in (project.root / "data").rglob("*") if any(n in p.name for n in names)]


def ingest_report(project):
    return project.latest("02_intermediate/mine/ingest_report.json").read_text()


def test_a_sound_set_passes(kedro_run, root, mine):
    code, output = kedro_run("ingest", f"ingest.root={root}")
    assert code == 0, output
    assert mine.latest("03_primary/mine/frames.parquet").is_file()


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (truncate, "cannot be decoded"),
        (empty, "empty file"),
        (grey, "mode L, expected RGB"),
        (smaller, "size 60x128, expected 64x128"),
        (no_picture, "cannot be decoded"),
    ],
)
def test_a_faulty_frame_is_named_with_its_fault(kedro_run, root, mine, spoil, fault):
    spoil(frame(root))
    code, output = kedro_run("ingest", f"ingest.root={root}")
    assert code != 0
    assert "prid_2011/multi_shot/cam_b/person_0002/0003.png: " + fault in output
    assert "allow_faulty to 1" in output
    assert nothing_half_written(mine)
    assert "0003.png" in ingest_report(mine)


def test_faults_that_are_allowed_are_left_out(kedro_run, root, mine):
    empty(frame(root))
    code, output = kedro_run("ingest", f"ingest.root={root}", "ingest.allow_faulty=1")
    assert code == 0, output
    assert "empty file" in ingest_report(mine)


@pytest.mark.parametrize("name", ["nowhere", "set/prid_2011/multi_shot/cam_a"])
def test_a_missing_folder(kedro_run, root, mine, name):
    missing = root.parent / name
    code, output = kedro_run("ingest", f"ingest.root={missing}")
    assert code != 0
    assert str(missing) in output
    assert "prid_2011/multi_shot/cam_{a,b}/person_NNNN/NNNN.png" in output
    assert nothing_half_written(mine)


def test_an_archive_is_read_whole_or_named(kedro_run, root, mine):
    archive = Path(shutil.make_archive(str(root.parent / "packed/prid_2011"), "zip", root))
    target = root.parent / "elsewhere"
    code, output = kedro_run("ingest", f"ingest.root={archive}", f"ingest.unpack_to={target}")
    assert code == 0, output
    folder = mine.latest("02_intermediate/mine/frames_root.json")
    assert json.loads(folder.read_text()) == (target / "prid_2011").as_posix()

    shutil.rmtree(target)
    truncate(archive)
    code, output = kedro_run("ingest", f"ingest.root={archive}", f"ingest.unpack_to={target}")
    assert code != 0
    assert f"{archive}: truncated or damaged" in output
    assert not list(target.rglob("*.png"))


def test_a_person_in_one_camera_only_is_named_in_the_report(kedro_run, root, mine):
    shutil.rmtree(frame(root).parent)
    code, output = kedro_run("ingest", f"ingest.root={root}")
    assert code == 0, output
    assert '"person_0002"' in ingest_report(mine)


def test_nobody_in_two_cameras(kedro_run, root, mine):
    for person in (1, 2, 3):
        folder = frame(root, person=person).parent
        folder.rename(folder.with_name(f"person_{person + 10:04d}"))
    code, output = kedro_run("ingest", f"ingest.root={root}")
    assert code != 0
    assert "no person is left" in output
    assert "person_0001" in output
    assert "shared_persons" in output
    assert nothing_half_written(mine)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("split.trails=3", "split.trails: no such parameter; did you mean trials?"),
        ("split.trials=0", "split.trials = 0"),
        ("split.trials=many", "split.trials = 'many'"),
        ("train.training.epoch=3", "epoch"),
        ("extract.weights.sorce=random", "did you mean source?"),
        ("ingest.reader=prid2012", "no reader 'prid2012': expected one of folder, ilids_vid"),
        ("ingest.options.prid2011.person=all200", "no such parameter; did you mean persons?"),
        ("ingest.options.prid.persons=all200", "no reader is called"),
    ],
)
def test_a_mistyped_parameter(kedro_run, root, mine, given, message):
    code, output = kedro_run("ingest", f"ingest.root={root}", given)
    assert code != 0
    assert message in output
    assert nothing_half_written(mine)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--env", "prid2012"], "no environment 'prid2012' in conf; did you mean prid2011?"),
        (["--pipelines", "ingets"], "no pipeline is called 'ingets'; did you mean ingest?"),
        (["--nodes", "admitt"], "no node is called 'admitt'; did you mean admit?"),
        (["--from-nodes", "x"], "no node is called 'x'; there are plan_people, picture_people"),
        (["--to-outputs", "scoress"], "no data set is called 'scoress'; did you mean scores?"),
        (["--namespaces", "trial_9"], "no namespace is called 'trial_9'; did you mean trial_0"),
        (["--params", "device=cuda:7"], "device is cuda:7, but torch sees"),
    ],
)
def test_a_mistyped_option(here, mine, words, message):
    code, output = here(mine, "run", *words)
    assert code != 0
    assert message in output
    assert "Traceback" not in output
    assert nothing_half_written(mine)


def test_names_that_are_numbers_and_a_home_folder(kedro_run, root, mine, monkeypatch):
    monkeypatch.setenv("HOME", str(root.parent))
    code, output = kedro_run("ingest,split", "ingest.root=~/set", "split.probe_camera=1")
    assert code != 0
    assert "probe_camera" in output
    assert "cam_a" in output
    assert mine.latest("03_primary/mine/frames.parquet").is_file()


def test_weights_of_another_architecture(kedro_run, root, mine, tmp_path):
    weights = tmp_path / "other.pth"
    torch.save({"conv.weight": torch.zeros(3, 3)}, weights)
    code, output = kedro_run(
        "ingest,extract",
        f"ingest.root={root}",
        "extract.weights.source=file",
        f"extract.weights.path={weights}",
        "extract.weights.package=null",
    )
    assert code != 0
    assert f"{weights} does not fit timm:tf_efficientnet_lite0" in output
    assert "Ways out" in output
    assert not list(mine.root.glob("data/04_feature/**/*.*"))


def test_a_full_disk_during_extraction(kedro_run, root, mine):
    """The first tracklet fits; the second does not: 40 frames of 7 x 7 x 1280 in float16."""
    pixels = Image.open(frame(root))
    for number in range(6, 41):
        pixels.save(frame(root, "cam_a", 2, number))
    features = mine.root / "data/04_feature/mine/cubes"

    with small_files(4_000_000):
        code, output = kedro_run("ingest,extract", f"ingest.root={root}")
    assert code != 0
    assert "tracklet cam_a/person_0002 needs 4.8 MiB" in output
    assert "1 finished tracklets are kept; free some space and run again" in output
    assert not mine.made("04_feature/mine/cubes.json")
    assert not partial_files(mine)
    (kept,) = features.rglob("*.safetensors")
    written = kept.stat().st_mtime_ns

    code, output = kedro_run("extract", f"ingest.root={root}")
    assert code == 0, output
    assert mine.made("04_feature/mine/cubes.json")
    assert kept.stat().st_mtime_ns == written


class TestMLflow:
    def test_a_database_that_is_locked(self, here, copied, tiny):
        path = copied.root / "mlflow.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            code, output = here(copied, "run", "--pipelines", "report", **tiny)
        assert code != 0
        assert "mlflow.db is held by another process" in output
        assert "wait until that is done" in output
        assert "Traceback" not in output

    def test_a_database_of_an_older_version(self, here, copied, tiny):
        with closing(sqlite3.connect(copied.root / "mlflow.db")) as database:
            database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
            database.commit()
        code, output = here(copied, "run", "--pipelines", "report", **tiny)
        assert code != 0
        assert "mlflow db upgrade" in output
        assert "Traceback" not in output


def test_what_is_truncated_or_gone_is_named_and_made_anew(here, copied, finished, tiny):
    for file, stage in (
        ("08_reporting/synthetic/scores.parquet", "report"),
        ("07_model_output/synthetic/trial_00/embeddings_network.parquet", "evaluate"),
        ("06_models/synthetic/trial_00/network.safetensors", "embed"),
    ):
        path = copied.latest(file)
        truncate(path)
        code, output = here(copied, "run", "--pipelines", stage, **tiny)
        assert code != 0, stage
        assert f"{Path(file).name} was changed after it was made" in output
        assert "Traceback" not in output
        shutil.rmtree(path.parent)
        code, output = here(copied, "run", "--pipelines", stage, **tiny)
        assert code != 0, stage
        assert "Make what is missing: kedro run --pipelines" in output
    code, output = here(copied, "run", **tiny)
    assert code == 0, output
    pd.testing.assert_frame_equal(copied.scores(), finished.scores(), check_exact=True)


def test_what_a_user_sees_is_the_message_alone(mine, root):
    empty(frame(root))
    output = mine.fail("--env", "mine", "--pipelines", "ingest", **{"ingest.root": root})
    assert "Error: data set prid2011: 1 faulty, 0 allowed" in output
    assert "cam_b/person_0002/0003.png: empty file" in output
    assert nothing_half_written(mine)
