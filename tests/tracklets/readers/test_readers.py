import pytest

from wherewhen.synthetic.layouts import write_flat
from wherewhen.tracklets.archives import SEAL
from wherewhen.tracklets.readers import READERS, read

OFFICIAL = {
    "folder": {"distractors": 0},
    "ilids_vid": {},
    "manifest": {},
    "mars": {"cameras": 3, "takes": 2, "distractors": 2, "junk": 2},
    "prid2011": {"distractors": 3},
}
"""Options of a small set in every layout."""

ARCHIVED = ("ilids_vid", "mars", "prid2011")


@pytest.mark.parametrize("name", sorted(READERS))
def test_the_official_tree_is_read(tmp_path, name):
    root = write_flat(name, tmp_path, persons=4, **OFFICIAL[name])
    ingested = read(name, str(root), progress=False)
    assert ingested.report["dataset"] == name
    assert ingested.report["faults"] == []
    assert ingested.report["persons"] == 4
    assert ingested.frames["tracklet"].nunique() == len(ingested.tracklets)
    assert (ingested.tracklets["length"] == 2).all()
    assert all((ingested.root / path).is_file() for path in ingested.frames["path"])


@pytest.mark.parametrize("name", ARCHIVED)
def test_the_official_archive_gives_the_same(tmp_path, name):
    tree = write_flat(name, tmp_path / "tree", **OFFICIAL[name])
    packed = write_flat(name, tmp_path / "packed", archive=True, **OFFICIAL[name])
    expected = read(name, tree, progress=False)
    unpacked = tmp_path / "unpacked"
    for _ in range(2):  # the second time it is found unpacked
        ingested = read(name, packed, unpack_to=unpacked, progress=False)
        assert ingested.tracklets.equals(expected.tracklets)
        assert ingested.report["fingerprint"] == expected.report["fingerprint"]
        assert ingested.root.is_relative_to(unpacked)
    seals = list(unpacked.glob(f"*/{SEAL}"))
    assert len(seals) == (3 if name == "mars" else 1)


def test_an_archive_is_unpacked_beside_itself_by_default(tmp_path):
    packed = write_flat("ilids_vid", tmp_path, archive=True)
    for root in (packed, packed.parent):
        ingested = read("ilids_vid", root, progress=False)
        assert ingested.root.is_relative_to(packed.parent / "unpacked")
        assert len(ingested.tracklets) == 8


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match="no reader 'viper': expected one of folder, ilids_vid"):
        read("viper", ".")
    with pytest.raises(ValueError, match=r"no option sise: expected among size, common_size"):
        read("folder", ".", sise=[64, 128])


@pytest.mark.parametrize("name", ["dukemtmc", "DukeMTMC-VideoReID", "duke"])
def test_duke_is_refused_with_the_reason(name):
    with pytest.raises(ValueError, match=r"refused: its authors withdrew DukeMTMC in 2019"):
        read(name, ".")
