"""Tracks of the people in a video, by ByteTrack.

References
----------
Y. Zhang, P. Sun, Y. Jiang, D. Yu, F. Weng, Z. Yuan, P. Luo, W. Liu, X. Wang: ByteTrack:
multi-object tracking by associating every detection box, ECCV 2022.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from wherewhen.tracklets.ingest import IngestError
from wherewhen.tracklets.mot_files import write_boxes
from wherewhen.tracklets.videos import picture_times, video_pictures, why_unreadable

if TYPE_CHECKING:
    from PIL import Image

PICTURES = 10
"""Pictures a second that are looked at, about: of a video of 25, every second or third."""

LEAST_CONFIDENCE = 0.1
"""Detections below are not tracked (ByteTrack, Section 4.1)."""

SHORTEST = 5
"""Pictures that a track has to be seen in: half a second."""

VERSION = 1
"""Of this way of tracking."""

Box = tuple[int, int, float, float, float, float, float]
"""Frame from 1, track, left, top, width, height (pixels), confidence."""

Detect = Callable[["Image.Image"], NDArray[np.float64]]
"""What `wherewhen.detection.Detector` does."""


def tracker_identity() -> dict[str, Any]:
    """Return what tracks depend on beside the detector."""
    return {
        "tracker": f"ByteTrack of trackers {importlib.metadata.version('trackers')}",
        "version": VERSION,
        "pictures_per_second": PICTURES,
        "least_confidence": LEAST_CONFIDENCE,
        "shortest": SHORTEST,
    }


def track_people(video: Path, detect: Detect, to: Path, progress: bool = True) -> int:
    """Find and follow the people in a video, and write their boxes.

    Parameters
    ----------
    video : Path
        Decoded one picture at a time.
    detect : callable
        Returns the people in a picture (`Detector`).
    to : Path
        The file of boxes, written whole or not at all.
    progress : bool
        Show a progress bar (pictures).

    Returns
    -------
    int
        How many tracks were found.

    Raises
    ------
    IngestError
        If nobody is found, or the video can't be decoded.
    """
    from trackers import ByteTrackTracker

    times = picture_times(video)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    stride = max(1, round(1 / PICTURES / step)) if step else 1
    numbers = range(0, len(times), stride)
    tracker = ByteTrackTracker(frame_rate=1 / (stride * step) if step else PICTURES)
    boxes: list[Box] = []
    for number, picture in _pictures(video, numbers, progress):
        boxes += _followed(tracker, number + 1, detect(picture))
    lengths = Counter(track for _, track, *_ in boxes)
    boxes = [box for box in boxes if lengths[box[1]] >= SHORTEST]
    if not boxes:
        raise IngestError(
            f"{video}: nobody was found in {len(numbers)} pictures. Another detector may find "
            "people, or give boxes of a tracker of your own"
        )
    write_boxes(to, boxes)
    return len({box[1] for box in boxes})


def _pictures(
    video: Path, numbers: Sequence[int], progress: bool
) -> Iterator[tuple[int, Image.Image]]:
    """Decode the pictures that are looked at; an error says after which frame it came."""
    title = f"people in {video.name}"
    number = -1
    with tqdm(total=len(numbers), desc=title, unit="picture", disable=not progress) as bar:
        try:
            for number, picture in video_pictures(video, numbers):
                if picture is not None:
                    yield number, picture
                    bar.update()
        except Exception as error:  # what a decoder raises on broken bytes differs by format
            why = why_unreadable(video, error)
            raise IngestError(f"{video}: {why} after frame {number + 1}") from error


def _followed(tracker: Any, frame: int, found: NDArray[np.float64]) -> list[Box]:
    """Give the people of a picture to the tracker, and return those of confirmed tracks."""
    import supervision

    found = found[found[:, 4] >= LEAST_CONFIDENCE]
    seen = tracker.update(supervision.Detections(xyxy=found[:, :4], confidence=found[:, 4]))
    return [
        (frame, int(track), left, top, right - left, bottom - top, confidence)
        for (left, top, right, bottom), confidence, track in zip(
            seen.xyxy.tolist(), seen.confidence.tolist(), seen.tracker_id, strict=True
        )
        if track >= 0
    ]
