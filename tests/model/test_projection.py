import pytest
import torch
from torch import nn

from wherewhen.model.projection import CubeInput


def correlated_cubes(count=400):
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(count, 3, 3, 6, generator=generator) * torch.tensor([9, 5, 3, 1, 1, 0.5])
    return latent @ torch.linalg.qr(torch.randn(6, 6, generator=generator))[0] + 4.0


def test_it_starts_as_pca_that_is_not_whitened():
    cubes = correlated_cubes()
    module = CubeInput(6, 3, standardise="scale")
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
    module = CubeInput(6, None, standardise="scale")
    module.calibrate([cubes.half()])
    inputs = module(cubes).reshape(-1, 6)
    torch.testing.assert_close(inputs.mean(0), torch.zeros(6), rtol=0, atol=1e-3)
    torch.testing.assert_close(inputs.std(0), torch.ones(6), rtol=0, atol=1e-3)


def test_centred_alone_keeps_the_ratios_of_the_deviations():
    cubes = correlated_cubes() * torch.tensor([100.0, 1, 1, 1, 1, 0.01])
    module = CubeInput(6, None, standardise="centre")
    module.calibrate([cubes])
    inputs, given = module(cubes).reshape(-1, 6), cubes.reshape(-1, 6)
    torch.testing.assert_close(inputs.mean(0), torch.zeros(6), rtol=0, atol=1e-3)
    torch.testing.assert_close(inputs.var(0).mean(), torch.tensor(1.0), rtol=1e-3, atol=0)
    factors = inputs.std(0) / given.std(0)
    torch.testing.assert_close(factors, factors[:1].expand(6), rtol=1e-4, atol=0)


def test_centred_it_starts_as_pca_of_the_centred_cubes():
    cubes = correlated_cubes()
    module, of_larger = (CubeInput(6, 2, standardise="centre") for _ in range(2))
    module.calibrate([cubes])
    of_larger.calibrate([64 * cubes])
    slices = cubes.reshape(-1, 6)
    _, _, directions = torch.linalg.svd(slices - slices.mean(0), full_matrices=False)
    projected = module(cubes).reshape(-1, 2)
    cosines = nn.functional.normalize(module.weight.detach(), dim=1) @ directions[:2].T
    torch.testing.assert_close(cosines.abs(), torch.eye(2), rtol=0, atol=1e-3)
    torch.testing.assert_close(projected.mean(0), torch.zeros(2), rtol=0, atol=1e-3)
    torch.testing.assert_close(projected.var(0).mean(), torch.tensor(1.0), rtol=1e-3, atol=0)
    # what is learned, and the steps of the optimiser, do not depend on the scale of the cubes
    torch.testing.assert_close(of_larger.weight, module.weight, rtol=1e-4, atol=1e-5)


class TestBasis:
    @pytest.mark.parametrize("standardise", ["none", "centre", "scale"])
    def test_it_is_the_pca_of_the_standardised_cubes(self, standardise):
        cubes = correlated_cubes()
        module = CubeInput(6, None, standardise, basis=3)
        module.calibrate([cubes])
        slices = cubes.reshape(-1, 6)
        if standardise == "scale":
            slices = slices / slices.std(0)
        _, _, directions = torch.linalg.svd(slices - slices.mean(0), full_matrices=False)
        cosines = nn.functional.normalize(module.basis, dim=1) @ directions[:3].T
        torch.testing.assert_close(cosines.abs(), torch.eye(3), rtol=0, atol=2e-3)
        reduced = module.reduce(cubes).reshape(-1, 3)
        assert torch.equal(module(cubes).reshape(-1, 3), reduced)
        covariance = reduced.T.cov()
        torch.testing.assert_close(covariance.trace(), torch.tensor(3.0), rtol=1e-3, atol=0)
        off_diagonal = covariance - covariance.diag().diag()
        torch.testing.assert_close(off_diagonal, torch.zeros(3, 3), rtol=0, atol=2e-3)

    def test_the_projection_starts_as_without_it(self):
        cubes = correlated_cubes()
        with_basis, without = (CubeInput(6, 2, "scale", basis=basis) for basis in (4, None))
        for module in (with_basis, without):
            module.calibrate([cubes])
        torch.testing.assert_close(with_basis(cubes).abs(), without(cubes).abs())

    def test_it_is_no_parameter(self):
        module = CubeInput(6, 2, "scale", basis=4)
        assert [name for name, _ in module.named_parameters()] == ["weight"]
        assert "basis" in module.state_dict()
        assert not module.calibrated
        assert not CubeInput(6, None, "none", basis=4).calibrated


