"""What is checked before the page is served."""

import socket
import sys

import pytest

from wherewhen.galleries.galleries import SearchError
from wherewhen.galleries.page.serving import require_free, show


def test_a_port_that_is_taken_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SearchError, match=rf"port {port} .*name another with --port"):
            require_free("127.0.0.1", port)
    require_free("127.0.0.1", port)


def test_a_host_that_is_not_this_machine_is_refused():
    with pytest.raises(SearchError, match=r"can't be served at 192\.0\.2\.1, port 8080"):
        require_free("192.0.2.1", 8080)


def test_without_the_extra_it_is_said_how_to_install_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("wherewhen.galleries.page.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nicegui", None)
    with pytest.raises(SearchError, match=r"install the extra `page` \(uv sync --extra page\)"):
        show(None, {}, "127.0.0.1", 8080)
