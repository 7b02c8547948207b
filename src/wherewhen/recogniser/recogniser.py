"""The recogniser: backbone, network, metric and calibration as one thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from tqdm.auto import tqdm

from wherewhen import pretrained
from wherewhen.devices import usable_device
from wherewhen.features.frames import cubes_of_frames
from wherewhen.features.pooling import mean_pooled
from wherewhen.model.encode import encode_tracklets
from wherewhen.model.threads import torch_threads
from wherewhen.recogniser.frames import frames_in
from wherewhen.tracklets.clips import test_window
from wherewhen.tracklets.cubes import ArrayCubes, CubeReader
from wherewhen.tracklets.threads import in_threads, processors
from wherewhen.tracklets.windows import Window

if TYPE_CHECKING:
    from wherewhen.features.backbones import Backbone
    from wherewhen.features.domain import CubeStatistics
    from wherewhen.features.weights import WeightsSource
    from wherewhen.model.siamese import SiameseNetwork
    from wherewhen.pretrained.card import Calibration, Card

COSINE = "cosine"
"""The distance that needs no learning."""

UNLIKE = 0.5
"""Difference of footage from that of the training beyond which it is unlike it: a medium effect by
J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988. ``docs/how-to/search.md``
has what was measured."""

AT_ONCE = 128
"""Tracklets whose cubes are in memory at once: 2 GB of 128 frames of the shipped backbone."""

MOST_READERS = 8
"""Threads that read cubes."""

Tracklet = Any
"""What `frames_in` takes."""


class Comparison(NamedTuple):
    """How alike two tracklets are."""

    distance: float
    """By the recogniser's metric; smaller is more alike."""
    probability: float
    """That both show one person, if pairs of one person and of two were equally frequent; as
    calibrated on the people of the model's card."""


class Description(NamedTuple):
    """What a recogniser makes of N tracklets.

    Attributes
    ----------
    embeddings : numpy.ndarray, float32 [N, E]
        The network's.
    means : numpy.ndarray, float32 [N, D]
        Mean activations of the frames that were looked at: `Recogniser.difference` takes them.
    """

    embeddings: NDArray[np.float32]
    means: NDArray[np.float32]


class Look(NamedTuple):
    """Where and when the network looks in T frames.

    Attributes
    ----------
    attention : numpy.ndarray, float32 [T, H, W]
        The attention map of each frame (Eq 3), which sums to 1.
    frame_weights : numpy.ndarray, float32 [T]
        The weight of each frame (Eq 6); their sum is 1.
    """

    attention: NDArray[np.float32]
    frame_weights: NDArray[np.float32]


