import os
import shutil
from pathlib import Path

import pytest
from flat_footage import write_flat

from wherewhen import pretrained
from wherewhen.environments import (
    RENDERED,
    ConfigurationError,
    check_environment,
    check_footage,
    config_loader,
    environments,
    new_dataset,
)
from wherewhen.pipelines.parameters import check_parameters
from wherewhen.sessions import Session
from wherewhen.tracklets.readers import READERS, read

PYPROJECT = """
[tool.kedro]
package_name = "wherewhen"
project_name = "wherewhen"
kedro_init_version = "1.0.0"
"""

PROTOCOLS = {
    "folder": "cross_camera",
    "ilids_vid": "single_match",
    "manifest": "cross_camera",
    "tracklets": "cross_camera",
    "mars": "official",
    "prid2011": "single_match",
}


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("KEDRO_ENV", raising=False)


@pytest.fixture
def project(tmp_path, monkeypatch, repository):
    """A project's configuration, around the working directory."""
    root = tmp_path / "project"
    shutil.copytree(repository / "conf", root / "conf")
    (root / "pyproject.toml").write_text(PYPROJECT)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def footage(tmp_path):
    (tmp_path / "footage").mkdir()
    return str(tmp_path / "footage")


def parameters_of(env):
    return check_parameters(config_loader(env)["parameters"])


def conf(project):
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file()
    }


def packed(project, kind):
    """Pack the configuration: ``gztar`` is what `kedro package` writes."""
    base = project.parent / "conf-wherewhen"
    return Path(shutil.make_archive(str(base), kind, project, "conf"))


class TestEnvironments:
    @pytest.mark.parametrize("kind", ["gztar", "tar", "zip"])
    def test_an_archive_has_those_of_the_folder(self, project, kind):
        (project / "conf/empty").mkdir()
        of_folder = environments(project / "conf")
        assert {"base", "mars", "prid2011"} < set(of_folder)
        assert set(of_folder) - set(environments(packed(project, kind))) <= {"empty", "local"}

    def test_files_in_the_folder_are_none(self, project):
        assert "logging.yml" not in environments()
        assert "logging.yml" not in environments(packed(project, "gztar"))

    @pytest.mark.parametrize("kind", ["gztar", "zip"])
    def test_a_damaged_archive_is_no_configuration(self, project, kind):
        archive = packed(project, kind)
        archive.write_bytes(archive.read_bytes()[:500])
        with pytest.raises(ConfigurationError, match=r"conf-wherewhen\S+ is no configuration"):
            check_environment(None, archive)


class TestCheckEnvironment:
    def test_those_that_there_are_pass(self, project):
        for env in (None, *environments()):
            check_environment(env)
            check_environment(env, project / "conf")

    @pytest.mark.parametrize(
        ("env", "meant"), [("prid2012", "prid2011"), ("Mars", "mars"), ("ilidsvid", "ilids_vid")]
    )
    @pytest.mark.parametrize("kind", [None, "gztar", "zip"])
    def test_the_nearest_name_is_said(self, project, env, meant, kind):
        source = packed(project, kind) if kind else project / "conf"
        said = rf"no environment '{env}' in .*did you mean {meant}\? .*kedro new-dataset NAME"
        with pytest.raises(ConfigurationError, match=said):
            check_environment(env, source)

    @pytest.mark.parametrize("env", ["", "zzz", "../conf/x y", "*", "logging.yml", "/"])
    def test_all_are_said_where_none_is_near(self, project, env):
        with pytest.raises(ConfigurationError, match=r"there are base, development, .*prid2011\."):
            check_environment(env)

    def test_without_one_that_of_the_variable_is_checked(self, project, monkeypatch):
        monkeypatch.setenv("KEDRO_ENV", "prid2012")
        said = r"'prid2012' \(of the variable KEDRO_ENV\).*did you mean prid2011"
        with pytest.raises(ConfigurationError, match=said):
            check_environment(None)
        check_environment("mars")  # what a command is given counts
        for env in ("prid2011", ""):
            monkeypatch.setenv("KEDRO_ENV", env)
            check_environment(None)

    def test_a_source_that_is_not_there(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"no configuration at .*nowhere"):
            check_environment(None, tmp_path / "nowhere")

    def test_a_source_that_is_none(self, project):
        with pytest.raises(ConfigurationError, match=r"pyproject.toml is no configuration"):
            check_environment("base", project / "pyproject.toml")

    @pytest.mark.parametrize("kind", [None, "gztar"])
    def test_a_session_is_refused_before_it_begins(self, project, monkeypatch, kind):
        source = str(packed(project, kind)) if kind else None
        with pytest.raises(ConfigurationError, match="did you mean prid2011"):
            Session.create(project, env="prid2012", conf_source=source)
        monkeypatch.setenv("KEDRO_ENV", "prid2012")
        with pytest.raises(ConfigurationError, match="did you mean prid2011"):
            Session.create(project, conf_source=source)


