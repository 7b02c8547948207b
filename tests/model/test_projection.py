import pytest
import torch

from wherewhen.model.projection import CubeInput


def correlated_cubes(count=400):
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(count, 3, 3, 6, generator=generator) * torch.tensor([9, 5, 3, 1, 1, 0.5])
    return latent @ torch.linalg.qr(torch.randn(6, 6, generator=generator))[0] + 4.0


def test_it_starts_as_pca_that_is_not_whitened():
    cubes = correlated_cubes()
    module = CubeInput(6, 3, standardise=True)
    module.calibrate([cubes[:100], cubes[100:]])
    slices = cubes.reshape(-1, 6)
    standardised = (slices - slices.mean(0)) / slices.std(0, unbiased=False)
    _, sizes, directions = torch.linalg.svd(standardised, full_matrices=False)
    scores = standardised @ directions[:3].T
    projected = module(cubes).reshape(-1, 3)
    # each component is the singular vector's score, up to its sign and one common factor
    factors = projected.std(0) / scores.std(0)
    torch.testing.assert_close(factors, factors[:1].expand(3), rtol=1e-3, atol=0)
    correlations = torch.corrcoef(torch.cat([projected, scores], 1).T)[:3, 3:].abs()
    torch.testing.assert_close(correlations, torch.eye(3), rtol=0, atol=1e-3)
    torch.testing.assert_close(projected.var(0).mean(), torch.tensor(1.0), rtol=1e-3, atol=0)
    assert projected.var(0)[0] > 1.3 * projected.var(0)[2]
    assert sizes[0] > sizes[2]


def test_standardised_alone_has_mean_0_and_deviation_1():
    cubes = correlated_cubes()
    module = CubeInput(6, None, standardise=True)
    module.calibrate([cubes.half()])
    inputs = module(cubes).reshape(-1, 6)
    torch.testing.assert_close(inputs.mean(0), torch.zeros(6), rtol=0, atol=1e-3)
    torch.testing.assert_close(inputs.std(0), torch.ones(6), rtol=0, atol=1e-3)


def test_a_channel_that_never_fires_stays_zero():
    cubes = correlated_cubes()
    cubes[..., 2] = 0.0
    for projection in (None, 3):
        module = CubeInput(6, projection, standardise=True)
        module.calibrate([cubes])
        assert torch.isfinite(module(cubes)).all()


def test_raw_cubes_pass_and_need_no_calibration():
    cubes = correlated_cubes()
    module = CubeInput(6, None, standardise=False)
    assert bool(module.calibrated)
    assert module(cubes) is cubes


def test_no_cubes_are_named():
    with pytest.raises(ValueError, match="at least two feature slices"):
        CubeInput(6, 3, standardise=True).calibrate([])


@pytest.mark.parametrize(("projection", "standardise"), [(2, True), (2, False), (None, True)])
def test_gradcheck(passes_gradcheck, projection, standardise):
    part = CubeInput(3, projection, standardise)
    part.calibrate([torch.rand(20, 3) + 1])
    assert passes_gradcheck(part, torch.randn(2, 1, 2, 2, 3))
