"""Parameters of the stage `split`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wherewhen.pipelines.groups import Group
from wherewhen.tracklets.fingerprint import OPERATIONAL
from wherewhen.tracklets.readers.record import PathOrNumber
from wherewhen.tracklets.splits import trial_name


class SplitParameters(Group):
    """Training persons, probes and gallery of every trial."""

    source: Literal["drawn", "official", "auto", "file"] = "drawn"
    """``drawn`` from the seed; ``official``: that of the data set's authors (MARS, iLIDS-VID);
    ``auto``: the official one if there is one, else drawn, as the log says; ``file``: read from
    `path`."""

    path: PathOrNumber | None = None
    """For ``file``: a table of splits (``.parquet``, ``.csv``) or torchreid's ``.json``, relative
    to the project's root."""

    fingerprint: str | None = None
    """For ``file``: the fingerprint that the splits must have; null: any."""

    trials: int = Field(10, ge=1, le=100)
    """Number of splits; results are mean and standard deviation over them (Section V-C). With a
    fixed split (MARS), trials differ by the seeds of training: ``train.seed_by_trial``."""

    seed: int = Field(0, ge=0)
    """Seed of drawn splits."""

    train_fraction: float = Field(0.5, ge=0, lt=1)
    """Share of the persons that train in drawn splits (Section V-B). 0: nobody does, and network
    and metrics come from elsewhere (`train.network_from`, `learn_metric.metrics_from`)."""

    probe_camera: str | None = None
    """The probes' camera in drawn splits; null: the first by name."""

    gallery_camera: str | None = None
    """The gallery's camera in drawn splits; null: the next by name."""

    validation: float | None = Field(None, gt=0, lt=1)
    """Share of each trial's training persons that replace its test persons, to tune settings, as
    sweeps do; null: test on the test persons."""

    torchreid: Annotated[bool, OPERATIONAL] = False
    """Also write the splits in torchreid's JSON form (two cameras)."""

    @model_validator(mode="after")
    def _check_path(self) -> "SplitParameters":
        if (self.source == "file") != (self.path is not None):
            raise ValueError(
                f"source is {self.source} and path is {self.path}: a path belongs to source file, "
                "and source file needs one"
            )
        return self

    @property
    def nobody_trains(self) -> bool:
        """Whether all persons are tested."""
        return self.source == "drawn" and self.train_fraction == 0

    @property
    def trial_names(self) -> list[str]:
        """The trials' namespaces."""
        return [trial_name(trial) for trial in range(self.trials)]
