"""Standardisation, PCA basis and 1x1 projection of the backbone's cubes."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class CubeInput(nn.Module):
    """Standardises the channels of cubes and projects every feature slice X(t, i) of Eq 1.

    Together they are one affine map of cubes, so the standardised cubes are never stored. With a
    basis it has two parts: `reduce`, which no training changes, and `project`, which is learned.

    Parameters
    ----------
    channels : int
        Channels D of the cubes.
    projection : int or None
        Channels of the projection; None leaves the D channels.
    standardise : {"none", "centre", "scale"}
        Leave the channels as they are; subtract their means and divide all by the root mean square
        of their deviations; or divide each by its own deviation.
    scale_floor : float
        Least deviation to divide by with ``scale``, as a share of that root mean square. It
        follows the strong channels, for silent ones add next to nothing to a mean of squares.
    basis : int or None
        Components B of a frozen PCA before the projection; None for none.

    Examples
    --------
    >>> part = CubeInput(channels=16, projection=4, standardise="scale")
    >>> part.calibrate([torch.rand(50, 7, 7, 16)])
    >>> part(torch.rand(2, 5, 7, 7, 16)).shape
    torch.Size([2, 5, 7, 7, 4])

    See Also
    --------
    wherewhen.model.siamese.SiameseNetwork : Has one as its input.
    """

    def __init__(
        self,
        channels: int,
        projection: int | None,
        standardise: str,
        scale_floor: float = 0.0,
        basis: int | None = None,
    ) -> None:
        super().__init__()
        for name, asked in (("basis", basis), ("projection", projection)):
            if asked is not None and asked > channels:
                raise ValueError(
                    f"{name}: {asked} channels asked of cubes that have {channels}; "
                    f"choose at most {channels}, or null for no {name}"
                )
        self.in_channels = channels
        self.reduced_channels = basis or channels
        self.channels = projection or self.reduced_channels
        self.standardise = standardise
        self.scale_floor = scale_floor
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.register_buffer("basis", None if basis is None else torch.eye(basis, channels))
        ready = standardise == "none" and basis is None and projection is None
        self.register_buffer("calibrated", torch.tensor(ready))
        self.weight: nn.Parameter | None = None
        if projection is not None:
            self.weight = nn.Parameter(torch.empty(projection, self.reduced_channels))
            nn.init.orthogonal_(self.weight)

    def forward(self, cubes: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return inputs ``[..., C]`` of cubes ``[..., D]``, in the dtype of the parameters.

        Parameters
        ----------
        cubes : Tensor
            Of any floating dtype.
        dtype : torch.dtype, optional
            What products are computed in; None: the dtype of the parameters.
        """
        if self.basis is None:
            return self.project(cubes, dtype)
        matrix = self.basis if self.weight is None else self.weight @ self.basis
        return self._product(cubes, matrix, dtype)

    def reduce(self, cubes: Tensor) -> Tensor:
        """Return reduced cubes ``[..., B]`` of cubes ``[..., D]``; without a basis these cubes."""
        return cubes if self.basis is None else _affine(cubes, *self.reduction())

    def reduction(self) -> tuple[Tensor, Tensor]:
        """Return the matrix ``[B, D]`` and the offset ``[B]`` by which `reduce` maps cubes."""
        return self._of_cubes(self.basis)

    def project(self, cubes: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return inputs ``[..., C]`` of reduced cubes ``[..., B]``; arguments as of `forward`."""
        if self.basis is not None and self.weight is not None:
            return _rounded(cubes, self.weight, dtype)
        cubes = cubes.to(self.mean.dtype)
        if self.basis is not None:
            return cubes
        if self.weight is not None:
            return self._product(cubes, self.weight, dtype)
        if self.standardise == "none":
            return cubes
        return (cubes - self.mean) / self.deviation

    def _product(self, cubes: Tensor, matrix: Tensor, dtype: torch.dtype | None) -> Tensor:
        """Map cubes by a matrix ``[C, D]`` for standardised cubes."""
        if dtype in (None, matrix.dtype):
            return _affine(cubes, *self._of_cubes(matrix))
        # centred before they are rounded: a large mean would leave few digits to what differs
        return _rounded(cubes.to(self.mean.dtype) - self.mean, matrix / self.deviation, dtype)

    def _of_cubes(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Turn a matrix ``[C, D]`` for standardised cubes into matrix and offset for cubes."""
        matrix = matrix / self.deviation
        return matrix, -(matrix @ self.mean)

    @torch.no_grad()
    def calibrate(self, cubes: Iterable[Tensor]) -> None:
        """Estimate statistics and basis, and start the projection as PCA, from cubes ``[..., D]``.

        The components of each are orthonormal up to one common factor, which brings the mean
        variance of what they give to 1, so that the first components do not saturate the gates.
        They are not whitened.
        """
        pca = self.basis is not None or self.weight is not None
        count, total, products = 0, 0.0, 0.0
        for portion in cubes:
            if portion.shape[-1] != self.in_channels:
                raise ValueError(
                    f"calibrate: cubes have {portion.shape[-1]} channels, the network "
                    f"{self.in_channels}"
                )
            slices = portion.reshape(-1, self.in_channels).to(torch.float64)
            count += len(slices)
            total = total + slices.sum(0)
            products = products + (slices.T @ slices if pca else slices.square().sum(0))
        if count < 2:
            raise ValueError("calibrate: at least two feature slices are needed, none were given")
        mean = total / count
        variance = (products.diagonal() if pca else products) / count
        divisors = self._divisors((variance - mean.square()).clamp_min(0))
        if self.standardise != "none":
            self.mean.copy_(mean)
            self.deviation.copy_(divisors)
        if pca:
            covariance = products / count - torch.outer(mean, mean)
            covariance = covariance / torch.outer(divisors, divisors)
            if self.basis is not None:
                basis = _principal_components(covariance, self.reduced_channels)
                self.basis.copy_(basis)
                covariance = basis @ covariance @ basis.T
            if self.weight is not None:
                self.weight.copy_(_principal_components(covariance, self.channels))
        self.calibrated.fill_(True)

    def _divisors(self, variance: Tensor) -> Tensor:
        """Return what channels of such variances ``[D]`` are divided by."""
        if self.standardise == "none":
            return torch.ones_like(variance)
        typical = variance.mean().sqrt()
        if self.standardise == "centre":
            divisors = typical.expand_as(variance)
        else:
            divisors = variance.sqrt().clamp_min(self.scale_floor * typical)
        # a channel that is always 0 stays 0
        return torch.where(divisors > 1e-6 * divisors.max(), divisors, 1.0)


def _affine(cubes: Tensor, matrix: Tensor, offset: Tensor | None = None) -> Tensor:
    return nn.functional.linear(cubes.to(matrix.dtype), matrix, offset)


def _rounded(cubes: Tensor, matrix: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Multiply in a dtype, and return the matrix's."""
    dtype = dtype or matrix.dtype
    return nn.functional.linear(cubes.to(dtype), matrix.to(dtype)).to(matrix.dtype)


def _principal_components(covariance: Tensor, count: int) -> Tensor:
    """Leading eigenvectors ``[count, D]``, scaled alike to a mean variance of 1."""
    variances, vectors = torch.linalg.eigh(covariance)
    components = vectors[:, -count:].flip(1).T
    largest = components.gather(1, components.abs().argmax(1, keepdim=True))
    scale = variances[-count:].clamp_min(0).mean().clamp_min(1e-12).rsqrt()
    return components * largest.sign() * scale  # the sign of an eigenvector is arbitrary: fix it