class TestNewDataset:
    @pytest.mark.parametrize("reader", PROTOCOLS)
    def test_every_reader_has_an_environment_that_reads_its_footage(
        self, project, tmp_path, reader
    ):
        layout = "folder" if reader == "tracklets" else reader
        root = write_flat(layout, tmp_path / "set", persons=6)
        paths = new_dataset("mine", reader, str(root))
        assert [path.relative_to(project).as_posix() for path in paths] == [
            "conf/mine/globals.yml",
            "conf/mine/parameters.yml",
        ]
        parameters = parameters_of("mine")
        assert parameters.evaluate.dataset == "mine"
        assert parameters.evaluate.protocol == PROTOCOLS[reader]
        assert (parameters.ingest.reader, parameters.ingest.root) == (reader, root)
        assert not parameters.ingest.synthetic
        assert parameters.split.trials == 2
        found = read(reader, root, **dict(parameters.ingest.options[reader]))
        assert found.tracklets.person.nunique() == (12 if reader == "tracklets" else 6)

    def test_boxes_of_videos_may_lie_elsewhere(self, project, footage):
        new_dataset("mine", "mot", footage, model=True, boxes="/else/yard tracks.txt")
        parameters = parameters_of("mine")
        assert parameters.ingest.options["mot"].boxes == Path("/else/yard tracks.txt")
        assert parameters.evaluate.protocol == "cross_camera"

    def test_nobody_trains_where_the_model_is_taken_as_it_is(self, project, footage):
        new_dataset("mine", "folder", footage, model=True)
        parameters = parameters_of("mine")
        assert parameters.split.nobody_trains
        assert parameters.train.network_from == {"trial_00": pretrained.network_file()}
        assert parameters.learn_metric.metrics_from == pretrained.metrics_file()
        with pytest.raises(ConfigurationError, match="the reader mars has splits of its own"):
            new_dataset("other", "mars", footage, model=True)

    @pytest.mark.parametrize("reader", READERS)
    def test_it_says_nothing_of_other_readers(self, project, footage, reader):
        _, written = new_dataset("mine", reader, footage)
        text = written.read_text()
        others = set(READERS) - {reader, "folder"}
        assert not [other for other in others if f"{other}:" in text]
        assert all(len(line) <= 100 for line in text.splitlines() if "root:" not in line)

    def test_where_the_split_is_fixed_trials_differ_by_their_seeds(self, project, footage):
        new_dataset("mine", "mars", footage)
        parameters = parameters_of("mine")
        assert parameters.split.source == "official"
        assert parameters.train.seed_by_trial

    def test_numbers_above_200_are_not_taken_for_one_person(self, project, footage):
        new_dataset("mine", "prid2011", footage)
        assert parameters_of("mine").ingest.options["prid2011"].shared_persons == 200

    @pytest.mark.parametrize(
        "name",
        ["with spaces", "it's", 'so "called"', "#1", "a: b", "${oc.env:HOME}", "\\${x}", "zoë",
         "字", "{b}", "%s", "a\\b", "😀", "tab\there", "- x", "null", "1e3"],
    )  # fmt: skip
    @pytest.mark.parametrize("absolute", [False, True])
    def test_any_path_is_read_back_as_it_was_given(self, project, name, absolute):
        folder = project / "data" / name
        folder.mkdir(parents=True)
        given = str(folder) if absolute else f"data/{name}"
        new_dataset("mine", "folder", given)
        assert str(parameters_of("mine").ingest.root) == given

    def test_the_home_folder_stays_a_tilde(self, project, monkeypatch, tmp_path, footage):
        monkeypatch.setenv("HOME", str(tmp_path))
        _, written = new_dataset("mine", "folder", "~/footage")
        assert 'root: "~/footage"' in written.read_text()
        assert parameters_of("mine").ingest.root.expanduser() == tmp_path / "footage"

    @pytest.mark.parametrize(
        "name",
        ["", " ", "Mine", "mine set", "1st", "_mine", "a-b", "a.b", "a/b", "..", ".", "../mine",
         "*", "/tmp/mine", "zoë", "base", "local", "mine\n", "a" * 41],
    )  # fmt: skip
    def test_an_odd_name_is_refused(self, project, footage, name):
        before = conf(project)
        with pytest.raises(ConfigurationError, match="can't name a data set: expected at most 40"):
            new_dataset(name, "folder", footage)
        assert conf(project) == before

    @pytest.mark.parametrize("name", ["prid2011", "mars", *RENDERED])
    def test_a_taken_name_is_refused(self, project, footage, name):
        before = conf(project)
        with pytest.raises(ConfigurationError, match=f"{name}.*: choose another"):
            new_dataset(name, "folder", footage)
        assert conf(project) == before

    @pytest.mark.parametrize("root", ["", "  ", "nowhere", "/nowhere", "~/nowhere/at/all"])
    def test_footage_that_is_not_there_is_refused(self, project, root):
        before = conf(project)
        with pytest.raises(ConfigurationError, match=r"--root: nothing that can be used lies at"):
            new_dataset("mine", "folder", root)
        assert conf(project) == before
        assert not (project / "conf/mine").exists()

    def test_a_path_that_is_no_text_is_refused(self, project, tmp_path):
        folder = os.fsencode(tmp_path) + b"/\xe9"
        Path(os.fsdecode(folder)).mkdir()
        with pytest.raises(ConfigurationError, match=r"\\xe9; expected .* in UTF-8"):
            new_dataset("mine", "folder", os.fsdecode(folder))

    @pytest.mark.parametrize(
        ("reader", "said"), [("Folder", "expected one of folder"), ("duke", "is refused")]
    )
    def test_an_unknown_reader_is_refused(self, project, footage, reader, said):
        with pytest.raises(ValueError, match=said):
            new_dataset("mine", reader, footage)
        assert not (project / "conf/mine").exists()

    @pytest.mark.parametrize("fault", [OSError(28, "No space left"), KeyboardInterrupt()])
    def test_nothing_is_half_written(self, project, footage, monkeypatch, fault):
        write = Path.write_text

        def full(path, *arguments, **options):
            if path.name == "parameters.yml":
                raise fault
            return write(path, *arguments, **options)

        monkeypatch.setattr(Path, "write_text", full)
        with pytest.raises((ConfigurationError, KeyboardInterrupt)):
            new_dataset("mine", "folder", footage)
        assert not (project / "conf/mine").exists()

    @pytest.mark.parametrize("there", ["a folder", "a file"])
    def test_what_was_made_meanwhile_stays(self, project, footage, monkeypatch, there):
        monkeypatch.setattr("wherewhen.environments.environments", lambda: [])
        mine = project / "conf/mine"
        if there == "a folder":
            mine.mkdir()
            mine = mine / "globals.yml"
        mine.write_text("theirs")
        with pytest.raises(ConfigurationError, match=r"conf/mine can't be made: File exists"):
            new_dataset("mine", "folder", footage)
        assert mine.read_text() == "theirs"

    def test_a_project_without_configuration_gets_none(self, tmp_path, monkeypatch, footage):
        (tmp_path / "pyproject.toml").write_text(PYPROJECT)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("wherewhen.environments.environments", lambda: [])
        with pytest.raises(ConfigurationError, match="Expected a project's folder conf"):
            new_dataset("mine", "folder", footage)
        assert not (tmp_path / "conf").exists()


