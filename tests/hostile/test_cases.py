"""Every hostile input is answered as the documents say, in bounded memory and time.

Each runs in a process of its own, so that one that is killed or takes all memory is a failure with
its name. Bounds of time are of the processor's, which a busy machine does not lengthen.
"""

import multiprocessing
import os
import re
import sys
from multiprocessing import forkserver

import pytest
from hostile import all_cases

CASES = all_cases()
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux tells it")


@pytest.fixture(scope="module")
def context():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hostile.child"])
    with pytest.MonkeyPatch.context() as patch:  # some versions of Python preload without sys.path
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        forkserver.ensure_running()
    return context


def observed(context, case, folder):
    from hostile.child import observe

    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=observe, args=(case.name, folder, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        process.join()
        return pytest.fail(f"the process ended with {process.exitcode}")
    finally:
        process.join()


def says(message: str, excerpt: str) -> bool:
    """Whether a message has the parts of an excerpt, in their order."""
    parts = (re.escape(part.strip()) for part in excerpt.split("..."))
    return re.search(".*".join(parts), message, re.DOTALL) is not None


def test_names_are_unique():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_answer_is_as_the_documents_say(case, context, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    found = observed(context, case, inside)
    if case.error:
        assert case.error in found.errors, f"raised {found.errors[:1]}: {found.traceback}"
        assert says(found.message, case.said), found.message
    else:
        assert not found.errors, found.traceback
    assert found.megabytes < case.megabytes
    assert found.seconds < case.seconds
    assert [path.name for path in tmp_path.iterdir()] == ["inside"], "written elsewhere"
