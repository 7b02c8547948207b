"""Headers of .safetensors files are looked at before a library parses them."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from wherewhen.tensor_headers import HeaderError, check_header, header_fault


def test_what_the_library_writes_passes(tmp_path):
    save_file({"a": np.ones(3)}, tmp_path / "x", metadata={"a": "b"})
    check_header(tmp_path / "x")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "it is empty"),
        (b"12345", "does not begin with a brace"),
        (b"\x09" + bytes(7) + b"{", "says that it takes 9 bytes, but the file has 9"),
        (b"\x02" + bytes(7) + b"[]", "does not begin with a brace"),
        (b"\xff" * 8 + b"{}", "says that it takes 18,446,744,073,709,551,615 bytes"),
    ],
)
def test_what_is_none_is_said(tmp_path, content, fault):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(HeaderError, match=fault):
        check_header(tmp_path / "x")


def test_the_largest_header():
    head = (100).to_bytes(8, "little") + b"{"
    assert header_fault(head, 108, largest=100) is None
    assert header_fault(head, 108, largest=99) == (
        "its header takes 100 bytes, and at most 99 are read"
    )