class TestCheckFootage:
    @staticmethod
    def check(project, env, source=None, **ingest):
        """Check what a session with ``--params ingest...`` would read."""
        from kedro.config import OmegaConfigLoader

        from wherewhen.settings import CONFIG_LOADER_ARGS

        given = {"ingest": ingest} if ingest else {}
        source = str(source or project / "conf")
        loader = OmegaConfigLoader(source, env=env, runtime_params=given, **CONFIG_LOADER_ARGS)
        check_footage(check_parameters(loader["parameters"]), loader)

    @pytest.mark.parametrize("env", [None, "base", *RENDERED[1:]])
    def test_footage_is_no_rendered_people(self, project, footage, env):
        said = rf"ingest.root is .*: kedro new-dataset NAME --reader folder --root {footage}$"
        with pytest.raises(ConfigurationError, match=said):
            self.check(project, env, root=footage, reader="folder")

    def test_the_command_to_use_is_one_that_a_shell_takes(self, project, tmp_path):
        root = str(tmp_path / "my footage")
        with pytest.raises(ConfigurationError, match=rf"--root '{root}'$"):
            self.check(project, None, root=root)

    def test_the_same_from_an_archive(self, project, footage):
        with pytest.raises(ConfigurationError, match="real footage needs an environment"):
            self.check(project, None, packed(project, "gztar"), root=footage)

    def test_an_environment_of_ones_own_that_renders_its_people(self, project, footage):
        (project / "conf/drawn").mkdir()
        (project / "conf/drawn/globals.yml").write_text("dataset: drawn\n")
        self.check(project, "drawn")
        with pytest.raises(ConfigurationError, match="drawn is a data set of rendered people"):
            self.check(project, "drawn", root=footage)

    def test_local_parameters_are_no_way_round(self, project, footage):
        (project / "conf/local").mkdir(exist_ok=True)
        (project / "conf/local/parameters.yml").write_text(f"ingest: {{root: {footage}}}\n")
        with pytest.raises(ConfigurationError, match="synthetic is a data set of rendered people"):
            self.check(project, "local")

    def test_rendered_people_and_environments_of_footage_pass(self, project, footage):
        new_dataset("mine", "folder", footage)
        self.check(project, None)
        self.check(project, None, reader="prid2011")
        for env in ("mine", "prid2011", "mars"):
            self.check(project, env)
            self.check(project, env, root=footage)  # the same set at another place