class Recogniser:
    """Embeds tracklets and tells how alike they are.

    Parameters
    ----------
    card : wherewhen.pretrained.Card
        What the model learned from, its thresholds and its limits.
    build_backbone : callable
        Builds the `Backbone` that makes cubes of frames, as the card says; called when frames are
        first looked at.
    network : wherewhen.model.siamese.SiameseNetwork
        Embeds cubes.
    metrics : mapping of str to sklearn.pipeline.Pipeline
        Metrics learned on its embeddings.
    statistics : wherewhen.features.domain.CubeStatistics
        Of the cubes that it learned from.
    metric : str, optional
        ``cosine``, or a name of `metrics`; None: the card's.

    Attributes
    ----------
    metric : str
        The distance.

    See Also
    --------
    wherewhen.pretrained : The folder that `from_pretrained` reads.

    Examples
    --------
    >>> import numpy as np
    >>> recogniser = Recogniser.from_pretrained("wherewhen")
    >>> frames = np.random.default_rng(0).integers(0, 256, (2, 128, 64, 3), dtype=np.uint8)
    >>> recogniser.embed([frames]).shape == (1, recogniser.network.embedding_size)
    True
    >>> recogniser.compare(frames, frames).distance
    0.0
    """

    def __init__(
        self,
        card: Card,
        build_backbone: Callable[[], Backbone],
        network: SiameseNetwork,
        metrics: dict[str, Any],
        statistics: CubeStatistics,
        metric: str | None = None,
    ) -> None:
        self.card = card
        self._build_backbone = build_backbone
        self.network = network
        self.statistics = statistics
        self.metric = metric or card.metric
        self.calibration: Calibration = card.calibration(self.metric)
        self._learned = None if self.metric == COSINE else metrics[self.metric]

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path = pretrained.SHIPPED,
        metric: str | None = None,
        device: str = "auto",
        weights: WeightsSource | None = None,
    ) -> Self:
        """Read a model's folder; no code of the folder is run.

        The backbone is built when frames are first looked at (`ready_for_frames`).

        Parameters
        ----------
        source : str or Path
            The folder of a model, from a run or `kedro publish`; ``wherewhen``: the one of this
            package; or an address in MLflow: ``models:/NAME@champion``, ``models:/NAME/3``,
            ``runs:/ID/trial_00``.
        metric : str, optional
            The distance: ``cosine`` or one of the card's metrics; None: the card's.
        device : str
            Where backbone and network compute: ``cpu``, ``cuda``, or ``auto``.
        weights : WeightsSource, optional
            Where the backbone's weights are; None: in an installed package.

        Raises
        ------
        wherewhen.pretrained.PretrainedError
            If there is no such model, it is damaged, or it lacks the metric.
        """
        folder = pretrained.folder_of(source)
        card = pretrained.load_card(folder)
        device = usable_device(device)
        return cls(
            card,
            partial(pretrained.load_backbone, folder, device, weights),
            pretrained.load_network(folder).to(device),
            pretrained.load_metrics(folder),
            pretrained.load_statistics(folder),
            metric,
        )

    @cached_property
    def backbone(self) -> Backbone:
        """Makes cubes of frames.

        Raises
        ------
        wherewhen.pretrained.PretrainedError
            If its weights are others than those of the training.
        wherewhen.features.checkpoint_files.WeightsError
            If its weights can't be had.
        """
        return self._build_backbone()

    def ready_for_frames(self) -> Self:
        """Build the backbone now, and not with the first frames; raises as `backbone`."""
        _ = self.backbone
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """What vectors of `project` depend on: files of the model, and the distance."""
        return {
            "network": self.card.files[pretrained.card.NETWORK],
            "metrics": self.card.files[pretrained.card.METRICS],
            "backbone": self.card.cubes["backbone"]["weights"]["sha256"],
            "metric": self.metric,
        }

    def cubes(self, tracklets: Sequence[Tracklet], progress: bool = False) -> CubeReader:
        """Make the cubes of tracklets in memory, 125 KB a frame for the shipped backbone.

        Parameters
        ----------
        tracklets : sequence
            N tracklets, each as `frames_in` takes it.
        progress : bool
            Show a progress bar (tracklets).

        Returns
        -------
        wherewhen.tracklets.cubes.CubeReader
            Tracklets are called ``0`` to ``N - 1``.

        Raises
        ------
        FileNotFoundError, ValueError
            As `frames_in`, naming the tracklet by its number if it is no path.
        """
        batch = self.card.cubes["batch_size"]

        def make(tracklet: Tracklet) -> NDArray[np.float16]:
            return cubes_of_frames(self.backbone, frames_in(tracklet), batch)

        workers = processors() if self.backbone.device.type == "cpu" else 1
        with torch_threads(1):
            made = in_threads(make, tracklets, workers, ahead=2 * workers)
            shown = tqdm(
                made, total=len(tracklets), desc="cubes", unit="tracklet", disable=not progress
            )
            return ArrayCubes({str(number): cubes for number, cubes in enumerate(shown)})

    def embed(
        self, tracklets: Sequence[Tracklet], role: str = "probe", progress: bool = False
    ) -> NDArray[np.float32]:
        """Embed tracklets.

        Parameters
        ----------
        tracklets : sequence
            N tracklets, each as `frames_in` takes it.
        role : {"probe", "gallery"}
            Of a long probe the first frames are looked at, of a gallery tracklet the last (Section
            V-C); the card says how many.
        progress : bool
            Show progress bars.

        Returns
        -------
        numpy.ndarray, float32 [N, E]
            The network's embeddings; `project` makes vectors of them whose distances count.

        Raises
        ------
        FileNotFoundError, ValueError
            As `frames_in`.
        """
        if not len(tracklets):
            return np.empty((0, self.network.embedding_size), np.float32)
        return self.describe(self.cubes(tracklets, progress), role, progress=progress).embeddings

    def describe(
        self,
        cubes: CubeReader,
        role: str = "gallery",
        frames: int | None = None,
        progress: bool = False,
    ) -> Description:
        """Embed tracklets whose cubes are kept, or made when they are read.

        Parameters
        ----------
        cubes : wherewhen.tracklets.cubes.CubeReader
            Of N tracklets, prepared as the card says.
        role : {"probe", "gallery"}
            See `embed`.
        frames : int, optional
            The most frames of a tracklet that are looked at; None: the card's.
        progress : bool
            Show a progress bar (tracklets).

        Returns
        -------
        Description
            In the order of the reader's tracklets.
        """
        limit = frames or self.card.frames
        windows = [
            Window(name, *test_window(length, limit, role))
            for name, length in cubes.lengths.items()
        ]
        workers = min(processors(), MOST_READERS)
        embeddings, means = [], []
        with tqdm(total=len(windows), desc="embed", unit="tracklet", disable=not progress) as bar:
            for start in range(0, len(windows), AT_ONCE):
                part = windows[start : start + AT_ONCE]
                read = dict(
                    zip(
                        (window.tracklet for window in part),
                        in_threads(cubes.read, part, workers, ahead=2 * workers),
                        strict=True,
                    )
                )
                means += [mean_pooled(each) for each in read.values()]
                inside = ArrayCubes(read)
                whole = [inside.whole(name) for name in read]
                embeddings.append(encode_tracklets(self.network, inside, whole, 16, False))
                bar.update(len(part))
        return Description(
            np.concatenate([each.embeddings for each in embeddings]), np.stack(means)
        )

    def look(self, tracklet: Tracklet) -> Look:
        """Say where and when the network looks in a tracklet.

        Parameters
        ----------
        tracklet
            As `frames_in` takes it. All of its frames are looked at; `embed` takes some of a long
            one (`wherewhen.tracklets.clips.test_window`).

        Raises
        ------
        FileNotFoundError, ValueError
            As `frames_in`.
        """
        cubes = self.cubes([tracklet])
        whole = [cubes.whole(name) for name in cubes.lengths]
        seen = encode_tracklets(self.network, cubes, whole, progress=False, attention=True)
        return Look(seen.attention[0], seen.frame_weights[0])

    def project(self, embeddings: ArrayLike) -> NDArray[np.float64]:
        """Map embeddings [N, E] to vectors [N, F] whose Euclidean distances rank as `distances`.

        For the cosine these are vectors of length 1.
        """
        embeddings = np.asarray(embeddings, dtype=np.float64)
        if self._learned is not None:
            return self._learned.transform(embeddings)
        return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)

    def from_euclidean(self, distances: ArrayLike) -> NDArray[np.float64]:
        """Turn Euclidean distances of projected vectors into distances by the metric."""
        distances = np.asarray(distances, dtype=np.float64)
        return distances**2 / 2 if self.metric == COSINE else distances

    def distances(self, probes: ArrayLike, gallery: ArrayLike) -> NDArray[np.float64]:
        """Compute distances [P, G] of embeddings [P, E] and [G, E] by the recogniser's metric."""
        return self.from_euclidean(cdist(self.project(probes), self.project(gallery)))

    def probability(self, distances: ArrayLike) -> NDArray[np.float64]:
        """Turn distances into probabilities; see `Comparison.probability`."""
        return self.calibration.probability(distances)

    def compare(self, left: Tracklet, right: Tracklet) -> Comparison:
        """Compare two tracklets, each as `frames_in` takes it."""
        [[distance]] = self.distances(self.embed([left]), self.embed([right], role="gallery"))
        return Comparison(float(distance), float(self.probability(distance)))

    def rank(
        self,
        probe: Tracklet,
        gallery: Sequence[Tracklet],
        top: int | None = None,
        progress: bool = False,
    ) -> pd.DataFrame:
        """Rank tracklets by how alike they are to a probe.

        Parameters
        ----------
        probe, gallery
            A tracklet and a sequence of them, each as `frames_in` takes it.
        top : int, optional
            Ranks that are returned; None: all.
        progress : bool
            Show progress bars.

        Returns
        -------
        pandas.DataFrame
            Columns ``rank`` (from 1), ``gallery`` (the place in the given sequence, from 0),
            ``distance`` and ``probability``, the nearest first.

        Raises
        ------
        FileNotFoundError, ValueError
            As `frames_in`; or if there is no gallery.
        """
        if not len(gallery):
            raise ValueError("gallery: expected at least one tracklet, got none")
        embedded = self.embed(gallery, role="gallery", progress=progress)
        [distances] = self.distances(self.embed([probe]), embedded)
        nearest = np.argsort(distances, kind="stable")[:top]
        return pd.DataFrame(
            {
                "rank": np.arange(1, len(nearest) + 1),
                "gallery": nearest,
                "distance": distances[nearest],
                "probability": self.probability(distances[nearest]),
            }
        )

    def difference(self, means: ArrayLike) -> float:
        """Measure how far footage [N, D] is from that of the training.

        See `wherewhen.features.domain.CubeStatistics.difference`. Beyond `UNLIKE`, probabilities
        and thresholds were calibrated on other footage than this.
        """
        return self.statistics.difference(means)
