"""Answers to requests from elsewhere: encoded pictures in, plain values out, within limits.

Nothing of a request is trusted: every limit is checked before the work that it bounds.

See Also
--------
wherewhen.mlflow_model : Serves these answers over HTTP.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from wherewhen.hints import did_you_mean
from wherewhen.pretrained import PretrainedError
from wherewhen.recogniser.frames import Frame, frame_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wherewhen.recogniser.recogniser import Recogniser

MOST_TRACKLETS = 64
"""In a request."""

MOST_FRAMES = 256
"""Of a tracklet."""

MOST_FRAMES_TOGETHER = 2048
"""In a request: 256 MB of cubes of the shipped backbone."""

MOST_BYTES = 4 * 2**20
"""Of an encoded picture."""

MOST_PIXELS = 4_000_000
"""Of a picture: a small file may hold a large one."""

MOST_PIXELS_TOGETHER = 64_000_000
"""In a request: 192 MB."""

LONGEST_NAME = 200
"""Characters of a tracklet's name."""

COLUMNS = ("tracklet", "role", "frames")
ROLES = ("probe", "gallery")


class RequestError(ValueError):
    """A request that can't be answered; the message says why."""


class Sent(NamedTuple):
    """A tracklet of a request."""

    name: str
    role: str
    frames: list[Frame]


def answer(
    recogniser: Recogniser, request: pd.DataFrame, false_match_rate: float | None = None
) -> pd.DataFrame:
    """Embed the tracklets of a request, and rank its gallery for each of its probes.

    Parameters
    ----------
    recogniser : Recogniser
        The model.
    request : pandas.DataFrame
        A row for each tracklet: ``tracklet``, its name; ``role``, ``probe`` or ``gallery``;
        ``frames``, a list of pictures in order, each a PNG, JPEG or BMP file in base64.
    false_match_rate : float, optional
        One of the rates of the model's card, at which pairs are matches; None: no pair is judged.

    Returns
    -------
    pandas.DataFrame
        A row for each row of the request: ``tracklet``, ``role``; ``embedding``, E numbers;
        ``ranking``, of a probe the tracklets of the gallery, the nearest first, as mappings with
        ``rank``, ``tracklet``, ``distance``, ``probability`` and ``match`` (None if not judged),
        of a gallery tracklet empty; ``difference``, how far the request's footage is from that of
        the training (`Recogniser.difference`).

    Raises
    ------
    RequestError
        If the request is malformed or beyond a limit, a picture is no frame (see
        `wherewhen.recogniser.frames.frames_in`), or the card has no threshold at the rate.
    """
    threshold = _threshold(recogniser, false_match_rate)
    sent = list(_tracklets(request))
    embeddings, difference = _embed(recogniser, sent)
    of = {role: [row for row, each in enumerate(sent) if each.role == role] for role in ROLES}
    rankings: dict[int, list[dict[str, Any]]] = {row: [] for row in of["gallery"]}
    names = [sent[row].name for row in of["gallery"]]
    for row in of["probe"]:
        rankings[row] = []
        if names:
            [distances] = recogniser.distances(embeddings[[row]], embeddings[of["gallery"]])
            rankings[row] = list(_ranking(recogniser, names, distances, threshold))
    return pd.DataFrame(
        {
            "tracklet": [each.name for each in sent],
            "role": [each.role for each in sent],
            "embedding": embeddings.tolist(),
            "ranking": [rankings[row] for row in range(len(sent))],
            "difference": difference,
        }
    )


def _threshold(recogniser: Recogniser, rate: float | None) -> float | None:
    if rate is None:
        return None
    try:
        return recogniser.calibration.threshold(rate).distance
    except PretrainedError as error:
        raise RequestError(f"false_match_rate: {error}") from error


