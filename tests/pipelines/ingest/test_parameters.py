import shutil

import pytest
from flat_footage import write_flat

from wherewhen.lineage.content import content_of
from wherewhen.pipelines.ingest.nodes import read_frames
from wherewhen.pipelines.ingest.parameters import IngestParameters
from wherewhen.tracklets.fingerprint import decisive


@pytest.mark.parametrize(
    "place", ["manifest.csv", "lists/mine.csv", ".hidden.csv", "../beside.csv"]
)
def test_a_manifest_counts_wherever_it_lies(tmp_path, place):
    root = write_flat("manifest", tmp_path / "footage", persons=2, length=3, size=(4, 8))
    manifest = root / place
    manifest.parent.mkdir(exist_ok=True)
    shutil.move(root / "manifest.csv", manifest)
    for name in (place, str(manifest.resolve())):
        given = IngestParameters(
            reader="manifest", root=root, options={"manifest": {"manifest": name}}
        )

        def identity(given=given):
            asked = given.as_asked()
            return decisive(asked, content_of), content_of(asked.root)

        before = identity()
        found, _ = read_frames(given.root, given.as_asked())
        assert len(found.frames) == len(manifest.read_text().splitlines()) - 1
        lines = manifest.read_text().splitlines(keepends=True)
        manifest.write_text("".join(lines[:-1]))
        assert identity() != before
