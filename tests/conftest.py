"""What tests of all rooms share: where the repository and the optional shared data lie.

Two processes run the tests (`-n 0`: one, as a debugger wants it). A file's tests stay together,
and so do all that ask for the one run of the whole chain (the fixture `finished`).
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

pytest_plugins = ["projects"]

# Before torch is imported, here and in the commands that tests start: two processes with two
# threads each on two cores wait for each other, and who waits is not to keep a core busy meanwhile.
# Two threads, which training has by default, would take ten times as long as one.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Where nothing may be written beside sources (containers often say so), every command that a test
# starts would compile torch, MLflow and all else anew.
if sys.dont_write_bytecode:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or python -B
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(REPOSITORY / ".pytest_cache/bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        group = "finished" if "finished" in item.fixturenames else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread: small products are slower in two, and sums repeat."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def real_footage() -> Path:
    """Real pedestrians in PRID 2011's layout, where a workplace has them; never in the project."""
    folder = REPOSITORY.parent / "shared" / "data" / "pets09-s2l1"
    if not folder.is_dir():
        pytest.skip(f"no real footage at {folder}")
    return folder


@pytest.fixture(scope="session")
def mars_info() -> Path:
    """MARS's real tables of tracklets and queries, where a workplace has them."""
    folder = REPOSITORY.parent / "shared" / "data" / "mars-info"
    if not folder.is_dir():
        pytest.skip(f"no tables of MARS at {folder}")
    return folder


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of MLflow, made once: it takes seconds."""
    import mlflow  # most tests need none of it

    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def no_privileges() -> Iterator[None]:
    """Make permissions of files count for root, too, whom Linux lets read everything."""
    with _without_capabilities():
        yield


@contextlib.contextmanager
def _without_capabilities() -> Iterator[None]:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    override_and_search = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    library = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this thread
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, 32 capabilities each
    if library.capget(header, sets) != 0:
        pytest.skip("can't tell what root may read here")
    effective = sets[0]
    sets[0] = effective & ~override_and_search
    library.capset(header, sets)
    try:
        yield
    finally:
        sets[0] = effective
        library.capset(header, sets)
