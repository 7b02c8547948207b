"""Parameters of where work is done."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ExecutionConfig(BaseModel):
    """Where extraction, embedding and trainings are done; what is made does not depend on it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    engine: Literal["local", "ray"] = "local"
    """``local``: in this process; ``ray``: in worker processes, of this machine or of a cluster
    (needs the extra ``ray``)."""

    address: str | None = None
    """A Ray cluster that runs already: ``HOST:6379`` of its head node, or ``auto``. All its nodes
    have to see the project's folder under the same path. Null: Ray is started on this machine, and
    ended with the command."""

    workers: int | None = Field(None, ge=1)
    """Most workers at once; null: as many as there are processors, or GPUs, for."""

    cpus: float = Field(1, gt=0)
    """Processors that Ray reserves for a worker; of whole ones it also uses that many."""

    gpus: float | None = Field(None, ge=0)
    """GPUs that Ray reserves for a worker; 0.5 lets two share one. Null: one where `device` is a
    GPU, else none."""

    object_store_gib: float = Field(1.0, ge=0.1)
    """Shared memory for what is sent to workers, in GiB, where Ray is started here; what it can't
    hold goes to the disk."""
