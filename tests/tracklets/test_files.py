import os
import threading
from pathlib import Path

import pytest

from wherewhen.tracklets.files import (
    FileError,
    displayed,
    entries,
    expand_home,
    is_broken_link,
    is_dir,
    is_file,
    is_folder,
    is_leaving,
    is_link,
    is_text,
    is_there,
    open_file,
    open_regular,
    read_csv,
    read_text,
    reason,
    refuse_names,
    shortened,
)

REMEDY = "expected a table; correct the path"
LATIN = os.fsdecode(b"caf\xe9")


class TestHome:
    @pytest.mark.parametrize(
        ("given", "path"),
        [
            ("~", "/home/of/mine"),
            ("~/crops", "/home/of/mine/crops"),
            ("/data/~", "/data/~"),
            ("a/~/b", "a/~/b"),
            ("./~/b", "~/b"),
            ("$HOME/crops", "$HOME/crops"),
            ("${HOME}", "${HOME}"),
            (Path("~/crops"), "/home/of/mine/crops"),
        ],
    )
    def test_a_leading_tilde_alone_is_expanded(self, monkeypatch, given, path):
        monkeypatch.setenv("HOME", "/home/of/mine")
        assert expand_home(given) == Path(path)

    def test_another_user(self):
        assert expand_home("~root/crops") == Path("~root").expanduser() / "crops"
        with pytest.raises(FileError, match=r"~nobody-of-this-name/x: the home folder .* put \./"):
            expand_home("~nobody-of-this-name/x")


class TestNames:
    def test_what_is_not_utf8_can_be_printed(self):
        assert displayed(LATIN) == r"caf\xe9"
        assert displayed("\ud800") == r"\ud800"
        assert displayed(Path("/a/müller")) == "/a/müller"
        assert [is_text(name) for name in ("a", "müller", LATIN, "\ud800")] == [
            True,
            True,
            False,
            False,
        ]

    def test_long_values_are_cut(self):
        assert shortened("a") == "'a'"
        assert shortened("9" * 3_000_000) == f"'{'9' * 79}... (3000000 characters)"
        assert shortened(1.5) == "1.5"

    def test_reasons_name_a_cure_and_no_path(self, tmp_path):
        with pytest.raises(OSError, match="too long") as caught:
            (tmp_path / ("x" * 300)).stat()
        assert reason(caught.value) == "File name too long (shorten it)"
        assert reason(OSError("odd")) == "odd"


class TestOpening:
    def test_what_is_there_is_read(self, tmp_path):
        (tmp_path / "a").write_bytes(b"content")
        with open_file(tmp_path / "a", "table", REMEDY) as file:
            assert file.read() == b"content"

    @pytest.mark.parametrize("name", ["nothing", "file/nothing"])
    def test_missing(self, tmp_path, name):
        (tmp_path / "file").touch()
        with pytest.raises(FileNotFoundError, match=f"no table at .*{name}: expected a table"):
            open_file(tmp_path / name, "table", REMEDY)

    def test_a_link_that_leads_nowhere(self, tmp_path):
        (tmp_path / "link").symlink_to("gone")
        with pytest.raises(FileNotFoundError, match=r"link \(a link that leads nowhere\): exp"):
            open_file(tmp_path / "link", "table", REMEDY)

    def test_what_is_no_file(self, tmp_path):
        with pytest.raises(FileError, match="it is a folder, not a file; expected a table"):
            open_file(tmp_path, "table", REMEDY)
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FileError, match="it is a pipe or a device, not a file; expected"):
            open_file(tmp_path / "pipe", "table", REMEDY)
        with pytest.raises(OSError, match="pipe or a device"):
            open_regular("/dev/zero")

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("x" * 300, r"File name too long \(shorten it\)"),
            ("a\0b", r"a\\x00b': no file can have this name"),
            ("\ud800", r"\\ud800': no file can have this name"),
        ],
    )
    def test_impossible_names(self, tmp_path, name, message):
        with pytest.raises(FileError, match=message):
            open_file(tmp_path / name, "table", REMEDY)

    def test_no_permission(self, tmp_path, no_privileges):
        (tmp_path / "a").touch(0)
        with pytest.raises(FileError, match=r"a: Permission denied \(give yourself the right"):
            open_file(tmp_path / "a", "table", REMEDY)

    def test_no_file_stays_open(self, tmp_path):
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(20):
            with pytest.raises(FileError):
                open_file(tmp_path, "table", REMEDY)
        assert len(list(Path("/proc/self/fd").iterdir())) == before


