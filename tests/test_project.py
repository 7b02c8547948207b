from pathlib import Path

import pytest

from wherewhen.project import from_root, project_root, to_root
from wherewhen.tracklets.files import FileError


def test_relative_paths_are_of_the_project():
    assert from_root("data/x") == project_root() / "data/x"
    assert from_root("/data/x") == Path("/data/x")
    assert to_root(from_root("data/x")) == "data/x"
    assert to_root(Path("/data/x")) == "/data/x"


@pytest.mark.parametrize(
    ("given", "inside"), [("~", "."), ("~/crops/x", "crops/x"), (Path("~/w.pth"), "w.pth")]
)
def test_a_leading_tilde_is_the_home_folder(tmp_path, monkeypatch, given, inside):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert from_root(given) == tmp_path / inside


@pytest.mark.parametrize("given", ["$HOME/crops", "${HOME}", "a/~", "./~"])
def test_nothing_else_is_expanded(tmp_path, monkeypatch, given):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert from_root(given) == project_root() / given


def test_what_can_not_be_followed_is_named():
    with pytest.raises(ValueError, match=r"a\\x00b': no path that can be followed"):
        from_root("a\0b")
    with pytest.raises(FileError, match="~nobody-of-this-name/x: the home folder"):
        from_root("~nobody-of-this-name/x")
