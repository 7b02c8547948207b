"""Bad input: the message names the file or parameter and what to do, and nothing is half-written.

Most commands are called in this process, which saves the start of Kedro and MLflow; the last one
runs as its user would start it.
"""

import json
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

SIZE = (64, 128)


@pytest.fixture(scope="module")
def project(new_project, tmp_path_factory):
    return new_project(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def kedro_run(project, monkeypatch):
    """Return a function that calls ``kedro run`` in this process: (exit code, what it printed)."""
    from kedro.framework.startup import bootstrap_project

    from wherewhen import pipeline_registry

    monkeypatch.chdir(project.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.root / 'mlflow.db'}")
    monkeypatch.setattr(pipeline_registry, "_parameters", None)
    bootstrap_project(project.root)

    def run(pipelines, *parameters, environment="base"):
        from wherewhen.cli import run as command

        words = ["--env", environment, "--pipelines", pipelines, "--params", ",".join(parameters)]
        result = CliRunner().invoke(command, words)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result.exit_code, " ".join(result.output.split())

    yield run
    mlflow.set_tracking_uri(None)


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
def nothing_from_before(project):
    shutil.rmtree(project.root / "data", ignore_errors=True)


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
    data = project.root / "data"
    tables = [p for p in data.rglob("*") if "03_primary" in p.parts and p.is_file()]
    notes = [p for p in data.rglob("current.json")]
    partial = [p for p in data.rglob("*") if p.name.endswith((".tmp", ".unfinished"))]
    return not tables + notes + partial


def test_a_sound_set_passes(kedro_run, root, project):
    code, output = kedro_run("ingest", f"ingest.root={root}")
    assert code == 0, output
    assert (project.root / "data/03_primary/synthetic/frames.parquet").is_file()


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
def test_a_faulty_frame_is_named_with_its_fault(kedro_run, root, project, spoil, fault):
    spoil(frame(root))
    code, output = kedro_run("ingest", f"ingest.root={root}")
    assert code != 0
    assert "prid_2011/multi_shot/cam_b/person_0002/0003.png: " + fault in output
    assert "allow_faulty to 1" in output
    assert "Traceback" not in output
    assert nothing_half_written(project)
    assert list((project.root / "data/02_intermediate").rglob("ingest_report.json/*/*.json"))


def test_faults_that_are_allowed_are_left_out(kedro_run, root, project):
    empty(frame(root))
    code, output = kedro_run("ingest", f"ingest.root={root}", "ingest.allow_faulty=1")
    assert code == 0, output
    (report,) = (project.root / "data/02_intermediate").rglob("ingest_report.json/*/*.json")
    assert "empty file" in report.read_text()


@pytest.mark.parametrize("name", ["nowhere", "set/prid_2011/multi_shot/cam_a"])
def test_a_missing_folder(kedro_run, root, project, name):
    missing = root.parent / name
    code, output = kedro_run("ingest", f"ingest.root={missing}")
    assert code != 0
    assert str(missing) in output
    assert "prid_2011/multi_shot/cam_{a,b}/person_NNNN/NNNN.png" in output
    assert "Traceback" not in output
    assert nothing_half_written(project)


def test_an_archive_is_read_whole_or_named(kedro_run, root, project):
    archive = Path(shutil.make_archive(str(root.parent / "packed/prid_2011"), "zip", root))
    target = root.parent / "elsewhere"
    code, output = kedro_run("ingest", f"ingest.root={archive}", f"ingest.unpack_to={target}")
    assert code == 0, output
    (folder,) = (project.root / "data/02_intermediate").rglob("frames_root.json")
    assert json.loads(folder.read_text()) == (target / "prid_2011").as_posix()

    shutil.rmtree(target)
    truncate(archive)
    code, output = kedro_run("ingest", f"ingest.root={archive}", f"ingest.unpack_to={target}")
    assert code != 0
    assert f"{archive}: truncated or damaged" in output
    assert "Traceback" not in output
    assert not list(target.rglob("*.png"))


def test_a_person_in_one_camera_only_is_named_in_the_report(kedro_run, root, project):
    shutil.rmtree(frame(root).parent)
    code, output = kedro_run("ingest", f"ingest.root={root}")
    assert code == 0, output
    (report,) = (project.root / "data/02_intermediate").rglob("ingest_report.json/*/*.json")
    assert '"person_0002"' in report.read_text()


def test_nobody_in_two_cameras(kedro_run, root, project):
    for person in (1, 2, 3):
        folder = frame(root, person=person).parent
        folder.rename(folder.with_name(f"person_{person + 10:04d}"))
    code, output = kedro_run("ingest", f"ingest.root={root}")
    assert code != 0
    assert "no person is left" in output
    assert "person_0001" in output
    assert "shared_persons" in output
    assert "Traceback" not in output
    assert nothing_half_written(project)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("split.trails=3", "split.trails: no such parameter; did you mean trials?"),
        ("split.trials=0", "split.trials = 0"),
        ("split.trials=many", "split.trials = 'many'"),
        ("train.training.modern.epoch=3", "epoch"),
        ("extract.weights.sorce=random", "did you mean source?"),
        ("ingest.reader=prid2012", "no reader 'prid2012': expected one of folder, ilids_vid"),
        ("ingest.options.prid2011.person=all200", "has no option person"),
        ("ingest.options.prid.persons=all200", "no reader is called"),
    ],
)
def test_a_mistyped_parameter(kedro_run, root, project, given, message):
    code, output = kedro_run("ingest", f"ingest.root={root}", given)
    assert code != 0
    assert message in output
    assert "Traceback" not in output
    assert nothing_half_written(project)


def test_weights_of_another_architecture(kedro_run, root, project, tmp_path):
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
    assert "Traceback" not in output
    assert not list(project.root.glob("data/04_feature/**/*.*"))


@contextmanager
def small_files(largest):
    """Let no file of this process grow beyond a number of bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_during_extraction(kedro_run, root, project):
    """The first tracklet fits; the second does not: 40 frames of 7 x 7 x 1280 in float16."""
    pixels = Image.open(frame(root))
    for number in range(6, 41):
        pixels.save(frame(root, "cam_a", 2, number))
    features = project.root / "data/04_feature/synthetic/cubes"

    with small_files(4_000_000):
        code, output = kedro_run("ingest,extract", f"ingest.root={root}")
    assert code != 0
    assert "tracklet cam_a/person_0002 needs 4.8 MiB" in output
    assert "1 finished tracklets are kept; free some space and run again" in output
    assert "Traceback" not in output
    assert not list(features.rglob("current.json"))
    assert not list(features.rglob("*.tmp"))
    (kept,) = features.rglob("*.safetensors")
    written = kept.stat().st_mtime_ns

    code, output = kedro_run("extract", f"ingest.root={root}")
    assert code == 0, output
    assert (features / "current.json").is_file()
    assert kept.stat().st_mtime_ns == written


def test_what_a_user_sees_is_the_message_alone(project, root):
    empty(frame(root))
    output = project.fail("--pipelines", "ingest", **{"ingest.root": root})
    assert "Error: data set prid2011: 1 faulty, 0 allowed" in output
    assert "cam_b/person_0002/0003.png: empty file" in output
    assert "Traceback" not in output
    assert nothing_half_written(project)
