"""Local descriptors encoded by Fisher vectors: what FV2D, FV3D and STFV3D have in common.

Each says where descriptors are taken and in which regions they belong; here a mixture of Gaussians
is fitted to each region's descriptors of training persons, and a clip becomes the regions' Fisher
vectors, side by side. The Fisher vector is Eq 10's (`wherewhen.model.fisher_vector`), with signed
square roots and length 1 (Perronnin et al., "Improving the Fisher Kernel for Large-Scale Image
Classification", ECCV 2010), region by region, so that each weighs alike.
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
    size
        Width and height to which frames are brought.
    components
        Gaussians a region.
    samples
        About as many descriptors a region as its mixture is fitted to.
    fit_clips
        At most so many training clips, drawn, does fitting look at.
    improved
        Signed square roots and length 1 for each region's vector.
    seed
        Of what is drawn, and of the mixtures' start.
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
        """Take local descriptors.

        Parameters
        ----------
        frames
            uint8, [T, height, width, 3], RGB, of `size`.

        Returns
        -------
        list of list of numpy.ndarray
            By fragment (an image, a walk cycle) and region: float, [N, D]. Every fragment has the
            same regions; one may be empty.
        """

    def fit(self, clips: Sequence[Clip]) -> Self:
        """Fit a mixture of Gaussians to each region's descriptors.

        Parameters
        ----------
        clips
            Clips of training persons.

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
        """Average fragments' Fisher vectors, region by region: [regions x 2 x components x D].

        A region that a fragment has no pixels in is 0 there.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the mixtures have not been fitted.
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
        """Draw at most `share` descriptors of each region, from all fragments of a clip."""
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
        encoder = FisherVector(self.components, improved=self.improved, random_state=self.seed).fit(
            [(descriptors - mean) / deviation]
        )
        return _Region(mean, deviation, encoder)


@dataclass(frozen=True)
class _Region:
    """Gaussians of a region's descriptors, all entries in one scale: k-means starts them."""

    mean: np.ndarray
    deviation: np.ndarray
    encoder: FisherVector

    def encode(self, fragments: Sequence[np.ndarray]) -> np.ndarray:
        """Average Fisher vectors over fragments; of one without pixels it is 0."""
        scaled = [
            (fragment - self.mean) / self.deviation for fragment in fragments if len(fragment)
        ]
        if not scaled:
            return np.zeros(self.encoder.size_)
        return self.encoder.transform(scaled).sum(0) / len(fragments)
