"""The documents' site builds without a warning: no link, anchor or page is missing."""

import subprocess
import sys

import pytest

pytest.importorskip("sphinx", reason="the site needs the dependency group docs")


def build(documents, folder):
    """Build a site as CONTRIBUTING.md says, but write no page: (exit code, what was printed)."""
    words = ["-W", "--keep-going", "-q", "-b", "dummy", str(documents), str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_site_builds_without_a_warning(repository, tmp_path):
    code, output = build(repository / "docs", tmp_path)
    assert code == 0, output
    assert (tmp_path / ".doctrees/reference/parameters.doctree").is_file()


def test_an_anchor_that_leads_nowhere_stops_the_build(repository, tmp_path):
    documents = tmp_path / "docs"
    documents.mkdir()
    (documents / "conf.py").write_bytes((repository / "docs/conf.py").read_bytes())
    (documents / "index.md").write_text("# Title\n\n[there](#title), [nowhere](#no-such-heading)\n")
    code, output = build(documents, tmp_path / "site")
    assert code != 0
    assert "no-such-heading" in output
    assert "#title" not in output