def of_deviations(*deviations):
    """Two slices, the one as far above the channels' means as the other is below."""
    return torch.tensor([deviations, [-one for one in deviations]])


class TestScaleFloor:
    def test_it_is_a_share_of_the_root_mean_square(self):
        module = CubeInput(3, None, standardise="scale", scale_floor=0.1)
        module.calibrate([of_deviations(3.0, 4.0, 0.001)])
        typical = ((9 + 16 + 1e-6) / 3) ** 0.5
        expected = torch.tensor([3.0, 4.0, 0.1 * typical])
        torch.testing.assert_close(module.deviation, expected)

    def test_what_is_silent_in_training_stays_small_elsewhere(self):
        training, elsewhere = of_deviations(3.0, 4.0, 0.001), of_deviations(3.0, 4.0, 2.0)
        largest = []
        for floor in (0.0, 0.1):
            module = CubeInput(3, None, standardise="scale", scale_floor=floor)
            module.calibrate([training])
            largest.append(module(elsewhere).abs().max().item())
        assert largest == pytest.approx([2000, 2 / (0.1 * (25 / 3) ** 0.5)], rel=1e-3)

    def test_above_all_deviations_it_is_centring(self):
        cubes = correlated_cubes()
        held, centred = (
            CubeInput(6, 3, standardise=kind, scale_floor=50.0) for kind in ("scale", "centre")
        )
        for module in (held, centred):
            module.calibrate([cubes])
        torch.testing.assert_close(held(cubes), centred(cubes), rtol=0, atol=1e-4)


@pytest.mark.parametrize("standardise", ["none", "centre", "scale"])
@pytest.mark.parametrize("projection", [None, 3])
def test_a_channel_that_never_fires_stays_zero(projection, standardise):
    cubes = correlated_cubes()
    cubes[..., 2] = 0.0
    module = CubeInput(6, projection, standardise)
    module.calibrate([cubes])
    assert torch.isfinite(module(cubes)).all()
    silent = CubeInput(6, projection, standardise)
    silent.calibrate([torch.zeros(5, 6)])
    assert not silent(torch.zeros(2, 6)).any()


def test_raw_cubes_pass_and_need_no_calibration():
    cubes = correlated_cubes()
    module = CubeInput(6, None, standardise="none")
    assert bool(module.calibrated)
    assert module(cubes) is cubes


def test_no_cubes_are_named():
    with pytest.raises(ValueError, match="at least two feature slices"):
        CubeInput(6, 3, standardise="scale").calibrate([])


@pytest.mark.parametrize(
    ("projection", "standardise"), [(2, "scale"), (2, "centre"), (2, "none"), (None, "scale")]
)
@pytest.mark.parametrize("basis", [None, 2])
def test_gradcheck(passes_gradcheck, projection, standardise, basis):
    part = CubeInput(3, projection, standardise, basis=basis)
    part.calibrate([torch.rand(20, 3) + 1])
    assert passes_gradcheck(part, torch.randn(2, 1, 2, 2, 3))


@pytest.mark.parametrize("basis", [None, 6])
def test_products_in_bfloat16_are_near_also_where_means_are_large(basis):
    part = CubeInput(channels=8, projection=3, standardise="centre", basis=basis)
    cubes = 500 + torch.randn(40, 2, 2, 8, generator=torch.Generator().manual_seed(0))
    part.calibrate([cubes])
    for exact, rounded in (
        (part(cubes), part(cubes, torch.bfloat16)),
        (
            part.project(part.reduce(cubes)),
            part.project(part.reduce(cubes), torch.bfloat16),
        ),
    ):
        assert rounded.dtype == torch.float32
        assert not torch.equal(exact, rounded)
        assert (exact - rounded).norm() < 0.01 * exact.norm()
    assert torch.equal(part(cubes), part(cubes, torch.float32))