class TestFolders:
    def test_what_is_hidden_is_not_listed(self, tmp_path):
        for name in ("b", "a", ".c"):
            (tmp_path / name).touch()
        assert [entry.name for entry in entries(tmp_path)] == ["a", "b"]
        assert [entry.name for entry in entries(tmp_path, leavings=True)] == [".c", "a", "b"]

    @pytest.mark.parametrize(
        "name",
        ["._1.png", "@eaDir", "THUMBS.DB", "desktop.ini", "Icon\r", "System Volume Information"],
    )
    def test_leavings(self, name):
        assert is_leaving(name)
        assert not is_leaving(f"x{name}")

    def test_kinds(self, tmp_path):
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").touch()
        for link, target in (("to_folder", "folder"), ("to_file", "file"), ("gone", "x")):
            (tmp_path / link).symlink_to(target)
        (tmp_path / "loop").symlink_to("loop")
        assert [e.name for e in entries(tmp_path) if is_folder(e)] == ["folder", "to_folder"]
        assert [e.name for e in entries(tmp_path) if is_broken_link(e)] == ["gone", "loop"]

    def test_a_folder_that_can_not_be_listed(self, tmp_path, no_privileges):
        with pytest.raises(FileError, match=r"x: can't be listed: No such file or directory"):
            entries(tmp_path / "x")
        (tmp_path / "locked").mkdir(0o000)
        with pytest.raises(FileError, match=r"locked: can't be listed: Permission denied"):
            entries(tmp_path / "locked")

    def test_names_that_are_not_utf8_are_refused(self):
        refuse_names("folder", ["a", "müller"])
        with pytest.raises(FileError, match=r"folder: 1 names .* instance caf\\xe9\. .*rename"):
            refuse_names("folder", ["a", LATIN])

    @pytest.mark.parametrize("name", ["x" * 300, "a\0b", "file/x", "loop", "locked/x"])
    def test_what_can_not_be_followed_is_not_there(self, tmp_path, name, no_privileges):
        (tmp_path / "file").touch()
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "locked").mkdir(0o000)
        path = tmp_path / name
        assert not (is_there(path) or is_file(path) or is_dir(path))
        assert is_link(path) == (name == "loop")
        assert is_file(tmp_path / "file")
        assert is_dir(tmp_path / "locked")


def csv_of(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(path, "table", REMEDY)


class TestText:
    def test_a_byte_order_mark_is_no_text(self, tmp_path):
        (tmp_path / "a").write_bytes(b"\xef\xbb\xbfm\xc3\xbcller")
        assert read_text(tmp_path / "a", "table", REMEDY) == "müller"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("a,b".encode("utf-16"), r"not UTF-8 \(byte 1 is 0xff\): UTF-16"),
            ("é".encode("latin-1"), r"not UTF-8 \(byte 1 is 0xe9\): another encoding"),
        ],
    )
    def test_another_encoding(self, tmp_path, content, message):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(FileError, match=message):
            read_text(tmp_path / "a", "table", REMEDY)


class TestCsv:
    def test_rows_are_named_by_their_lines(self, tmp_path):
        table = csv_of(tmp_path, 'a, b ,\n01,,x\n\n"NA","2\n3",y\r\n')
        assert table.columns.tolist() == ["a", "b"]
        assert table.to_numpy().tolist() == [["01", ""], ["NA", "2\n3"]]
        assert table.index.tolist() == [2, 5]

    def test_a_header_alone(self, tmp_path):
        table = csv_of(tmp_path, b"\xef\xbb\xbfa,b")
        assert table.columns.tolist() == ["a", "b"]
        assert table.empty

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "it is empty; expected a table"),
            (b"\n \n", "it is empty"),
            (b"\x00\x01\x02", "line 1 has a NUL character"),
            (b"\xff\xd8\xff\xe0", "not UTF-8"),
            ("a,b\n1,2\n1,2,3\n", r"line 3 has 3 fields, but the first line 2 \('a,b'\)"),
            ("a,b\n1,2,\n", "line 2 has 3 fields"),
            ("a,b\n1\n", "line 2 has 1 fields"),
            ('a,b\n1,"2\n', r"line 2 is not CSV \(unexpected end of data\)"),
            ('a,b\n1,"2"3\n', "line 2 is not CSV"),
            ("a,b\n1," + "2" * 200_000, r"line 2 is not CSV \(field larger than field limit"),
            ("a,b,a\n1,2,3\n", "column 'a' stands twice in the first line"),
        ],
    )
    def test_what_is_no_table(self, tmp_path, content, message):
        with pytest.raises(FileError, match=f"table .*a.csv: {message}"):
            csv_of(tmp_path, content)


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    done = threading.Event()

    def work():
        with pytest.raises(FileError):
            read_csv(tmp_path / "pipe.csv", "table", REMEDY)
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert done.wait(10)
