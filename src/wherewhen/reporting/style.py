"""Reporting: one style for every figure and table, names for people and colour-blind-safe colours.

Colours are those of Okabe and Ito ("Color universal design", 2008), which stay apart under the
common forms of colour blindness. A curve says its *metric* by colour and its *features* by line and
marker, so that up to fourteen curves in one panel can still be told apart, also in grey.
"""

from dataclasses import dataclass

from wherewhen.metric_learning.fused_names import FUSION, fused_parts
from wherewhen.metric_learning.registry import METRICS as LEARNED
from wherewhen.retrieval.re_ranking import SUFFIX

DPI = 150
"""Resolution of saved figures in dots per inch."""

INK = "#1f2428"
MUTED = "#6a737d"
GRID = "#e1e4e8"

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"

RIGHT = GREEN
WRONG = VERMILION

BASELINES = ("mean_pooled", "row_pooled")
"""Features that no network went into; drawn dashed, listed first."""

FEATURES = {
    "mean_pooled": "mean-pooled cubes",
    "row_pooled": "row-pooled cubes",
    "untrained": "untrained network",
    "start": "network at its start",
    "attended_rows": "rows under attention",
    "network": "network",
}
_RIVALS = {
    "fisher": "Fisher vectors",
    "hog3d": "HOG3D",
    "fv2d": "FV2D",
    "fv3d": "FV3D",
    "stfv3d": "STFV3D",
    "colour_lbp": "colour + LBP",
    "s_lstm": "S-LSTM",
    "rcn": "RCN",
}
METRICS = {
    "euclidean": "Euclidean",
    "cosine": "cosine",
    "siamese": "Siamese score",
    **{name: kind.label for name, kind in LEARNED.items()},
}

RE_RANKED = ", re-ranked"
"""What follows the name of a metric whose distances were re-ranked."""

FUSED = " + "
"""What stands between the names of parts whose distances are fused."""

_METRIC_COLOURS = {
    "euclidean": PURPLE,
    "cosine": BLUE,
    "siamese": BLACK,
    "kissme": ORANGE,
    "lfda": GREEN,
    "rank_svm": SKY,
    "xqda": VERMILION,
}


@dataclass(frozen=True)
class CurveStyle:
    """How one curve is drawn.

    Parameters
    ----------
    colour : str
        Hexadecimal colour; tells the metric.
    line : str
        Matplotlib line style; tells the features, dashed for a baseline.
    marker : str
        Matplotlib marker; tells the features too.
    width : float
        Line width in points; the trained network's is the largest.
    order : int
        Drawing order; the network lies on top.
    """

    colour: str
    line: str
    marker: str
    width: float
    order: int


_FEATURE_STYLES = {
    "mean_pooled": ("--", "s", 1.3, 2),
    "row_pooled": ("--", "D", 1.3, 3),
    "untrained": (":", "^", 1.5, 4),
    "start": ("-.", "v", 1.8, 5),
    "attended_rows": ("--", "P", 1.8, 5),
    "network": ("-", "o", 2.8, 6),
}
# an experiment's row name: solid, thinner than the network
_OTHER_FEATURES = ("-", "v", 1.8, 5)

# without their yellow: a line of it can't be seen on white
_ROW_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, BLACK, SKY)
_ROW_LINES = ("-", "--", "-.", ":")
_ROW_MARKERS = "os^DvP*X<"


def describe_features(features: str) -> str:
    """Name of a feature kind for people; an unknown one keeps its own, spaced."""
    names = FEATURES | _RIVALS
    return names.get(features, features.replace("_", " "))


def describe_metric(metric: str) -> str:
    """Name of a metric for people; an unknown one keeps its own, spaced.

    Of a fusion it names the parts, as ``"network (cosine) + row-pooled cubes (KISSME)"``.
    """
    parts = fused_parts(metric)
    if len(parts) > 1:
        return FUSED.join(f"{describe_features(f)} ({describe_metric(m)})" for f, m in parts)
    name = metric.removesuffix(SUFFIX)
    return METRICS.get(name, name.replace("_", " ")) + (RE_RANKED if name != metric else "")


def describe(features: str, metric: str) -> str:
    """Name of a row for people, as ``"row-pooled cubes + LFDA"``."""
    if features == FUSION:
        return f"{FUSION}: {describe_metric(metric)}"
    return f"{describe_features(features)} + {describe_metric(metric)}"


def sort_key(features: str, metric: str) -> tuple[int, str, int, str]:
    """Key that puts baselines first, then the untrained network, the network, experiments.

    What was re-ranked follows what was not.
    """
    place = _place(metric.removesuffix(SUFFIX), METRICS)
    return (_place(features, FEATURES), features, place, metric)


def curve_style(features: str, metric: str) -> CurveStyle:
    """Style of the curve of a feature kind under a metric."""
    line, marker, width, order = _FEATURE_STYLES.get(features, _OTHER_FEATURES)
    return CurveStyle(_METRIC_COLOURS.get(metric, MUTED), line, marker, width, order)


def row_style(index: int) -> CurveStyle:
    """Style of an experiment's row by its place: 7 colours, then the same with other dashes.

    Markers repeat after 9, so that neighbours can be told apart in grey too.
    """
    colour = _ROW_COLOURS[index % len(_ROW_COLOURS)]
    line = _ROW_LINES[index // len(_ROW_COLOURS) % len(_ROW_LINES)]
    return CurveStyle(colour, line, _ROW_MARKERS[index % len(_ROW_MARKERS)], 1.8, 5)


def _place(name: str, known: dict[str, str]) -> int:
    return list(known).index(name) if name in known else len(known)
