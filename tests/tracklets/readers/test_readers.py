import pytest

from wherewhen.tracklets.readers import READERS, read


def test_readers_are_called_by_name(tmp_path, write_frames):
    for camera in ("cam_a", "cam_b"):
        write_frames(tmp_path / camera / "person_0001")
    for name in READERS:
        ingested = read(name, str(tmp_path), progress=False)
        assert ingested.report["dataset"] == name
        assert len(ingested.tracklets) == 2


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match="no reader 'viper': expected one of folder, prid2011"):
        read("viper", ".")
    with pytest.raises(ValueError, match=r"no option sise: expected among size, allow_faulty"):
        read("folder", ".", sise=[64, 128])


@pytest.mark.parametrize("name", ["dukemtmc", "DukeMTMC-VideoReID", "duke"])
def test_duke_is_refused_with_the_reason(name):
    with pytest.raises(ValueError, match=r"refused: its authors withdrew DukeMTMC in 2019"):
        read(name, ".")