def _embed(recogniser: Recogniser, sent: list[Sent]) -> tuple[NDArray[np.float32], float]:
    """Embed tracklets [N, E], each by its role; say how far they are from the training's."""
    embeddings = np.empty((len(sent), recogniser.network.embedding_size), np.float32)
    means = []
    for role in ROLES:
        rows = [row for row, each in enumerate(sent) if each.role == role]
        if rows:
            cubes = recogniser.cubes([sent[row].frames for row in rows])
            described = recogniser.describe(cubes, role)
            embeddings[rows] = described.embeddings
            means.append(described.means)
    return embeddings, recogniser.difference(np.concatenate(means))


def _ranking(
    recogniser: Recogniser,
    names: list[str],
    distances: NDArray[np.float64],
    threshold: float | None,
) -> Iterator[dict[str, Any]]:
    probabilities = recogniser.probability(distances)
    for rank, place in enumerate(np.argsort(distances, kind="stable"), start=1):
        yield {
            "rank": rank,
            "tracklet": names[place],
            "distance": float(distances[place]),
            "probability": float(probabilities[place]),
            "match": None if threshold is None else bool(distances[place] < threshold),
        }


def _tracklets(request: pd.DataFrame) -> Iterator[Sent]:
    """Read a request: first what is cheap to check, then every picture."""
    if missing := [name for name in COLUMNS if name not in request.columns]:
        raise RequestError(
            f"the request has no {', '.join(missing)}: expected {', '.join(COLUMNS)} of each "
            "tracklet"
        )
    if not 1 <= len(request) <= MOST_TRACKLETS:
        raise RequestError(
            f"the request has {len(request)} tracklets: expected 1 to {MOST_TRACKLETS}"
        )
    rows = list(zip(*(request[name] for name in COLUMNS), strict=True))
    seen: set[str] = set()
    for number, row in enumerate(rows):
        _check_row(number, *row)
        if row[0] in seen:
            raise RequestError(f"tracklet {row[0]!r} is there twice: expected different names")
        seen.add(row[0])
    together = sum(len(frames) for *_, frames in rows)
    if together > MOST_FRAMES_TOGETHER:
        raise RequestError(
            f"the request has {together} frames: expected at most {MOST_FRAMES_TOGETHER}"
        )
    pixels = 0
    for name, role, texts in rows:
        frames = []
        for position, text in enumerate(texts):
            try:
                frames.append(_decode(text))
                pixels += frames[-1].shape[0] * frames[-1].shape[1]
                if pixels > MOST_PIXELS_TOGETHER:
                    raise RequestError(
                        f"with it the request has more than {MOST_PIXELS_TOGETHER:,} pixels: send "
                        "fewer frames, or smaller ones"
                    )
            except ValueError as error:
                raise RequestError(f"tracklet {name!r}, frame {position}: {error}") from error
        yield Sent(name, role, frames)


def _check_row(number: int, name: object, role: object, frames: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise RequestError(f"tracklet of row {number}: expected a name")
    if len(name) > LONGEST_NAME:
        raise RequestError(
            f"tracklet of row {number}: a name of {len(name)} characters, expected at most "
            f"{LONGEST_NAME}"
        )
    if role not in ROLES:
        hint = did_you_mean(str(role)[:LONGEST_NAME], ROLES, f"expected {' or '.join(ROLES)}")
        raise RequestError(f"tracklet {name!r}: role {str(role)[:20]!r}; {hint}")
    if not isinstance(frames, list | np.ndarray) or not len(frames):
        raise RequestError(f"tracklet {name!r}: expected a list of frames, at least one")
    if len(frames) > MOST_FRAMES:
        raise RequestError(
            f"tracklet {name!r} has {len(frames)} frames: expected at most {MOST_FRAMES}"
        )


def _decode(text: object) -> Frame:
    """Decode a picture in base64."""
    if not isinstance(text, str):
        raise RequestError(f"expected a picture in base64, got {type(text).__name__}")
    if len(text) > MOST_BYTES * 4 // 3 + 4:
        raise RequestError(f"the file is too large: expected at most {MOST_BYTES:,} bytes")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(f"no base64 ({error}); line breaks have to be left out") from error
    return frame_of(content, MOST_PIXELS)
