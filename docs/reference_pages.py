"""Write the pages of the reference that follow from the code.

``uv run python docs/reference_pages.py`` writes them; ``tests/documents/test_reference_pages.py``
says when a page is out of date.
"""

from __future__ import annotations

import pkgutil
import re
import sys
import types
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import yaml
from omegaconf import OmegaConf
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from wherewhen.presets import load_preset

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = Path(__file__).resolve().parent / "reference"
HEAD = "<!-- Made by `uv run python docs/reference_pages.py`: change the code, not this page. -->\n"


# --- parameters ----------------------------------------------------------------------------------


def parameters_page() -> str:
    """Return the page of all parameters: names, values, defaults, descriptions."""
    from wherewhen.pipelines.parameters import Parameters

    fields = Parameters.model_fields.items()
    groups = {name: group for name, field in fields if (group := group_in(field.annotation))}
    others = [(name, field) for name, field in fields if name not in groups]
    parts = [HEAD, PARAMETERS, "## All stages\n"]
    parts.append(fields_table([each for name, field in others for each in described(field, name)]))
    for name, group in groups.items():
        parts.append(f"## `{name}`\n\n{plain(first_paragraph(group))}\n")
        parts.append(fields_table(list(fields_of(group, name))))
    return "\n".join(parts)


def fields_table(fields: list[tuple[str, str, Any, str]]) -> str:
    """Return the table of some parameters, without the columns that would be empty."""
    base, paper = configured_values(), dict(leaves(load_preset("paper")))
    columns = {
        "parameter": [f"`{path}`" for path, *_ in fields],
        "values": [values for _, values, *_ in fields],
        "default": [code(default) for _, _, default, _ in fields],
        "preset `paper`": [changed(paper.get(path, UNSET), d) for path, _, d, _ in fields],
        "in `conf/base`": [changed(base.get(path, UNSET), d) for path, _, d, _ in fields],
        "meaning": [text for *_, text in fields],
    }
    shown = {head: cells for head, cells in columns.items() if any(cells)}
    return table(list(shown), [list(row) for row in zip(*shown.values(), strict=True)])


PARAMETERS = """# Parameters

Every parameter of a run. Values are set in `conf/<environment>/parameters*.yml`, or for one run by
`--params`:

```console
uv run kedro run --params train.training.epochs=20,split.trials=1
```

An environment's values are laid over those of `conf/base`, and `--params` over both. An unknown
name or an impossible value stops the run before any work, and the message names the parameter and
the nearest known name. The column *in `conf/base`* has the value of the demonstration where it
differs from the default.

`preset` chooses a file of `src/wherewhen/presets`: values of any stage that replace the defaults.
An environment lays its own over a preset under `presets.<preset>`, and what it says under a stage's
own name is laid over that, in every preset.
"""

UNSET = object()
UNIONS = (Union, types.UnionType)


def fields_of(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, Any, str]]:
    """Yield path, possible values, default and description of each field, groups opened."""
    groups = []
    for name, field in model.model_fields.items():
        path, group = f"{prefix}.{field.alias or name}", group_in(field.annotation)
        yield from described(field, path)
        groups += [(group, path)] if group else []
    for group, path in groups:
        yield from fields_of(group, path)


def described(field: FieldInfo, path: str) -> Iterator[tuple[str, str, Any, str]]:
    """Yield path, possible values, default and description of a field."""
    default = UNSET if group_in(field.annotation) else default_of(field)
    yield path, values_of(field), default, plain(field.description or "")


def group_in(annotation: Any) -> type[BaseModel] | None:
    """Return the pydantic model that an annotation is, or is besides None."""
    kinds = get_args(annotation) if get_origin(annotation) in UNIONS else [annotation]
    found = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return found[0] if found else None


def default_of(field: FieldInfo) -> Any:
    """Return a field's default; `UNSET` where there is none."""
    default = field.get_default(call_default_factory=True)
    return UNSET if default is PydanticUndefined else default


def values_of(field: FieldInfo) -> str:
    """Describe which values a field takes."""
    return kind_of(field.annotation, tuple(field.metadata))


