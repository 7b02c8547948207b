"""Every parameter of a run, typed: what ``conf/<environment>/parameters_*.yml`` may say.

Kedro hands a node its group as the model below (the node's type hint asks for it). The whole tree
is checked before anything is built, so a typo costs a second and not an extraction.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from wherewhen.baselines import BASELINES
from wherewhen.features.augmentation import Augmentation
from wherewhen.features.weights import WeightsSource
from wherewhen.hints import did_you_mean
from wherewhen.metric_learning.registry import METRICS
from wherewhen.model.config import FisherConfig, NetworkConfig
from wherewhen.pipelines.features import DEFAULT, KNOWN
from wherewhen.presets import load_preset, overlay, preset_names
from wherewhen.project import from_root
from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.tracklets.fingerprint import OPERATIONAL
from wherewhen.tracklets.readers.record import Options, PathOrNumber
from wherewhen.tracklets.splits import trial_name
from wherewhen.training.config import DEVICE, TrainingConfig

RENAMED = {
    "rate": "learning_rate",
    "part_rates": "learning_rate_factors",
    "warm_up": "warmup_steps",
    "rate_end": "final_learning_rate_factor",
    "clip": "gradient_clip",
}
"""Fields of `train.training` that had another name in earlier versions."""


class Group(BaseModel):
    """A group of parameters that knows no other names than its own.

    A field that is marked as `OPERATIONAL` says how something is done; all others decide what comes
    out, and are a part of its identity. A `Path` counts by what lies there, too.
    """

    # a camera that is called 1 in YAML is the camera "1"
    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, use_attribute_docstrings=True
    )

    def with_changes(self, **changes: Any) -> Self:
        """Return a copy with other values, which are not checked again."""
        return self.model_copy(update=changes)


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

    options: dict[str, SerializeAsAny[Options]] = {}
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
                path = ("ingest", "options", name)
                faults += [_explain(fault, options, path) for fault in error.errors()]
        if faults:
            raise Faults(faults)
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

    train_fraction: float = Field(0.5, gt=0, lt=1)
    """Share of the persons that train in drawn splits (Section V-B)."""

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
    def trial_names(self) -> list[str]:
        """The trials' namespaces."""
        return [trial_name(trial) for trial in range(self.trials)]


class ExtractParameters(Group):
    """The network that turns a frame into a feature cube."""

    backbone: str = "googlenet"
    """``googlenet``, ``vgg16`` or ``timm:NAME``; for fully connected GRUs on a 1x1 grid
    ``vgg16:fc7`` or ``googlenet:pool``."""

    weights: WeightsSource = WeightsSource()
    """Where its weights come from. Nothing falls back in silence."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """``bfloat16`` is faster where the processor has it; a part of the cubes' identity."""

    batch_size: int = Field(16, ge=1)
    """Frames in a forward pass."""

    compiled: bool = False
    """Compile the network: a minute at the start; needs a C++ compiler. A compiled network runs in
    one thread: on a CPU it pays only where there is one processor, by up to 1.4 times."""

    device: Annotated[str, Field(pattern=DEVICE), OPERATIONAL] = "auto"
    """``auto``: a GPU if there is one; or ``cpu``, ``cuda``, ``cuda:1``."""

    readers: Annotated[int | None, OPERATIONAL] = Field(None, ge=1)
    """On a CPU, threads that decode and compute batches, each with the memory of a forward pass;
    null: as many as processors. For a GPU, threads that decode; null: up to eight."""

    augmentation: Augmentation = Augmentation()
    """Variants of every frame that are stored beside the plain one."""

    tracklets: Literal["all", "train", "none"] = "all"
    """``train``: only tracklets that train in some trial are stored, the others are made anew
    whenever they are embedded. ``none``: not even these; every clip of the training is made when it
    is drawn, which takes the backbone's time at every step and allows any number of variants."""

    storage: Literal["float16", "uint8"] = "float16"
    """``uint8``: half the room, activations off by 0.2 to 0.3 %."""

    budget_gib: Annotated[float | None, OPERATIONAL] = Field(None, gt=0)
    """The most that the cubes may take, in GiB; null: what the disk holds."""


