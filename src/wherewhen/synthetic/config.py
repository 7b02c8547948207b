"""Parameters of a synthetic set, typed; those that make it harder are named as such.

A mistyped parameter is refused before anything is rendered. The defaults are those of
`learning-findings.md`: difficulty is mostly the angle between the two views.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wherewhen.synthetic import layouts
from wherewhen.tracklets.fingerprint import OPERATIONAL, fingerprint

ILIDS_MEAN_SHARE = (73 - 23) / (192 - 23)
"""Where iLIDS-VID's mean length lies between its shortest and its longest tracklet."""

RENDERER = 2
"""Raised when the same config gives other bytes than before, so that old sets are not reused."""

ADDED_LATER = (
    "layout", "archive", "tracklets", "distractors", "junk",
    "world", "views", "places", "faulty_boxes", "resolution", "jpeg_quality",
)  # fmt: skip
"""Fields that older sets did not have: their defaults leave a set its name."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(ge=0.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class CameraConfig(_Strict):
    """One fixed camera: position, viewing direction and light."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    """Name of the camera's folder, e.g. `cam_a`."""

    elevation: float = Field(ge=0.0, le=1.2)
    """Angle (rad) by which the camera looks down on people."""

    azimuth: float
    """Mean angle (rad) between walking direction and camera; 0: towards it, pi/2: profile."""

    azimuth_sd: Positive = 0.3
    """Standard deviation (rad) of the walking direction over people."""

    distance: float = Field(default=9.0, ge=3.0)
    """Distance (m) between camera and person; nearer means stronger perspective."""

    sun: tuple[float, float] = (-0.8, 0.9)
    """Direction of the light: angle (rad) to the right of the camera, and above the ground."""

    sunlight: Fraction = 0.5
    """Share of directed light; the rest comes evenly from the sky."""

    cast: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Gain of red, green and blue at full `colour_cast`."""

    exposure: float = Field(default=1.0, gt=0.0)
    """Gain of all colours."""


DEFAULT_CAMERAS = (
    CameraConfig(
        name="cam_a", elevation=0.12, azimuth=0.4, sun=(-0.8, 0.9), cast=(1.12, 1.0, 0.86)
    ),
    CameraConfig(
        name="cam_b",
        elevation=0.25,
        azimuth=1.0,
        sun=(0.9, 1.0),
        sunlight=0.35,
        cast=(0.90, 1.0, 1.10),
    ),
)


def _around(*rows: tuple) -> tuple[CameraConfig, ...]:
    """Name cameras of elevation, azimuth, distance, sun, sunlight, cast and exposure."""
    fields = ("elevation", "azimuth", "distance", "sun", "sunlight", "cast", "exposure")
    return tuple(
        CameraConfig(
            name=f"cam_{chr(ord('a') + index)}",
            azimuth_sd=0.4,
            **dict(zip(fields, row, strict=True)),
        )
        for index, row in enumerate(rows)
    )


VARIED_CAMERAS = _around(
    (0.12, 0.4, 9.0, (-0.8, 0.9), 0.5, (1.12, 1.0, 0.86), 1.0),
    (0.25, 1.2, 12.0, (0.9, 1.0), 0.35, (0.90, 1.0, 1.10), 1.0),
    (0.06, 2.0, 7.0, (2.2, 0.6), 0.6, (1.0, 1.02, 0.96), 1.15),
    (0.38, 2.8, 14.0, (-2.0, 1.1), 0.1, (0.96, 1.04, 0.94), 0.95),
    (0.18, -2.8, 10.0, (0.2, 0.7), 0.55, (1.06, 0.98, 1.02), 1.0),
    (0.32, -2.0, 8.0, (1.4, 1.2), 0.2, (0.94, 1.0, 1.06), 0.9),
    (0.10, -1.2, 16.0, (-1.5, 0.5), 0.65, (1.10, 1.0, 0.92), 1.1),
    (0.45, -0.4, 11.0, (3.0, 0.9), 0.3, (1.0, 1.0, 1.0), 0.85),
)
"""From all sides; they look down by at most 0.45 rad from at least 7 m."""

HELD_OUT_CAMERAS = _around(
    (0.55, 0.1, 5.0, (1.8, 0.5), 0.7, (0.88, 1.04, 0.98), 1.2),
    (0.70, 0.9, 6.0, (-0.4, 1.2), 0.0, (1.16, 1.02, 0.84), 0.7),
    (0.50, 1.7, 4.0, (0.6, 0.4), 0.75, (0.96, 0.96, 1.14), 1.0),
    (0.62, 2.6, 5.5, (2.8, 0.8), 0.4, (1.04, 1.08, 0.90), 0.9),
    (0.75, -2.4, 6.5, (-1.2, 0.6), 0.15, (0.90, 0.98, 1.18), 1.1),
    (0.58, -1.0, 4.5, (-2.6, 1.0), 0.6, (1.10, 0.94, 1.04), 0.8),
)
"""From all sides, steeper and nearer than any of `VARIED_CAMERAS`, with stronger casts."""


def default_camera(index: int, world: str = "street") -> CameraConfig:
    """Return the camera of an index, for sets that only give a number of cameras.

    Parameters
    ----------
    index : int
        In the street 0 and 1 are the two cameras of `DEFAULT_CAMERAS`; later ones look from further
        round. The other worlds have `VARIED_CAMERAS` and `HELD_OUT_CAMERAS`.
    world : str
        The world.

    Returns
    -------
    CameraConfig
        The camera, named `cam_a`, `cam_b`, ...

    Raises
    ------
    ValueError
        If the world has fewer cameras.
    """
    if world != "street":
        cameras = VARIED_CAMERAS if world == "varied" else HELD_OUT_CAMERAS
        if index >= len(cameras):
            raise ValueError(
                f"world {world} has {len(cameras)} cameras of its own, but cameras is above that: "
                "take fewer, or describe each camera"
            )
        return cameras[index]
    if index < len(DEFAULT_CAMERAS):
        return DEFAULT_CAMERAS[index]
    tint = 0.1 * (-1) ** index
    return CameraConfig(
        name=f"cam_{chr(ord('a') + index)}",
        elevation=0.12 + 0.06 * (index % 4),
        azimuth=0.3 + 0.8 * index,
        sun=(-0.8 + 0.7 * (index % 4), 0.9),
        cast=(1 + tint, 1.0, 1 - tint),
    )


class SyntheticConfig(_Strict):
    """Persons, cameras, lengths and difficulty of a synthetic set."""

    layout: Literal["prid2011", "ilids_vid", "mars", "folder", "manifest"] = "prid2011"
    """How the set lies on the disk: as the data set of that name, lists and tables included, to be
    read by the reader of that name."""

    archive: bool = False
    """Also pack the set as its owners do (tar or zip), to be read from there."""

    world: Literal["street", "varied", "held_out"] = "street"
    """What people wear, where they walk and what hides them: `street`, the demonstration's;
    `varied`, to train networks that meet other footage; `held_out`, unlike both, to test on and
    never to choose a setting on."""

    persons: int = Field(default=80, ge=1, le=9999)
    """People, each filmed by every camera (`mars`: by two or more), or by `views` of them."""

    views: int | None = Field(default=None, ge=2)
    """Cameras that film each person, drawn for each; None: all (`mars`: two or more in a row)."""

    tracklets: int = Field(default=1, ge=1)
    """How often a camera films a person (`mars`: at most so often); `prid2011` and `ilids_vid`
    have room for one tracklet."""

    distractors: int = Field(default=0, ge=0)
    """People filmed once, by the last camera (`mars`: any), who match nobody."""

    junk: int = Field(default=0, ge=0)
    """Badly cut tracklets of which nobody can be known (`mars`)."""

    cameras: Annotated[int, Field(ge=1, le=26)] | tuple[CameraConfig, ...] = 2
    """The cameras, or how many of the world's default ones (`street` 26, `varied` 8, `held_out`
    6)."""

    places: int = Field(default=1, ge=1, le=99)
    """Backgrounds of each camera, of all kinds that the world has; drawn for each tracklet."""

    seed: int = Field(default=0, ge=0)
    """Decides people, clothes, walks, scenes and noise: same seed, same bytes."""

    min_frames: int = Field(default=23, ge=1)
    """Shortest tracklet (frames); 23 as in iLIDS-VID."""

    max_frames: int = Field(default=192, ge=1)
    """Longest tracklet (frames); 192 as in iLIDS-VID."""

    mean_frames: float | None = None
    """Mean length (frames); None: as far between the two bounds as in iLIDS-VID, there 73."""

    height: int = Field(default=128, ge=32)
    """Height of a crop (pixels)."""

    width: int = Field(default=64, ge=16)
    """Width of a crop (pixels)."""

    supersampling: int = Field(default=2, ge=1, le=4)
    """Fineness of edges: 2 has the edges of 128 x 256 rays for a 64 x 128 crop, cast only where
    neighbouring pixels show different things; 1 leaves edges jagged."""

    frames_per_second: float = Field(default=25.0, gt=0.0)
    """Frame rate of the cameras."""

    tops: int = Field(default=12, ge=1)
    """Tops in the wardrobe; the fewer, the less colour tells people apart."""

    bottoms: int = Field(default=8, ge=1)
    """Trousers, skirts and shorts in the wardrobe."""

    shoes: int = Field(default=5, ge=1)
    """Pairs of shoes in the wardrobe."""

    bags: Fraction = 0.45
    """Share of people who carry a bag."""

    colour_cast: Fraction = 0.5
    """Strength of the cameras' own colour casts, and of their changes between tracklets."""

    exposure_jitter: Fraction = 0.5
    """Strength of the changes of exposure between tracklets; 1: a standard deviation of 20 %."""

    occluders: Fraction = 0.3
    """Share of tracklets in which something passes in front: a post, a sign or another walker, in
    the held-out world a railing, a bush, a cart or another walker."""

    noise: Positive = 3.0
    """Standard deviation of the sensor's noise (grey levels of 255)."""

    box_jitter: Positive = 0.015
    """Standard deviation of the box's place and size (fractions of its height)."""

    faulty_boxes: Fraction = 0.0
    """Share of tracklets whose box cuts off feet or head, is too large, or too far to one side."""

    resolution: tuple[int, int] | None = None
    """Least and greatest height (pixels) of a crop in the camera's picture, drawn by tracklet;
    it is enlarged from there. None: the crop's own height."""

    jpeg_quality: tuple[int, int] | None = None
    """Worst and best JPEG quality (1 to 95), drawn for each tracklet; the picture is compressed
    before it is enlarged, so blocks grow with it. None: not compressed."""

    motion_blur: Fraction = 0.5
    """How much of the time between two frames the shutter stays open."""

    softness: Positive = 0.6
    """Standard deviation of the lens's blur (pixels)."""

    workers: Annotated[int | None, OPERATIONAL] = Field(default=None, ge=1)
    """Threads that render; None: one a core. Does not change a byte."""

    @model_validator(mode="after")
    def _check_lengths_and_names(self) -> Self:
        if self.min_frames > self.max_frames:
            raise ValueError(
                f"min_frames ({self.min_frames}) is above max_frames ({self.max_frames}): "
                "expected min_frames <= max_frames; change one of them"
            )
        if self.mean_frames is not None and not (
            self.min_frames <= self.mean_frames <= self.max_frames
        ):
            raise ValueError(
                f"mean_frames ({self.mean_frames}) is outside min_frames to max_frames "
                f"({self.min_frames} to {self.max_frames}): change it, or leave it out"
            )
        names = [camera.name for camera in self.camera_list]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"cameras {names}: expected at least one, each with its own name")
        for name, least, most in (("resolution", 8, self.height), ("jpeg_quality", 1, 95)):
            bounds = getattr(self, name)
            if bounds is not None and not least <= bounds[0] <= bounds[1] <= most:
                raise ValueError(
                    f"{name} is {list(bounds)}: expected two numbers from {least} to {most}, "
                    "the smaller one first"
                )
        if self.views is not None:
            layouts.check_views(layouts.layout_named(self.layout), len(names), self.views)
        layouts.check(
            layouts.layout_named(self.layout),
            len(names),
            self.tracklets,
            self.distractors,
            self.junk,
            self.archive,
        )
        return self

    @property
    def camera_list(self) -> tuple[CameraConfig, ...]:
        """The cameras, also where only their number was given."""
        if isinstance(self.cameras, int):
            return tuple(default_camera(index, self.world) for index in range(self.cameras))
        return self.cameras

    @property
    def mean_length(self) -> float:
        """Mean tracklet length (frames) that is aimed at."""
        if self.mean_frames is not None:
            return self.mean_frames
        return self.min_frames + ILIDS_MEAN_SHARE * (self.max_frames - self.min_frames)

    @property
    def fingerprint(self) -> str:
        """Hash of all parameters that decide pixels and files (`workers` does not)."""
        content = self.model_dump(mode="json", exclude={"workers"})
        for name in ADDED_LATER:
            if content[name] == type(self).model_fields[name].default:
                del content[name]
        content["cameras"] = [camera.model_dump(mode="json") for camera in self.camera_list]
        return fingerprint({"renderer": RENDERER, "config": content})
