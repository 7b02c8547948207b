import numpy as np

from wherewhen.baselines.fv3d import FV3D


def test_a_cell_is_its_histogram_and_its_place():
    ramp = np.tile(np.arange(16, dtype=np.uint8) * 10, (4, 32, 1))
    frames = np.repeat(ramp[..., None], 3, axis=3)
    baseline = FV3D(size=(16, 32), cells=(2, 3, 1), overlap=0.5)
    ((cells,),) = baseline.descriptors(frames)
    assert cells.shape == (6, 23)
    np.testing.assert_allclose(np.linalg.norm(cells[:, :20], axis=1), 1)
    np.testing.assert_allclose(cells[:, :20], cells[:1, :20].repeat(6, 0), atol=1e-9)
    np.testing.assert_allclose(cells[:, 20], 0.5)
    np.testing.assert_allclose(cells[:, 21], np.repeat([0.25, 0.5, 0.75], 2))
    np.testing.assert_allclose(cells[:, 22], np.tile([1 / 3, 2 / 3], 3))
