"""Every parameter of a run, typed: what ``conf/<environment>/parameters_*.yml`` may say.

Kedro hands a node its group as the model of its stage (the node's type hint asks for it). The whole
tree is checked before anything is built, so a typo costs a second and not an extraction.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, create_model, model_validator

from wherewhen import pretrained
from wherewhen.baselines import BASELINES
from wherewhen.devices import Device, usable_device
from wherewhen.execution.config import ExecutionConfig
from wherewhen.features.backbones.parts import FROZEN
from wherewhen.hints import did_you_mean
from wherewhen.metric_learning.fused_names import FUSION, PLAIN
from wherewhen.metric_learning.registry import METRICS
from wherewhen.pipelines.groups import Faults, Group, NestedFaults
from wherewhen.pipelines.presets import DEFAULT, Preset, over_its_preset
from wherewhen.pipelines.stages import stages
from wherewhen.pipelines.train.parameters import PRETRAINED, RANDOM, network_files
from wherewhen.presets import preset_names
from wherewhen.tracklets.fingerprint import OPERATIONAL

UNTAUGHT = ("mean_pooled", "row_pooled")
"""Features that nobody teaches."""

OF_WHOLE_CUBES = (*UNTAUGHT, "attended_rows")
"""Features that are cubes of the whole backbone, pooled."""

OF_A_BORROWED_NETWORK = ("network", "attended_rows")
"""Features that need no training persons where the network comes from elsewhere."""

RENAMED = {
    "rate": "learning_rate",
    "part_rates": "learning_rate_factors",
    "warm_up": "warmup_steps",
    "rate_end": "final_learning_rate_factor",
    "clip": "gradient_clip",
}
"""Fields of `train.training` that had another name in earlier versions."""


class DataParameters(Group):
    """Where what is made is kept: in the folder ``data/``, or in a bucket of an object store."""

    url: str | None = Field(None, pattern=r"^(s3|gs)://[^/\s]+(/[^/\s]+)*/?$")
    """``s3://bucket/prefix`` or ``gs://bucket/prefix``, of which ``data/`` is then a copy; null:
    ``data/`` alone. Frames stay on the disk."""

    copy_gib: Annotated[float, Field(gt=0)] = 100.0
    """GiB of a bucket's cubes that the copy has at most; those that were not read for longest go
    first. Every tracklet that is read again costs its transfer."""


class _Parameters(Group):
    """The whole tree: a group for each stage, and what holds for all of them."""

    device: Annotated[Device, OPERATIONAL] = "auto"
    """Where networks compute, in all stages: ``auto``, a GPU if there is one; or ``cpu``, ``cuda``,
    ``cuda:1``."""

    execution: Annotated[ExecutionConfig, OPERATIONAL] = ExecutionConfig()
    """Where extraction, embedding and trainings are done."""

    data: Annotated[DataParameters, OPERATIONAL] = DataParameters()
    """Where what is made is kept."""

    preset: str = DEFAULT
    """The setting of the whole chain: ``modern`` trains well, ``paper`` is the letter of the paper,
    ``frozen`` the best that is known on a frozen backbone, ``finetuned`` trains the backbone, too;
    or another name of `presets`."""

    presets: dict[str, Preset] = Field({}, exclude=True)
    """Parameters of any stage by a preset's name, laid over the file of `wherewhen.presets`;
    another name is another preset. What a stage's own group says is laid over the chosen one."""

    @model_validator(mode="before")
    @classmethod
    def _lay_over_the_preset(cls, given: Any) -> Any:
        return over_its_preset(given)

    @property
    def groups(self) -> dict[str, Any]:
        """Everything by name, as stages read it."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "presets"}

    @property
    def scored(self) -> tuple[str, ...]:
        """What there are tables of scores of: kinds of features, and their fusion if asked for."""
        fused = () if self.evaluate.fusion is None else (FUSION,)
        return (*self.embed.features, *fused)

    def as_asked(self) -> Self:
        """Return a copy without the options of what isn't asked for, so that they decide nothing.

        Networks that are taken from elsewhere get a file for every trial.
        """
        embed, learn = self.embed, self.learn_metric
        baselines = [name for name in embed.features if name in BASELINES]
        idle = set(METRICS) - set(learn.metrics)
        networks, start = self.train.network_from, self.train.start
        if networks is not None:
            networks, start = network_files(networks, self.split.trial_names), RANDOM
        if start != RANDOM:
            start = network_files(start, self.split.trial_names)
        return self.with_changes(
            ingest=self.ingest.as_asked(),
            embed=embed.with_changes(
                baselines={name: embed.baselines.get(name, {}) for name in baselines}
            ),
            learn_metric=learn.with_changes(
                metrics_from=self._metrics_file, **{name: {} for name in idle}
            ),
            train=self.train.with_changes(network_from=networks, start=start),
            search=self.search.as_asked(),
        )

    @model_validator(mode="after")
    def _have_a_network_for_every_trial(self) -> Self:
        for name in ("network_from", "start"):
            given = getattr(self.train, name)
            if not isinstance(given, Mapping):
                continue
            if missing := sorted(set(self.split.trial_names) - set(given)):
                raise Faults([f"train.{name}: no network for {', '.join(missing)}"])
        return self

    @model_validator(mode="after")
    def _embed_by_a_start_that_there_is(self) -> Self:
        starts = self.train.network_from is None and self.train.start != RANDOM
        if "start" in self.embed.features and not starts:
            raise Faults(
                [
                    "embed.features: start is the network of train.start, which is "
                    f"{self.train.start}"
                    + (" and idle beside train.network_from" if self.train.network_from else "")
                    + ": set train.start to a file or to pretrained, or take start out"
                ]
            )
        return self

    @model_validator(mode="after")
    def _train_a_backbone_that_is_not_frozen(self) -> Self:
        training = self.train.training
        idle = {
            "batch_statistics": training.batch_statistics,
            "recompute": training.recompute,
            "learning_rate_factors.trunk": "trunk" in training.learning_rate_factors,
        }
        faults = [
            f"train.training.{name} has no effect without train.backbone: last:N, norms or all: "
            f"set that, or take {name} back to its default"
            for name, given in idle.items()
            if given and self.train.backbone == FROZEN
        ]
        if faults:
            raise Faults(faults)
        return self

    @model_validator(mode="after")
    def _pool_cubes_of_a_whole_backbone(self) -> Self:
        pooled = [name for name in self.embed.features if name in OF_WHOLE_CUBES]
        if self.train.backbone != FROZEN and pooled:
            raise Faults(
                [
                    f"embed.features: {', '.join(pooled)} pool cubes of the whole backbone, and "
                    f"with train.backbone: {self.train.backbone} there are those of its frozen "
                    f"part alone: leave them out, or take train.backbone back to {FROZEN}"
                ]
            )
        return self

    @model_validator(mode="after")
    def _fit_the_pretrained_network(self) -> Self:
        name = "start" if self.train.network_from is None else "network_from"
        if getattr(self.train, name) != PRETRAINED:
            return self
        try:
            card = pretrained.load_card()
            pretrained.network_file()
            card.require_backbone(self.extract.backbone, self.extract.size)
            if self.ingest.synthetic:
                card.require_other_seed(self.synthesise.seed)
        except pretrained.PretrainedError as error:
            raise Faults([f"train.{name} is {PRETRAINED}: {error}"]) from error
        return self

    @model_validator(mode="after")
    def _measure_by_a_distance_that_there_is(self) -> Self:
        known = ("cosine", *self.learn_metric.metrics)
        if self.assemble.metric not in known:
            hint = did_you_mean(self.assemble.metric, known, f"expected one of {', '.join(known)}")
            raise Faults([f"assemble.metric: no distance is called {self.assemble.metric}; {hint}"])
        return self

    @property
    def _metrics_file(self) -> Path | None:
        given = self.learn_metric.metrics_from
        return pretrained.metrics_file() if given == PRETRAINED else given

    @model_validator(mode="after")
    def _take_from_elsewhere_what_nobody_teaches(self) -> Self:
        if not self.split.nobody_trains:
            return self
        borrowed = self.train.network_from is not None
        can = [
            name
            for name in self.embed.features
            if name in UNTAUGHT or (borrowed and name in OF_A_BORROWED_NETWORK)
        ]
        faults = []
        if lacking := sorted(set(self.embed.features) - set(can)):
            faults.append(
                f"embed.features: {', '.join(lacking)} can't be made, since nobody trains "
                f"(split.train_fraction is 0): take them out, or, for "
                f"{' and '.join(OF_A_BORROWED_NETWORK)}, set train.network_from to a file or to "
                f"{PRETRAINED}"
            )
        if self.learn_metric.metrics and self.learn_metric.metrics_from is None:
            faults.append(
                "learn_metric.metrics can't be learned, since nobody trains "
                "(split.train_fraction is 0): set learn_metric.metrics_from to a file or to "
                f"{PRETRAINED}, or learn_metric.metrics to []"
            )
        if faults:
            raise Faults(faults)
        return self

    @model_validator(mode="after")
    def _re_rank_distances(self) -> Self:
        scores = [name for name in self.learn_metric.metrics if not METRICS[name].is_distance]
        if self.evaluate.re_ranking is not None and scores:
            raise Faults(
                [
                    f"evaluate.re_ranking needs distances, but the score of {', '.join(scores)} "
                    "may be negative: set it to null, or leave the metric out of "
                    "learn_metric.metrics"
                ]
            )
        return self

    @model_validator(mode="after")
    def _fuse_what_is_measured(self) -> Self:
        """Find parts of features that are not embedded, or of metrics that are not learned."""
        fusion, faults = self.evaluate.fusion, []
        metrics = (*PLAIN, *self.learn_metric.metrics)
        for features, metric in fusion.pairs if fusion is not None else ():
            for name, known, where in (
                (features, self.embed.features, "embed.features"),
                (metric, metrics, "learn_metric.metrics"),
            ):
                if name not in known:
                    faults.append(
                        f"evaluate.fusion.parts: {features}/{metric} can't be fused: add {name} to "
                        f"{where}, or take one of {', '.join(known)}"
                    )
        if faults:
            raise Faults(faults)
        return self

    @model_validator(mode="after")
    def _read_what_is_rendered(self) -> Self:
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


Parameters = create_model(
    "Parameters",
    __base__=_Parameters,
    __doc__=_Parameters.__doc__,
    __module__=__name__,
    **{name: (stage.model(), stage.model()()) for name, stage in stages().items()},
)
"""`_Parameters` with the group of every stage."""


def check_guidance(parameters: Parameters) -> None:
    """Refuse a guidance by what frames show where nobody knows it.

    Raises
    ------
    ParameterError
        Naming what is missing.
    """
    if not parameters.train.training.guidance_weight or parameters.train.network_from is not None:
        return
    variants = parameters.extract.augmentation.variants
    missing = {
        "rendered people, of whom alone it is known what each pixel shows: set ingest.root to "
        "null": not parameters.ingest.synthetic,
        "frames as they were rendered: set extract.augmentation.variants to 1": variants > 1,
    }
    for need, lacks in missing.items():
        if lacks:
            raise ParameterError(f"train.training.guidance_weight needs {need}, or the weight to 0")


def check_device(parameters: Parameters) -> None:
    """Refuse GPUs that aren't there, before hours of work lead up to them.

    Raises
    ------
    ParameterError
        Saying how many there are.
    """
    here = parameters.execution.engine == "local"
    processes = parameters.train.training.processes if here else 1
    if not (parameters.device.startswith("cuda") or processes > 1):
        return  # torch takes seconds to import
    try:
        usable_device(parameters.device, processes)
    except ValueError as error:
        raise ParameterError(str(error)) from None


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
    if len(path) > 1 and path[0] == "presets":
        path = path[2:]  # inside a preset all is as in the whole tree
    match list(path):
        case ["presets"]:
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


def _lines(fault: Any, tree: Any, within: Sequence[str] = ()) -> list[str]:
    """Return a line for each parameter that a fault is about."""
    error = fault.get("ctx", {}).get("error")
    if isinstance(error, Faults):
        return error.lines
    if not isinstance(error, NestedFaults):
        return [_explain(fault, tree, within)]
    group = [*within, *_names(fault, tree)]
    return [
        line
        for place, given, inner in error.faults
        for each in inner.errors()
        for line in _lines(each, given, [*group, *place])
    ]


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
    """Say where a parameter, or what is inside it, stands that had another path before.

    ``train.training.modern.rate`` is now ``train.training.learning_rate``.
    """
    match list(path):
        case ["extract", "device"] | ["train", "training", "device"]:
            return "write device, for all stages"
        case ["train", "preset"]:
            return "write preset: it holds for all stages"
        case ["train", "presets"]:
            return "write presets.<name>.train"
        case ["presets", name, "network" | "training" | "start" as group]:
            return f"write presets.{name}.train.{group}"
        case ["train", "network" | "training" as group, "modern" | "paper" | "both", *rest]:
            names = [*rest[:1]] or list(inside)
        case ["train", "training" as group, *rest] if rest and rest[0] in RENAMED:
            names = [rest[0]]
        case _:
            return ""
    now = [f"train.{group}.{RENAMED.get(name, name)}" for name in names] or [f"train.{group}"]
    return f"write {', '.join(now)}, for whichever preset is chosen"


def _unknown(name: str, known: Collection[str]) -> str:
    return f"no such parameter; {_hint(name, known)}"


def _hint(name: str, known: Collection[str]) -> str:
    return did_you_mean(name, known, f"known here: {', '.join(sorted(known))}")