def kind_of(annotation: Any, bounds: tuple[Any, ...] = ()) -> str:
    """Describe an annotation in words: `number >= 1`, `"all" or "train"`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind_of(arguments[0], (*arguments[1:], *bounds))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in UNIONS:
        return " or ".join(kind_of(each, bounds) for each in arguments)
    if annotation is type(None):
        return "`null`"
    if group_in(annotation) is not None:
        return "group"
    if origin in (tuple, list, set, frozenset):
        inner = arguments[0] if arguments else str
        return f"list of {kind_of(inner)}"
    if origin is dict:
        return "mapping"
    words = {bool: "`true`, `false`", int: "whole number", float: "number"}
    words |= {str: "text", Path: "path"}
    word = words.get(annotation, getattr(annotation, "__name__", str(annotation)))
    limits = [limit for each in bounds for limit in limits_of(each)] if word != "`null`" else []
    return f"{word} {' and '.join(limits)}".strip()


def limits_of(bound: Any) -> Iterator[str]:
    """Yield the limits that a piece of a field's metadata sets."""
    if isinstance(bound, FieldInfo):
        for each in bound.metadata:
            yield from limits_of(each)
    for name, sign in {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}.items():
        if (limit := getattr(bound, name, None)) is not None:
            yield f"{sign} {limit:g}"


def configured_values() -> dict[str, Any]:
    """Return the values of ``conf/base`` by their dotted paths, its default preset's laid flat."""
    files = sorted((REPOSITORY / "conf/base").glob("parameters*.yml"))
    tree = OmegaConf.merge(*(yaml.safe_load(file.read_text(encoding="utf-8")) for file in files))
    values = dict(leaves(OmegaConf.to_container(tree)))
    preset = f"presets.{values['preset']}."
    return {path.removeprefix(preset): value for path, value in values.items()}


def changed(value: Any, default: Any) -> str:
    """Return a configured value, where it differs from the default; nothing for a group."""
    is_group = isinstance(value, dict) and (
        default is UNSET or any(map(is_mapping, value.values()))
    )
    return "" if is_group or code(value) == code(default) else code(value)


def is_mapping(value: Any) -> bool:
    """Whether a value has values by name."""
    return isinstance(value, dict)


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of a tree with its dotted path."""
    if not isinstance(tree, dict):
        yield path, tree
        return
    yield path, tree
    for name, value in tree.items():
        yield from leaves(value, f"{path}.{name}" if path else str(name))


# --- catalog -------------------------------------------------------------------------------------


def catalog_page() -> str:
    """Return the page of the data catalog: names, files, formats."""
    parts = [HEAD, CATALOG]
    for file in sorted((REPOSITORY / "conf/base").glob("catalog*.yml")):
        entries = yaml.safe_load(file.read_text(encoding="utf-8"))
        rows = [
            [
                f"`{name}`",
                f"`{entry.get('filepath', 'in memory')}`".replace(
                    "${globals:dataset}", "<dataset>"
                ),
                f"`{entry['type']}`",
                "one for each identity" if entry.get("versioned") else "the last one",
                mlflow_of(entry),
            ]
            for name, entry in entries.items()
            if not name.startswith("_")
        ]
        parts.append(f"## Stage `{file.stem.removeprefix('catalog_')}`\n")
        parts.append(table(["name", "file", "type", "kept", "in MLflow"], rows))
    return "\n".join(parts)


CATALOG = """# Catalog

Every artifact that a run reads or writes, as `conf/base/catalog_*.yml` declares them. `{trial}` is
`trial_00`, `trial_01`, ...; `{features}` is a kind of features; `<dataset>` is the name in the
environment's `globals.yml`.

Artifacts that are kept *one for each identity* lie in a folder of their own beside a record of what
they were made from: `FILE/<identity>/FILE` and `FILE/<identity>/record.json`
([lineage](../explanation/lineage.md)). In a notebook, `catalog.load("scores")` loads what fits the
parameters of the session.
"""


def mlflow_of(entry: dict[str, Any]) -> str:
    """Return the folder of MLflow's artifacts that an entry is copied to."""
    found = entry.get("metadata", {}).get("mlflow", {})
    return f"`{found['artifact_path']}`" if "artifact_path" in found else ""


# --- command line --------------------------------------------------------------------------------


def command_line_page() -> str:
    """Return the page of the commands: their arguments and options."""
    from wherewhen.cli import cli

    parts = [HEAD, COMMANDS]
    for words, command in commands_of(cli, "kedro"):
        parts.append(f"## `{words}`\n\n{plain(command.help or '')}\n")
        own = [each for each in command.params if not getattr(each, "hidden", False)]
        rows = [[spelling(each), plain(getattr(each, "help", None) or ARGUMENT)] for each in own]
        parts.append(table(["option", "meaning"], rows))
    return "\n".join(parts)


ARGUMENT = "An argument: see above."

