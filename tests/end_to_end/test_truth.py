"""No command lies: what is shown was made by the parameters, the data and the commit beside it."""

import json
import os
import pickle
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time

import mlflow
import pandas as pd
import pytest

LEARNING = ("--pipelines", "train,embed,learn_metric,evaluate,assemble")
"""All that learns and judges: the figures take as long again."""

SCORES = "08_reporting/synthetic/scores.parquet"


def flip(path, bits=40):
    """Change some bits in the second half of a file, and nothing of its size and times."""
    state, content = path.stat(), bytearray(path.read_bytes())
    for number in range(bits):
        content[len(content) // 2 + 7 * number] ^= 1 << number % 8
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def seconds_of_commands():
    """Return the processor's time in commands that were waited for: wall time is others' too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture
def passes(here, copied):
    """Return a function that calls a command that must succeed, and returns what it printed."""

    def call(*words, **parameters):
        code, output = here(copied, *words, **parameters)
        assert code == 0, output
        return output

    return call


@pytest.fixture
def fails(here, copied):
    """Return a function that calls a command that must fail, with a message and no traceback."""

    def call(*words, **parameters):
        code, output = here(copied, *words, **parameters)
        assert code > 0, output
        assert "Traceback" not in output
        return output

    return call


class TestASecondRun:
    def test_makes_nothing_and_tells_mlflow_who_did(self, copied, finished, tiny):
        """Also on another number of threads."""
        more = type(copied)(copied.root, {**copied.environment, "OMP_NUM_THREADS": "2"})
        began = seconds_of_commands()
        output = more.run(**tiny)
        assert seconds_of_commands() - began < 60
        assert "nothing is out of date: all 53 nodes are taken over" in output
        assert "mean-pooled cubes" in output  # the table is printed all the same
        (run,) = copied.runs()
        (maker,) = {record["run_id"] for record in finished.made(SCORES)}
        assert run.info.status == "FINISHED"
        assert run.data.tags["taken_over.scores"] == maker
        assert run.data.tags["taken_over.trial_01.network"] == maker
        assert run.data.metrics["score.network.cosine.mAP.std"] >= 0
        pd.testing.assert_frame_equal(copied.scores(), finished.scores())

    def test_by_another_identity_keeps_both(self, copied, finished, tiny, passes):
        """With `--only-missing-outputs`, which once skipped all and showed the old scores."""
        other = {**tiny, "train.training.epochs": 1}
        passes("run", "--only-missing-outputs", *LEARNING, **other)
        history = pd.read_parquet(copied.latest("06_models/synthetic/trial_00/history.parquet"))
        assert history.epoch.max() == 1
        (run,) = copied.runs()
        assert run.data.params["train.training.epochs"] == "1"
        scores = copied.scores().query("features == 'network' and measure == 'mAP'")
        mean = scores[scores.metric == "cosine"].value.mean()
        assert run.data.metrics["score.network.cosine.mAP"] == pytest.approx(mean)
        assert "taken_over.trial_00.network" not in run.data.tags
        assert "taken_over.trial_00.untrained_network" in run.data.tags
        assert len(copied.made("06_models/synthetic/trial_00/network.safetensors")) == 2

        passes("run", **tiny)  # the first parameters: their networks and scores are there
        assert len(copied.made("06_models/synthetic/trial_00/network.safetensors")) == 2
        assert len(copied.made(SCORES)) == 2
        newest = copied.runs()[-1]
        assert newest.data.params["train.training.epochs"] == "6"
        own = finished.scores().query("features == 'network' and measure == 'mAP'")
        assert newest.data.metrics["score.network.cosine.mAP"] == pytest.approx(
            own[own.metric == "cosine"].value.mean()
        )

    def test_whatever_the_dates_of_files_and_records(self, copied, tiny, passes):
        """As if the clock had been set back: all that is there was made in the future."""
        for path in (copied.root / "data").rglob("*record.json"):
            record = json.loads(path.read_text())
            path.write_text(json.dumps({**record, "finished": "2099-01-01T00:00:00.000+00:00"}))
        for path in (copied.root / "data").rglob("*"):
            os.utime(path, (4e9, 4e9))
        passes("run", **{**tiny, "train.training.epochs": 1})
        (run,) = copied.runs()
        networks = copied.made("06_models/synthetic/trial_00/history.parquet")
        (own,) = [record for record in networks if record["run_id"] == run.info.run_id]
        history = pd.read_parquet(own["beside"].with_name("history.parquet"))
        assert history.epoch.max() == 1
        (own,) = [record for record in copied.made(SCORES) if record["run_id"] == run.info.run_id]
        scores = pd.read_parquet(own["beside"].with_name("scores.parquet"))
        scores = scores.query("features == 'network' and metric == 'cosine' and measure == 'mAP'")
        assert run.data.metrics["score.network.cosine.mAP"] == pytest.approx(scores.value.mean())


class TestAPartOfARun:
    def test_says_what_all_of_it_came_from(self, copied, tiny, passes):
        passes("run", "--pipelines", "evaluate,report", **tiny)
        (run,) = copied.runs()
        for tag in ("dataset_fingerprint", "split_fingerprint", "cubes", "weights_sha256"):
            assert run.data.tags[tag], tag
        assert {each.dataset.name for each in run.inputs.dataset_inputs} == {
            "synthetic",
            "synthetic split",
        }
        assert run.data.params["train.training.epochs"] == "6"
        assert run.data.params["extract.backbone"] == "timm:tf_efficientnet_lite0"
        name, stages = run.info.run_name.rsplit(" · ", 1)
        assert name == "demonstration · modern · 2 trials"
        assert set(stages.split(", ")) == {"evaluate", "report"}

    def test_never_reads_what_other_parameters_have_made(self, copied, tiny, fails):
        other = {**tiny, "train.training.epochs": 1}
        message = fails("run", "--pipelines", "evaluate,report", **other)
        assert "trial_00.network: train.training.epochs 6 -> 1" in message
        assert "kedro run --pipelines train,embed,learn_metric with the same parameters" in message
        assert copied.runs()[-1].info.status == "FAILED"

    def test_before_the_others_names_them(self, project, tiny, here):
        code, message = here(project, "run", "--pipelines", "evaluate", **tiny)
        assert code > 0
        assert "Traceback" not in message
        assert "synthetic_people: not made yet" in message


class TestDamage:
    def test_flipped_bits_in_cubes_are_noticed_and_mended(
        self, copied, finished, tiny, passes, fails
    ):
        for path in copied.root.glob("data/04_feature/synthetic/cubes/*/cubes/**/*.safetensors"):
            flip(path)
        other = {**tiny, "train.network.seed": 5}
        message = fails("run", "--pipelines", "train", **other)
        assert "does not match its checksum and was removed; the next `kedro run`" in message
        passes("run", "--pipelines", "extract,train", **other)  # what is damaged is made anew
        passes("run", "--pipelines", "train,embed,learn_metric,evaluate", "--anew", **tiny)
        pd.testing.assert_frame_equal(copied.scores(), finished.scores())

    def test_flipped_bits_in_a_network_are_noticed_and_mended(
        self, copied, finished, tiny, passes, fails
    ):
        flip(copied.latest("06_models/synthetic/trial_00/network.safetensors"))
        assert "was changed after it was made" in fails("run", "--pipelines", "embed", **tiny)
        passes("run", "--pipelines", "train", **tiny)
        mended, before = (each.weights("trial_00") for each in (copied, finished))
        assert all(mended[name].equal(value) for name, value in before.items())

    def test_a_planted_pickle_is_never_opened(self, copied, tiny, tmp_path, passes):
        class Planted:
            def __reduce__(self):
                return (os.mkdir, (str(tmp_path / "executed"),))

        content = pickle.dumps(Planted())
        folder = copied.root / "data/06_models/synthetic/trial_00"
        (folder / "metrics_network.joblib").write_bytes(content)
        copied.latest("06_models/synthetic/trial_00/metrics_network.safetensors").write_bytes(
            content
        )
        passes("run", "--pipelines", "learn_metric,evaluate", **tiny)
        assert not (tmp_path / "executed").exists()


class TestStatus:
    @pytest.fixture
    def started(self, copied, tiny):
        """A run that trains; waited for until it does."""
        other = {**tiny, "train.training.epochs": 500}
        process = copied.start(**other)
        checkpoints = copied.root / "data/06_models/synthetic/trial_00/checkpoints"
        deadline = time.monotonic() + 200
        while not list(checkpoints.glob("*/*.safetensors")):
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    @pytest.mark.slow
    def test_a_run_that_is_interrupted_is_killed_in_mlflow(self, copied, started):
        end(started, signal.SIGINT)
        assert [run.info.status for run in copied.runs()] == ["KILLED"]

    def test_a_run_that_is_alive_is_left_alone_until_it_is_told_to_end(
        self, copied, started, tiny, passes
    ):
        """The second one is at other artifacts of the same data set, and has nothing to make."""
        passes("run", **tiny)
        first, second = copied.runs()
        assert (first.info.status, second.info.status) == ("RUNNING", "FINISHED")
        end(started, signal.SIGTERM)
        first, _ = copied.runs()
        assert first.info.status == "KILLED"


def end(process, number):
    """Send a signal that a process ends at."""
    process.send_signal(number)
    process.communicate(timeout=100)
    assert process.returncode != 0


def test_two_runs_at_once_make_everything_once(copied, finished, tiny):
    """All that can be trained and judged; the frames and their cubes are there."""
    for layer in ("06_models", "07_model_output", "08_reporting"):
        shutil.rmtree(copied.root / "data" / layer)
    first, second = (copied.start(*LEARNING, **tiny) for _ in range(2))
    outputs = [process.communicate()[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert any("waiting for another run that is at" in output for output in outputs)
    made = re.findall(r"made by (\S+) \(", "".join(outputs))
    assert "trial_01.fit" in made and len(made) == len(set(made))
    pd.testing.assert_frame_equal(copied.scores(), finished.scores())
    for trial in ("trial_00", "trial_01"):
        assert len(copied.made(f"06_models/synthetic/{trial}/network.safetensors")) == 1
    client = mlflow.MlflowClient(f"sqlite:///{copied.root / 'mlflow.db'}")
    assert len(client.search_model_versions("name = 'synthetic'")) == 1
    assert {run.info.status for run in copied.runs()} == {"FINISHED"}


def test_the_command_of_a_run_repeats_it(copied, tiny, passes):
    """In an environment of its own, whose parameters are in files."""
    folder = copied.root / "conf/mine"
    folder.mkdir()
    (folder / "globals.yml").write_text("dataset: synthetic\n")
    (folder / "parameters.yml").write_text("learn_metric: {dimension: 20}\n")
    passes("run", "--env", "mine", "--pipelines", "learn_metric,evaluate", **tiny)
    run = copied.runs()[-1]
    assert run.data.tags["environment"] == "mine"
    words = shlex.split(run.data.tags["command"])
    assert words[:6] == ["uv", "run", "kedro", "run", "--env", "mine"]
    passes(*words[3:])
    repeated = copied.runs()[-1]
    assert repeated.data.params == run.data.params
    assert repeated.data.params["learn_metric.dimension"] == "20"
    assert repeated.data.tags["taken_over.scores"] == run.info.run_id


def test_footage_never_bears_the_name_of_rendered_people(fails, tmp_path):
    message = fails("run", **{"ingest.reader": "folder", "ingest.root": tmp_path})
    assert "synthetic is a data set of rendered people" in message
    assert "kedro new-dataset NAME --reader folder --root" in message


def test_the_logged_model_brings_its_code(finished, tmp_path):
    """It is loaded where no package of this project's name can be found."""
    client = mlflow.MlflowClient(f"sqlite:///{finished.root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("synthetic")
    model = client.search_logged_models([experiment.experiment_id])[0]
    code = f"""
import sys
sys.path = [path for path in sys.path if not path.rstrip("/").endswith("src")]
try:
    import wherewhen
except ImportError:
    pass
else:
    raise SystemExit("it can be imported: this would show nothing")
import mlflow
model = mlflow.pyfunc.load_model({model.artifact_location!r})
print("ranked", [len(each) for each in model.predict(model.input_example).ranking])
import wherewhen
print("from", wherewhen.__file__)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "ranked [1, 0]" in done.stdout
    assert "/code/" in done.stdout.partition("from")[2]
    requirements = next(
        path for path in finished.root.glob("mlartifacts/**/requirements.txt")
    ).read_text()
    assert "wherewhen" not in requirements
    assert "torch==" in requirements


def test_lineage_leads_from_a_number_to_the_frames(copied, tiny, passes):
    output = passes("lineage", "scores", **tiny)
    names = ("scores", "trial_00.embeddings_network", "trial_00.network", "cubes",
             "ingest_report", "synthetic_people")  # fmt: skip
    order = [output.index(f"{name} identity") for name in names]
    assert order == sorted(order)
    assert "synthesise: {" in output
    (record,) = copied.made(SCORES)
    assert record["identity"] in output
    assert record["content"] in output

    assert "data/08_reporting/synthetic/cmc_curves.png made" in passes("lineage", **tiny)

    path = copied.latest("06_models/synthetic/trial_00/network.safetensors")
    whole = passes("lineage", str(path), "--record", **tiny)
    assert json.loads(whole)["artifact"] == "trial_00.network"