class Faults(ValueError):
    """Faults that name their parameters themselves."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = list(lines)


class Preset(Group):
    """Values with a name."""

    network: NetworkConfig = NetworkConfig()
    """Parts of the network."""

    training: TrainingConfig = TrainingConfig()
    """How it is trained."""


class TrainParameters(Preset):
    """The Siamese attention network and its training.

    `network` and `training` are laid over the chosen preset, and that over the fields' defaults.
    """

    preset: str = "modern"
    """``modern`` trains well, ``paper`` is the letter of the paper; or another name of `presets`.
    """

    presets: dict[str, Preset] = Field({}, exclude=True)
    """Presets by name, laid over the files of `wherewhen.presets`; another name is another preset.
    """

    network_from: dict[str, Path] | str | None = None
    """Trained networks, which are taken as they are, so that nothing is trained (Section V-I): a
    file with ``{trial}`` in its name, or a file for each trial's name. Null: train."""

    seed_by_trial: bool = False
    """Add a trial's number to the seeds of network and training: where the split is fixed, nothing
    else tells trials apart."""

    @field_validator("network_from", mode="before")
    @classmethod
    def _names_files(cls, given: Any) -> Any:
        """Find braces that stand for nothing before a file is looked for."""
        if isinstance(given, str):
            try:
                given.format(trial="")
            except (LookupError, ValueError, AttributeError) as error:
                raise ValueError(
                    "expected a file's path; the only braces in it are those of {trial}"
                ) from error
        return given

    @model_validator(mode="before")
    @classmethod
    def _lay_over_the_preset(cls, given: Any) -> Any:
        """Complete `network` and `training`; `presets` are used up."""
        if not isinstance(given, Mapping):
            return given
        presets = _checked_presets(given.get("presets") or {})
        name = given.get("preset", cls.model_fields["preset"].default)
        if not isinstance(name, str) or name not in presets:
            raise Faults([f"train.preset = {name!r}: no such preset; {_hint(str(name), presets)}"])
        chosen = {
            group: overlay(presets[name].get(group, {}), given.get(group) or {})
            for group in Preset.model_fields
            if isinstance(given.get(group) or {}, Mapping)  # else typed already, or no group at all
        }
        return {**given, **chosen, "presets": {}}


def _checked_presets(given: Any) -> dict[str, Any]:
    """Lay an environment's presets over the packaged ones, and find typos in all of them."""
    if not isinstance(given, Mapping):
        raise Faults([f"train.presets = {given!r}: expected presets by name"])
    packaged = preset_names()
    presets, faults = {}, []
    for name in {*packaged, *map(str, given)}:
        changes = given.get(name) or {}
        try:
            Preset.model_validate(changes)
            presets[name] = overlay(load_preset(name) if name in packaged else {}, changes)
            Preset.model_validate(presets[name])
        except ValidationError as error:
            place = ("train", "presets", name)
            faults += [_explain(fault, changes, place) for fault in error.errors()]
    if faults:
        raise Faults(faults)
    return presets


