"""Parameters of the stage `ingest`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializeAsAny, ValidationError, field_validator

from wherewhen.pipelines.groups import Group, NestedFaults
from wherewhen.project import from_root
from wherewhen.tracklets.fingerprint import OPERATIONAL
from wherewhen.tracklets.readers.record import Options, PathOrNumber


class IngestParameters(Group):
    """The footage, its reader, and the checks of its frames."""

    reader: str = "prid2011"
    """The layout of the data set: a name of `wherewhen.tracklets.readers.READERS`."""

    root: PathOrNumber | None = None
    """The data set's folder, or its archive, or a folder with its archives, relative to the
    project's root; null: the rendered people."""

    unpack_to: Annotated[PathOrNumber | None, OPERATIONAL] = None
    """Where archives are unpacked and crops are cut to; null: ``unpacked`` beside them."""

    check: Literal["decode", "header"] = "decode"
    """``decode`` checks every pixel of a frame, ``header`` only its hash, size and mode."""

    convert: Literal["rgb"] | None = None
    """``rgb`` accepts gray pictures, palettes and alpha channels (which are dropped), converts them
    and notes how many; null: they are faults."""

    workers: Annotated[int | None, OPERATIONAL] = Field(None, ge=1)
    """Threads that check frames; null: as many as there are processors."""

    allow_faulty: int = Field(0, ge=0)
    """Faults that are tolerated; faulty frames are left out."""

    options: dict[str, SerializeAsAny[Options]] = Field({})
    """Options by reader, e.g. ``prid2011.persons``; those of the other readers have no effect."""

    @field_validator("reader")
    @classmethod
    def _is_known(cls, reader: str) -> str:
        from wherewhen.tracklets.readers import reader_named

        reader_named(reader)
        return reader

    @field_validator("options", mode="before")
    @classmethod
    def _options_are_of_readers(cls, given: Any) -> Any:
        from wherewhen.tracklets.readers import READERS

        if not isinstance(given, Mapping):
            return given
        if unknown := sorted(set(given) - set(READERS)):
            raise ValueError(f"no reader is called {unknown}: {', '.join(sorted(READERS))} are")
        typed, faults = {}, []
        for name, options in given.items():
            try:
                typed[name] = READERS[name].options.model_validate(options)
            except ValidationError as error:
                faults.append(((name,), options, error))
        if faults:
            raise NestedFaults(faults)
        return typed

    @property
    def synthetic(self) -> bool:
        """Whether the people are rendered, not filmed."""
        return self.root is None

    def as_asked(self) -> Self:
        """Return a copy with the options of the chosen reader alone, and with all paths resolved.

        The identity of the stage then depends on everything that is read, and on nothing else.
        """
        from wherewhen.tracklets.readers import reader_named

        reader = reader_named(self.reader)
        options = self.options.get(self.reader, reader.options())
        if self.root is None:
            return self.with_changes(options={self.reader: options})
        place, options = reader.locate(from_root(self.root), options)
        root = self.root if place == from_root(self.root) else place
        return self.with_changes(root=root, options={self.reader: options})