COMMANDS = """# Command line

`uv run kedro COMMAND` in the project's folder; with the installed wheel `wherewhen COMMAND`. These
are the project's own commands and options, and `kedro run`. Kedro's other commands
(`kedro catalog`, `kedro registry`, `kedro package`, ...) work as in any project.
"""


def commands_of(group: click.Group, words: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command below a group with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_of(command, f"{words} {name}")
        else:
            yield f"{words} {name}", command


def spelling(option: click.Parameter) -> str:
    """Return how an option or argument is written."""
    if isinstance(option, click.Argument):
        return f"`{option.make_metavar(click.Context(click.Command('any')))}`"
    takes = "" if getattr(option, "is_flag", False) else f" *{option.metavar or 'VALUE'}*"
    return ", ".join(f"`{name}`" for name in option.opts) + takes


# --- components ----------------------------------------------------------------------------------


def components_page() -> str:
    """Return the page of the parts that parameters choose by name."""
    sections = [readers(), backbones(), features(), metrics(), loss_terms(), figures()]
    return "\n".join([HEAD, COMPONENTS, *sections])


COMPONENTS = """# Components

The parts that parameters choose by name: each is a module with a record.
[Add a component](../how-to/add-a-component.md) says how to write another one.
"""


def readers() -> str:
    """Return the section of the readers, with a table of options each."""
    from wherewhen.tracklets.readers import READERS

    rows = [[f"`{r.name}`", r.title, f"`{r.layout}`", summary(r)] for r in READERS.values()]
    parts = [
        "## Readers (`ingest.reader`)\n",
        table(["name", "data set", "layout", "module"], rows),
    ]
    parts.append("Options, as `ingest.options.<reader>.<option>`:\n")
    options = [
        [f"`{path}`", values, code(default), text]
        for reader in READERS.values()
        for path, values, default, text in fields_of(reader.options, reader.name)
    ]
    return "\n".join([*parts, table(["option", "values", "default", "meaning"], options)])


def summary(record: Any) -> str:
    """Return the module that a record's function is in, relative to the package."""
    return f"`{record.read.__module__.removeprefix('wherewhen.')}`"


def backbones() -> str:
    """Return the section of the backbones."""
    from wherewhen.features.backbones import BACKBONES

    rows = [
        [f"`{name}NAME`" if name.endswith(":") else f"`{name}`", kind.description]
        for name, kind in BACKBONES.items()
    ]
    head = "## Backbones (`extract.backbone`)\n"
    foot = (
        "With `:pool` behind its name, the mean over its grid, 1 x 1 x D. A ResNet of timm with "
        "`:stride1`, such as `timm:resnet50:stride1`: its last stage does not halve the grid. "
        "Grids are those of images of 224 x 224 (`extract.size`).\n"
    )
    return "\n".join([head, table(["name", "features"], rows), foot])


def features() -> str:
    """Return the section of the kinds of features."""
    from wherewhen.pipelines.embed.features import FEATURES, unlearned_metrics
    from wherewhen.reporting.style import describe_features

    rows = [
        [
            f"`{name}`",
            describe_features(name),
            kind.description,
            ", ".join(f"`{metric}`" for metric in sorted(unlearned_metrics(name))),
        ]
        for name, kind in FEATURES.items()
    ]
    head = "## Kinds of features (`embed.features`)\n"
    foot = "They are also measured by every metric of `learn_metric.metrics`.\n"
    columns = ["name", "label", "what it is", "measured without learning by"]
    return "\n".join([head, table(columns, rows), foot])


def metrics() -> str:
    """Return the section of the learned metrics, with their options."""
    from wherewhen.metric_learning import METRICS

    rows = [
        [
            f"`{kind.name}`",
            kind.label,
            plain(first_paragraph(kind.estimator())),
            ", ".join(f"`{name}`" for name in kind.estimator()().get_params()),
        ]
        for kind in METRICS.values()
    ]
    head = "## Learned metrics (`learn_metric.metrics`)\n"
    foot = "Options are set as `learn_metric.<metric>.<option>`; [library](library.md) has them.\n"
    return "\n".join([head, table(["name", "label", "what it is", "options"], rows), foot])


def loss_terms() -> str:
    """Return the section of the additional terms of the loss."""
    from wherewhen.training import losses

    rows = []
    for info in pkgutil.iter_modules(losses.__path__):
        module = import_module(f"{losses.__name__}.{info.name}")
        if hasattr(module, "TERM"):
            rows.append([f"`{info.name}_weight`", plain(first_paragraph(module))])
    head = "## Terms of the loss (`train.training.<name>_weight`)\n"
    return "\n".join([head, table(["weighed by", "what it is"], rows)])


def figures() -> str:
    """Return the section of the figures."""
    from wherewhen.reporting.figures import FIGURES

    rows = [
        [
            f"`{kind.name}`",
            DRAWN[kind.stage],
            ", ".join(f"`{name}`" for name in kind.needs),
            "yes" if kind.people else "no",
            plain(kind.caption),
        ]
        for kind in FIGURES.values()
    ]
    head = ["name", "drawn", "needs", "shows people", "caption"]
    return "\n".join(["## Figures\n", table(head, rows)])


DRAWN = {
    "report": "by `report`, for a run",
    "analyse": "by `analyse`, for a trial",
    "experiment": "for an experiment",
}

# --- hostile input -------------------------------------------------------------------------------


def hostile_page() -> str:
    """Return the table of hostile inputs and what is said of them."""
    sys.path.insert(0, str(REPOSITORY / "tests/support"))
    from hostile import all_cases

    cases = all_cases()
    parts = [HEAD, HOSTILE.format(count=len(cases))]
    for kind in dict.fromkeys(each.kind for each in cases):
        rows = [
            [plain(each.given).replace("<", "\\<"), said_of(each), f"{each.megabytes}"]
            for each in cases
            if each.kind == kind
        ]
        parts.append(f"## {kind[0].upper()}{kind[1:]}\n")
        parts.append(table(["input", "what is said, or comes of it", "memory at most (MB)"], rows))
    return "\n".join(parts)


def said_of(case: Any) -> str:
    """Return the excerpt of a message in code with its error; or what comes of the input."""
    if not case.error:
        return plain(case.said)
    said = (
        ""
        if case.said == "..."
        else f": `` {case.said.replace('...', '…').replace('|', chr(92) + '|')} ``"
    )
    return f"`{case.error}`{said}"


HOSTILE = """# Hostile input

What is read may come from strangers: footage and archives, lists and tables, files of networks,
requests over HTTP. Of each kind, this page lists inputs that tests make ({count}), and what is said
of them: the error, and a part of its message (`…` stands for what differs). Nothing of an input
runs as code, nothing is written outside the folders that are named for it, and a refusal leaves
nothing half-written. Each answer takes at most the memory that the table says, beside what the
process had before, and 10 seconds of a processor, 30 where a backbone is looked at (most take a
hundredth).

```console
uv run pytest tests/hostile          # every row, in a process of its own
```

Of every kind, changed inputs are tried, too (`tests/hostile/test_mutations.py`), and readers are
fuzzed by `tests/hostile/fuzz.py` with atheris, here 17,000 inputs on 2026-11-28 (two shared cores,
`--runs 2000` or 3000; inputs, and edges of the code that they reached): boxes (2000, 79), zip
(2000, 367), tar (2000, 317), splits as JSON (3000, 94), marks (3000, 40), `--params` (3000, 116),
PNG (2000, 32). It found two faults, which are mended and kept in `tests/hostile/found`: a name in a
zip that begins with NUL, and a MATLAB file of an unknown type, at which scipy ended the process.

Trusted are the configuration under `conf/`, which names classes that are imported, and what the
project's own runs left in `data/`: checksums find damage there, but whoever can write to it can
change results. MLflow's database and Optuna's are opened as they are; keep them where only you
write.
"""

# --- text ----------------------------------------------------------------------------------------


def first_paragraph(thing: Any) -> str:
    """Return the first paragraph of a docstring."""
    return (thing.__doc__ or "").strip().partition("\n\n")[0]


def plain(docstring: str) -> str:
    """Return a docstring as one line of Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", docstring)
    text = text.replace("``", "`").replace("|", "\\|")
    return " ".join(text.split())


def code(value: Any) -> str:
    """Return a value as YAML would have it, in code."""
    is_group = isinstance(value, BaseModel) or (isinstance(value, dict) and len(value) > 3)
    if value is UNSET or is_group:
        return ""
    plain_value = list(value) if isinstance(value, tuple) else value
    if isinstance(plain_value, list):
        plain_value = [list(each) if isinstance(each, tuple) else each for each in plain_value]
    text = yaml.safe_dump(plain_value, default_flow_style=True, width=1000)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


GENERATED = {
    "parameters.md": parameters_page,
    "catalog.md": catalog_page,
    "command-line.md": command_line_page,
    "components.md": components_page,
    "hostile-input.md": hostile_page,
}
"""The pages and the functions that write them."""


def main() -> None:
    """Write all pages."""
    for name, page in GENERATED.items():
        (PAGES / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