class EmbedParameters(Group):
    """What stands for a tracklet, and how much of it is looked at."""

    features: tuple[str, ...] = DEFAULT
    """The kinds of features: ``network``, ``untrained``, ``mean_pooled``, ``row_pooled``,
    ``fisher`` (Fisher vectors of the trained network's frames, Section V-D, Eq 10), and the
    baselines of `wherewhen.baselines` by name. A network is trained if one of them needs it."""

    baselines: dict[str, dict[str, Any]] = {}
    """For each baseline, what its constructor takes."""

    frames: int | None = Field(128, ge=1)
    """Frames of a test tracklet: a probe's first, a gallery tracklet's last (Section V-C);
    null: all of them."""

    clips: int = Field(4, ge=1)
    """Clips of a training tracklet, evenly spread: the samples of metric learning."""

    clip_frames: int = Field(20, ge=1)
    """Frames of such a clip (T, Section V-B)."""

    batch_size: int = Field(16, ge=1)
    """Clips in a forward pass."""

    average_variants: Literal["off", "short", "always"] = "off"
    """Average the network's embedding of a test tracklet over the cubes' augmented variants:
    ``short`` where it has fewer than `frames` frames (Section V-C), or ``always``."""

    fisher: FisherConfig = FisherConfig()
    """How the features ``fisher`` are made."""

    @field_validator("features")
    @classmethod
    def _are_known(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(features) - set(KNOWN)):
            raise ValueError(f"no features are called {unknown}: {', '.join(KNOWN)} are")
        if not features or len(set(features)) < len(features):
            raise ValueError("expected one kind of features or several, each named once")
        return features

    @field_validator("baselines")
    @classmethod
    def _are_of_baselines(cls, options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if unknown := sorted(set(options) - set(BASELINES)):
            raise ValueError(f"no baseline is called {unknown}: {', '.join(BASELINES)} are")
        return options


class _LearnMetric(Group):
    """PCA, then KISSME, LFDA or XQDA (Section V-G); or RankSVM without PCA."""

    metrics: tuple[Literal[tuple(METRICS)], ...] = ("kissme", "lfda")
    """The learned metrics, all on the same vectors."""

    dimension: int = Field(150, ge=1)
    """Dimensions kept by the PCA; fewer when there are fewer samples, with a warning."""


LearnMetricParameters = create_model(
    "LearnMetricParameters",
    __base__=_LearnMetric,
    __doc__=_LearnMetric.__doc__,
    __module__=__name__,
    **{
        name: (dict[str, Any], Field({}, description=f"Parameters of `{kind.path}`."))
        for name, kind in METRICS.items()
    },
)
"""`_LearnMetric`, and for each metric of the registry the parameters of its estimator."""


class ReRankingParameters(Group):
    """k-reciprocal re-ranking: `wherewhen.retrieval.re_ranking`."""

    k1: int = Field(20, ge=1)
    """Two tracklets are neighbours if each is among the other's k1 nearest."""

    k2: int = Field(6, ge=1)
    """Neighbours whose encodings are averaged (local query expansion); 1: no averaging."""

    weight: float = Field(0.3, ge=0, le=1, alias="lambda")
    """Weight of the original distance (``lambda``)."""


class EvaluateParameters(Group):
    """Protocol and measures of the evaluation."""

    dataset: str = "unnamed"
    """The data set's name in tables of scores: ``globals.yml``'s ``dataset``."""

    protocol: Literal[
        "single_match", "cross_camera", "official", "query_excluded", "two_camera"
    ] = "single_match"
    """A name of `wherewhen.retrieval.protocols.PROTOCOLS`."""

    average_precision: Annotated[Literal["mean_precision", "trapezoid"], OPERATIONAL] = (
        "mean_precision"
    )
    """Definition of the mAP in the printed table; the scores have both."""

    max_rank: int = Field(20, ge=1)
    """Length of the CMC curve; beyond the gallery's size it stays as it is."""

    re_ranking: ReRankingParameters | None = None
    """Evaluate every distance between vectors with re-ranking, too; null: without."""

    confidence: float = Field(0.95, gt=0, lt=1)
    """Confidence level of the intervals."""

    resamples: int = Field(1000, ge=0)
    """Bootstrap samples for the intervals; 0: no intervals."""

    seed: int = Field(0, ge=0)
    """Seed of the bootstrap."""

    ranked: int | None = Field(None, ge=1)
    """Ranks of each probe in the table of rankings, in addition to all its true matches; null: all,
    which in MARS are 24 million rows a metric."""


class ReportParameters(Group):
    """What the pictures show."""

    probes: int = Field(4, ge=1)
    """Probes in each of the pictures of the best and the worst ranked."""

    attention_tracklets: int = Field(3, ge=1)
    """Tracklets whose attention is drawn."""


class AnalyseParameters(Group):
    """What the closer look at a trained network measures and shows (Fig 6, 7, 8, 10)."""

    lengths: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    """Frames of probes and of gallery tracklets, rising: all are paired (Section V-D.3)."""

    metric: Literal["euclidean", "cosine"] = "euclidean"
    """The distance of those evaluations, and the rankings whose failures are shown."""

    tracklets: int = Field(3, ge=1)
    """Probes that are pictured with their frame weights, and with their attention."""

    failures: int = Field(4, ge=1)
    """Failures that are pictured."""

    @field_validator("lengths")
    @classmethod
    def _rise(cls, lengths: tuple[int, ...]) -> tuple[int, ...]:
        if not lengths or any(b <= a for a, b in pairwise(lengths)):
            raise ValueError(f"lengths are {list(lengths)}: expected rising numbers of frames")
        return lengths


class Parameters(Group):
    """The whole tree."""

    synthesise: SyntheticConfig = SyntheticConfig()
    ingest: IngestParameters = IngestParameters()
    split: SplitParameters = SplitParameters()
    extract: ExtractParameters = ExtractParameters()
    train: TrainParameters = TrainParameters()
    embed: EmbedParameters = EmbedParameters()
    learn_metric: LearnMetricParameters = LearnMetricParameters()
    evaluate: EvaluateParameters = EvaluateParameters()
    report: ReportParameters = ReportParameters()
    analyse: AnalyseParameters = AnalyseParameters()

    @property
    def groups(self) -> dict[str, BaseModel]:
        """The groups by name, as stages read them."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def as_asked(self) -> Self:
        """Return a copy without the options of what isn't asked for, so that they decide nothing.

        A network that is taken from elsewhere gets a name for every trial.
        """
        embed, learn = self.embed, self.learn_metric
        baselines = [name for name in embed.features if name in BASELINES]
        idle = set(METRICS) - set(learn.metrics)
        networks = self.train.network_from
        if isinstance(networks, str):
            networks = {name: Path(networks.format(trial=name)) for name in self.split.trial_names}
        return self.with_changes(
            ingest=self.ingest.as_asked(),
            embed=embed.with_changes(
                baselines={name: embed.baselines.get(name, {}) for name in baselines}
            ),
            learn_metric=learn.with_changes(**{name: {} for name in idle}),
            train=self.train.with_changes(network_from=networks),
        )

    @model_validator(mode="after")
    def _have_a_network_for_every_trial(self) -> Self:
        given = self.train.network_from
        missing = set(self.split.trial_names) - set(given) if isinstance(given, Mapping) else set()
        if missing:
            raise Faults([f"train.network_from: no network for {', '.join(sorted(missing))}"])
        return self

    @model_validator(mode="after")
    def _read_what_is_rendered(self) -> "Parameters":
        """Find a reader of another layout before anybody is rendered."""
        if self.ingest.synthetic and self.ingest.reader != self.synthesise.layout:
            raise Faults(
                [
                    f"synthesise.layout is {self.synthesise.layout}, but ingest.reader is "
                    f"{self.ingest.reader}: rendered people are read by the reader of their "
                    "layout's name; set both alike, or name your footage's folder in ingest.root"
                ]
            )
        return self


def check_devices(parameters: Parameters) -> None:
    """Refuse a GPU that isn't there, before hours of work lead up to it.

    Raises
    ------
    ParameterError
        Naming the parameter.
    """
    asked = {
        "extract.device": parameters.extract.device,
        "train.training.device": parameters.train.training.device,
    }
    asked = {name: device for name, device in asked.items() if device.startswith("cuda")}
    if not asked:
        return
    import torch  # seconds, which only those pay who ask for a GPU

    for name, device in asked.items():
        number = int(device.partition(":")[2] or 0)
        if number >= torch.cuda.device_count():
            raise ParameterError(
                f"{name} is {device}, but torch sees {torch.cuda.device_count()} GPU(s) here: use "
                "auto or cpu"
            )


class ParameterError(ValueError):
    """A parameter is unknown or has an impossible value."""


def check_parameters(tree: dict[str, Any]) -> Parameters:
    """Type the whole tree of parameters.

    Parameters
    ----------
    tree : dict
        Merged from the configuration files and ``--params``.

    Returns
    -------
    typed : Parameters
        The whole tree.

    Raises
    ------
    ParameterError
        Naming every wrong parameter by its path, what was expected, and the nearest known name.
    """
    try:
        return Parameters.model_validate(tree).as_asked()
    except ValidationError as error:
        faults = [line for fault in error.errors() for line in _lines(fault, tree)]
        listed = "\n".join(f"- {line}" for line in faults)
        raise ParameterError(
            f"{len(faults)} parameter(s) can't be used; correct them in conf/ or in "
            f"--params:\n{listed}"
        ) from None


def check_name(path: str) -> None:
    """Check that a parameter exists, also where the tree takes any name and its reader does not.

    Parameters
    ----------
    path : str
        With dots: ``train.training.learning_rate``, ``learn_metric.kissme.shrinkage``.

    Raises
    ------
    ParameterError
        Naming the part that is unknown, and the nearest known name.
    """
    parts = path.split(".")
    for depth, part in enumerate(parts):
        known = known_names(parts[:depth])
        if known is None:
            raise ParameterError(f"{path}: {'.'.join(parts[:depth])} has no parameters of its own")
        if part not in known:
            raise ParameterError(f"{path}: {_moved(parts) or _unknown(part, known)}")


def known_names(path: Sequence[str]) -> list[str] | None:
    """Return the names of the parameters at a path of the tree; None where a value stands."""
    kind: Any = Parameters
    for depth, part in enumerate(path):
        kind = _inside(kind, path[:depth]).get(part)
    return list(_inside(kind, path)) or None


def _inside(kind: Any, path: Sequence[str]) -> dict[str, Any]:
    """Return what is inside a group, by name: fields' types, as far as they are known."""
    match list(path):
        case ["train", "presets"]:
            return dict.fromkeys(preset_names(), Preset)
        case ["ingest", "options"]:
            from wherewhen.tracklets.readers import READERS

            return {name: reader.options for name, reader in READERS.items()}
        case ["learn_metric", name] if kind == dict[str, Any]:
            return dict.fromkeys(METRICS[name].estimator()().get_params())
        case ["embed", "baselines"]:
            return dict.fromkeys(BASELINES)
        case ["embed", "baselines", name]:
            from wherewhen.baselines.describe import options_of

            return dict.fromkeys(options_of(name))
    if hasattr(kind, "model_fields"):
        return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    if get_origin(kind) is dict and get_origin(get_args(kind)[0]) is Literal:
        return dict.fromkeys(get_args(get_args(kind)[0]))
    groups = [each for each in get_args(kind) if hasattr(each, "model_fields")]
    return _inside(groups[0], path) if groups else {}


def _lines(fault: Any, tree: Any) -> list[str]:
    """Return a line for each parameter that a fault is about."""
    error = fault.get("ctx", {}).get("error")
    return error.lines if isinstance(error, Faults) else [_explain(fault, tree)]


def _explain(fault: Any, tree: Any, within: Sequence[str] = ()) -> str:
    """Say in one line which parameter of a tree is wrong, and the name that may be meant."""
    path = [*within, *_names(fault, tree)]
    name = ".".join(path) or "parameters"
    if fault["type"] == "extra_forbidden":
        inside = list(fault["input"]) if isinstance(fault["input"], Mapping) else []
        moved = _moved(path, *map(str, inside))
        return f"{name}: {moved or _unknown(path[-1], known_names(path[:-1]) or [])}"
    message = fault["msg"].removeprefix("Value error, ")
    if isinstance(fault["input"], Mapping | BaseModel):  # about a group, which is long
        return f"{name}: {message}"
    return f"{name} = {fault['input']!r}: {message}"


def _names(fault: Any, tree: Any) -> Iterator[str]:
    """Name the parts of a fault's place, without the kinds that pydantic tries one by one."""
    *_, last = fault["loc"] or [None]
    for part in fault["loc"]:
        try:
            tree = tree[part]
        except (LookupError, TypeError):
            if fault["type"] != "missing" or part != last:
                continue
        yield str(part)


def _moved(path: Sequence[str], *inside: str) -> str:
    """Say where a parameter of `train`, or what is inside it, stands that had another path before.

    ``train.training.modern.rate`` is now ``train.training.learning_rate``.
    """
    match list(path):
        case ["train", "network" | "training" as group, "modern" | "paper" | "both", *rest]:
            names = [*rest[:1]] or list(inside)
        case ["train", "training" as group, *rest] if rest and rest[0] in RENAMED:
            names = [rest[0]]
        case _:
            return ""
    now = [f"train.{group}.{RENAMED.get(name, name)}" for name in names] or [f"train.{group}"]
    return f"write {', '.join(now)}, for whichever preset train.preset chooses"


def _unknown(name: str, known: Collection[str]) -> str:
    return f"no such parameter; {_hint(name, known)}"


def _hint(name: str, known: Collection[str]) -> str:
    return did_you_mean(name, known, f"known here: {', '.join(sorted(known))}")
