"""Base of FV2D, FV3D and STFV3D: local descriptors encoded by Fisher vectors.

A subclass says where descriptors are taken and to which regions they belong. A mixture of Gaussians
is fitted to each region's descriptors of training persons, and a clip becomes the concatenated
Fisher vectors of the regions. The Fisher vector is that of Eq 10 (`wherewhen.model.fisher_vector`),
with signed square roots and length 1 (Perronnin et al., "Improving the Fisher Kernel for
Large-Scale Image Classification", ECCV 2010) for each region, so that all have the same weight.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from sklearn.exceptions import NotFittedError

from wherewhen.baselines.base import Baseline, Clip
from wherewhen.baselines.pixels import SIZE, to_size
from wherewhen.model.fisher_vector import FisherVector


@dataclass(eq=False, kw_only=True)
class FisherBaseline(Baseline):
    """A baseline that encodes local descriptors by Fisher vectors.

    Parameters
    ----------
    size : (int, int)
        Width and height to which frames are resized.
    components : int
        Gaussians a region.
    samples : int
        Approximate number of descriptors of a region to which its mixture is fitted.
    fit_clips : int
        The most training clips, drawn, that `fit` reads.
    improved : bool
        Take signed square roots and normalise to length 1, region by region.
    seed : int
        Of the draws and of the mixtures' initialisation.

    See Also
    --------
    wherewhen.baselines.fv2d.FV2D : Pixels of images.
    wherewhen.baselines.fv3d.FV3D : Histograms of gradients of walk cycles.
    wherewhen.baselines.stfv3d.STFV3D : Pixels of body parts in phases of walk cycles.

    Examples
    --------
    >>> class Pixels(FisherBaseline):
    ...     def descriptors(self, frames):  # each frame is a fragment of one region
    ...         return [[frame.reshape(-1, 3) / 255] for frame in frames]
    >>> frames = np.random.default_rng(0).integers(0, 256, (4, 128, 64, 3), dtype=np.uint8)
    >>> clip = Clip("a/1", "1", "a", lambda: frames)
    >>> Pixels(components=2).fit([clip]).describe(frames).shape  # 2 x components x D
    (12,)
    """

    size: tuple[int, int] = SIZE
    components: int = 16
    samples: int = 4000
    fit_clips: int = 100
    improved: bool = True
    seed: int = 0
    _regions: list[_Region] = field(init=False, repr=False, default_factory=list)

    @abstractmethod
    def descriptors(self, frames: np.ndarray) -> list[list[np.ndarray]]:
        """Compute local descriptors of frames, uint8 [T, height, width, 3] of `size`, in RGB.

        They are float [N, D], by fragment (an image, a walk cycle) and region. Every fragment has
        the same regions; some may be empty.
        """

    def fit(self, clips: Sequence[Clip]) -> Self:
        """Fit a mixture of Gaussians to each region's descriptors of training persons.

        Raises
        ------
        ValueError
            If there are no clips, or fewer descriptors than components.
        """
        if not clips:
            raise ValueError("no clips of training persons to fit the mixtures to")
        generator = np.random.default_rng(self.seed)
        drawn = sorted(generator.permutation(len(clips))[: self.fit_clips])
        share = -(-self.samples // len(drawn))
        taken = [self._sample(clips[index], share, generator) for index in drawn]
        self._regions = [
            self._region(np.concatenate(region)) for region in zip(*taken, strict=True)
        ]
        return self

    def describe(self, frames: np.ndarray) -> np.ndarray:
        """Mean of the fragments' Fisher vectors, by region: float64 [regions 2 components D].

        Where a region of a fragment is empty, its Fisher vector is 0.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the mixtures are not fitted.
        """
        if not self._regions:
            raise NotFittedError(f"{type(self).__name__}: fit to clips of training persons first")
        by_region = zip(*self.descriptors(to_size(frames, self.size)), strict=True)
        return np.concatenate(
            [
                region.encode(fragments)
                for region, fragments in zip(self._regions, by_region, strict=True)
            ]
        )

    def _sample(self, clip: Clip, share: int, generator: np.random.Generator) -> list[np.ndarray]:
        """Draw at most `share` descriptors of each region from all fragments of a clip."""
        fragments = self.descriptors(to_size(clip.frames(), self.size))
        regions = [np.concatenate(region) for region in zip(*fragments, strict=True)]
        return [generator.permutation(region)[:share] for region in regions]

    def _region(self, descriptors: np.ndarray) -> _Region:
        if len(descriptors) < self.components:
            raise ValueError(
                f"components: {self.components} Gaussians asked of {len(descriptors)} descriptors "
                f"of a region; choose fewer, or show more or longer training clips"
            )
        mean, deviation = descriptors.mean(0), descriptors.std(0)
        deviation[deviation == 0] = 1.0
        encoder = FisherVector(self.components, improved=self.improved, random_state=self.seed)
        return _Region(mean, deviation, encoder.fit([(descriptors - mean) / deviation]))


@dataclass(frozen=True)
class _Region:
    """Mixture of a region's descriptors, standardised for the k-means that initialises it."""

    mean: np.ndarray
    deviation: np.ndarray
    encoder: FisherVector

    def encode(self, fragments: Sequence[np.ndarray]) -> np.ndarray:
        """Mean of the fragments' Fisher vectors; that of an empty fragment is 0."""
        scaled = [
            (fragment - self.mean) / self.deviation for fragment in fragments if len(fragment)
        ]
        if not scaled:
            return np.zeros(self.encoder.size_)
        return self.encoder.transform(scaled).sum(0) / len(fragments)
