"""Common to all commands (the Kedro side): readable errors, and the option ``--params``."""

import codecs
import functools
import io
import math
import os
import re
import sys
import traceback
import types
import typing
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from wherewhen.errors import raised_here

_SHOWN = 200
"""Characters of an item that a message shows."""

SHOW_TRACEBACK = "WHEREWHEN_TRACEBACK"
"""Environment variable; with any value, errors come with the way to where they were raised."""


PLAIN_TEXT = {"±": "+-", "·": "-", "─": "-", "━": "-", "│": "|", "…": "...", "λ": "l"}
"""How letters are spelled on a console that lacks them; others become question marks."""


def _in_plain_text(error: UnicodeError) -> tuple[str, int]:
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN_TEXT.get(letter, "?") for letter in lacking), error.end


codecs.register_error("plain", _in_plain_text)


def plain_errors(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command end with the message alone where the message says all that helps.

    That is the case for errors that this project raised on purpose: they name the file, row or
    parameter and what to do, and a page of calls would only bury them; for a disk that is full,
    broken or protected; for too little memory. Anything else is a bug, and keeps its traceback.

    Examples
    --------
    >>> from wherewhen.presets import load_preset
    >>> plain_errors(load_preset)("papr")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    click.exceptions.ClickException: unknown preset 'papr': choose from finetuned, ..., paper
    (traceback: set WHEREWHEN_TRACEBACK=1)
    """

    @functools.wraps(callback)
    def run(*arguments: Any, **options: Any) -> Any:
        keep_consoles_writable()
        try:
            return callback(*arguments, **options)
        except click.ClickException:
            raise  # a message already
        except Exception as error:
            ours = on_purpose(error) or of_the_disk(error) or of_memory(error)
            if ours is None or os.environ.get(SHOW_TRACEBACK):
                raise
            raise click.ClickException(f"{ours}\n(traceback: set {SHOW_TRACEBACK}=1)") from None

    return run


class _Console(io.TextIOWrapper):
    """Standard output or error that writes nowhere once its reader has gone."""

    def write(self, text: str) -> int:
        return self._kept_open(super().write, text) or len(text)

    def flush(self) -> None:
        self._kept_open(super().flush)

    def _kept_open(self, action: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return action(*arguments)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())


def keep_consoles_writable() -> None:
    """Let no message end a command: of letters that the console lacks, or into a closed pipe.

    Such letters are spelled as in `PLAIN_TEXT`.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            console = _Console(
                stream.buffer,
                stream.encoding,
                "plain",
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            setattr(sys, name, console)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what caused it, the first cause last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def on_purpose(error: BaseException) -> BaseException | None:
    """Return what was raised on purpose behind an error, for the user; None if it is a bug.

    That is what this package raises, and what Kedro says of pipelines, nodes and files that a user
    has named.
    """
    return next((each for each in chain(error) if raised_here(each) or _by_kedro(each)), None)


def of_the_disk(error: BaseException) -> str | None:
    """Describe the fault of a disk that is full, broken or protected behind an error, and its cure.

    Libraries written in Rust name the system's number in words: ``(os error 28)``.
    """
    from wherewhen.tracklets.files import CURES

    errors = list(chain(error))
    for each in errors:
        named = re.search(r"\(os error (\d+)\)", str(each))
        number = int(named[1]) if named else getattr(each, "errno", None)
        if number in CURES and (named or isinstance(each, OSError)):
            notes = [note for one in errors for note in getattr(one, "__notes__", [])]
            where = getattr(each, "filename", None) or (notes[0] if notes else "")
            return (
                f"{os.strerror(number)}: {where}. {CURES[number].capitalize()}, and run again: "
                "what is whole is kept"
            )
    return None


def of_memory(error: BaseException) -> str | None:
    """Say that memory does not suffice, if that is behind an error, and what to do.

    Examples
    --------
    >>> of_memory(MemoryError("Unable to allocate 8.00 GiB for an array"))
    'out of memory: Unable to allocate 8.00 GiB for an array. Close other programs, or take a \
machine with more, and run again: what is whole is kept'
    """
    from wherewhen.memory import is_exhausted

    first = next(filter(is_exhausted, chain(error)), None)
    if first is None:
        return None
    said = next(iter(str(first).splitlines()), "") or type(first).__name__
    return (
        f"out of memory: {said}. Close other programs, or take a machine with more, and run again: "
        "what is whole is kept"
    )


def _by_kedro(error: BaseException) -> bool:
    """Whether Kedro says by an error that something which was named is not there."""
    return isinstance(error, ValueError) and any(
        re.search(r"/kedro/(pipeline|framework/session)/", Path(frame.filename).as_posix())
        for frame in traceback.extract_tb(error.__traceback__)[-1:]
    )


def split_items(text: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes.

    A quote counts where a word begins: that in ``O'Brien`` is a letter like others.

    Examples
    --------
    >>> split_items("a=1,b=[2,3],c={d: 4, e: 5},f='6,7'")
    ['a=1', 'b=[2,3]', 'c={d: 4, e: 5}', "f='6,7'"]
    """
    items, depth, quote, before = [""], 0, "", "="
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"" and before in ("=[{,:" if depth else "="):
            quote = character
        else:
            depth += (character in "[{") - (character in "]}")
        if character == "," and depth <= 0 and not quote:
            items.append("")
        else:
            items[-1] += character
        before = before if character.isspace() else character
    return [item.strip() for item in items if item.strip()]


def read_params(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Read ``--params``, ``NAME=VALUE,NAME=VALUE``: as Kedro does, but no value changes in silence.

    Kedro reads values as YAML 1.1, for which ``01`` and ``0x1`` are 1, ``1_0`` is 10, ``12:30`` is
    750, ``on`` is true and nothing at all is null. Here, of words without quotes,

    - ``null``, ``true`` and ``false`` (also ``True``, ``TRUE``, ...) are what they say;
    - a number is one if it is written in decimal digits without a leading zero or plus, with a
      point or an exponent (``7``, ``-0.5``, ``.5``, ``1e-3``);
    - all else is text: ``01``, ``1_000``, ``0x10``, ``on``, ``~``, ``12:30``, ``2026-01-01``;
    - where the parameter is a name or a path, all but ``null`` is text, ``1`` and ``1e3``, too;
    - words in quotes are text.

    Where a parameter takes anything (``embed.baselines.fv3d.signed``), ``yes``, ``no``, ``on`` and
    ``off`` are refused: to Python, every text is true.

    ``[...]`` and ``{...}`` are lists and mappings of such values, in YAML's flow style.

    Parameters
    ----------
    context, option
        Click's.
    value : str or dict
        What was given; a dict, as from a file of options, is handed on.

    Returns
    -------
    dict
        Nested where names have dots.

    Raises
    ------
    click.BadParameter
        Naming the item that can't be read, and what was expected.
    """
    if isinstance(value, dict):  # Kedro's, from a file of options
        return value
    try:
        return parse_params(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from None


def parse_params(text: str) -> dict[str, Any]:
    """Read ``NAME=VALUE,NAME=VALUE``; see `read_params`.

    Raises
    ------
    ValueError
        Naming the item that can't be read, and what was expected.

    Examples
    --------
    >>> parse_params("split.trials=3,split.probe_camera=1,embed.features=[network, hog3d]")
    {'split': {'trials': 3, 'probe_camera': '1'}, 'embed': {'features': ['network', 'hog3d']}}
    """
    tree: dict[str, Any] = {}
    for item in split_items(text):
        try:
            _enter(tree, *_read_item(item))
        except ValueError as error:
            raise ValueError(f"`{printable(item)}`: {error}") from None
    return tree


def printable(text: str) -> str:
    """Write a text for a message: what a console may refuse as escapes, and not without end."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in shown
    )


def _read_item(item: str) -> tuple[list[str], Any]:
    """Read one ``NAME=VALUE``: the parts of the name, and the value."""
    name, equals, text = (part.strip() for part in item.partition("="))
    parts = [part.strip() for part in name.split(".")]
    if not equals or not all(parts):
        raise ValueError("expected NAME=VALUE, a name's parts with dots between them")
    if not text:
        raise ValueError("expected NAME=VALUE; write null for no value, '' for an empty text")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("expected text in UTF-8 in one line, without control characters")
    if "${" in text:
        raise ValueError(
            "expected the value itself: ${...} is read in files under conf/ alone (a shell "
            'replaces its variables in "double quotes")'
        )
    return parts, _read_value(text, ".".join(parts))


def _read_value(text: str, name: str) -> Any:
    if text.startswith("!"):
        raise ValueError("expected a plain value, without a YAML tag; put a text in quotes")
    if text.startswith(("[", "{", "'", '"')):
        _refuse_depth(text)
        return _plain(_node(text), name)
    if any(text.count(one) != text.count(two) for one, two in ("[]", "{}")):
        raise ValueError("brackets are not paired; put a text with brackets in quotes")
    return _word(text, name)


def _refuse_depth(text: str) -> None:
    """Refuse brackets in each other that YAML's scanner would be at for minutes."""
    depth = 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if depth > _DEEPEST:
            raise ValueError("lists or mappings are nested too deeply")


def _node(text: str) -> Any:
    """Parse YAML without giving values a meaning."""
    import yaml

    try:
        more = (yaml.AliasToken, yaml.AnchorToken, yaml.DirectiveToken, yaml.TagToken)
        if any(isinstance(token, more) for token in yaml.scan(text)):
            raise ValueError("expected no !, & and * of YAML; put a text with them in quotes")
        return yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise ValueError(
            f"expected a list [a, b], a mapping {{a: 1, b: 2}} or a text in quotes ({problem})"
        ) from error
    except RecursionError:
        raise ValueError("lists or mappings are nested too deeply") from None


def _plain(node: Any, name: str) -> Any:
    """Make lists, mappings and values of what YAML's parser found."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style else _word(node.value, name)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each, name) for each in node.value]
    content: dict[str, Any] = {}
    for key, each in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError("expected words as the names in {...}")
        if key.value in content:
            raise ValueError(f"{key.value} stands twice in {{...}}")
        if isinstance(each, yaml.ScalarNode) and not each.value and not each.style:
            raise ValueError(f"{key.value} has no value in {{...}}; write {key.value}: null")
        content[key.value] = _plain(each, f"{name}.{key.value}")
    return content


_WHOLE = re.compile(r"-?[1-9][0-9]*|0")
_FRACTION = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_TRUTH = re.compile("true|True|TRUE|false|False|FALSE")
_SWITCHES = ("yes", "no", "on", "off")
"""Words that are truths in YAML 1.1: as a text, ``no`` would be true."""

_DEEPEST = 64
"""Lists and mappings in each other."""

_DIGITS = 18
"""Digits of a whole number: more are a name, and Python refuses some thousand."""


def _word(text: str, name: str) -> Any:
    """Give a word without quotes its meaning."""
    if text == "null":
        return None
    if is_text(name):
        return text
    if Any in _kinds(name) and text.lower() in _SWITCHES:
        raise ValueError(f"expected true or false; put {text} in quotes if it is a text")
    if _TRUTH.fullmatch(text):
        return text.lower() == "true"
    if _WHOLE.fullmatch(text) and len(text) <= _DIGITS:
        return int(text)
    if _FRACTION.fullmatch(text) and re.search("[.eE]", text) and math.isfinite(float(text)):
        return float(text)
    return text


def is_text(name: str) -> bool:
    """Whether a parameter takes text and no number, such as a camera's name or a path.

    Not if it is unknown, or takes anything.

    Examples
    --------
    >>> is_text("split.probe_camera"), is_text("split.trials")
    (True, False)
    """
    kinds = _kinds(name)
    return bool(kinds) and all(
        kind in (str, Path, type(None)) or isinstance(kind, str) for kind in kinds
    )


def _kinds(name: str) -> list[Any]:
    """List the types, or the values, that a parameter may have: none if it is not known."""
    from wherewhen.pipelines.parameters import Parameters

    kinds: list[Any] = [Parameters]
    for part in name.split("."):
        kinds = [kind for each in kinds for kind in _inside(each, part)]
    return kinds


def _inside(kind: Any, part: str) -> list[Any]:
    """List what a group or a dict may have under a name."""
    for name, field in getattr(kind, "model_fields", {}).items():
        if part in (name, field.alias):
            return _alternatives(field.annotation)
    if kind is Any:
        return [Any]
    return _alternatives(typing.get_args(kind)[1]) if typing.get_origin(kind) is dict else []


def _alternatives(kind: Any) -> list[Any]:
    """List the types, or the values, that an annotation allows; those in a list or tuple, too."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return list(inner)
    if origin is typing.Annotated:
        inner = inner[:1]
    elif origin not in (typing.Union, types.UnionType, tuple, list):
        return [] if kind is ... else [kind]
    return [one for each in inner for one in _alternatives(each)]


def _enter(tree: dict[str, Any], parts: list[str], value: Any) -> None:
    """Put a value at its place; the last of two for one name counts, mappings are joined."""
    for depth, part in enumerate(parts[:-1], start=1):
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ValueError(f"{'.'.join(parts[:depth])} has a value already, so no parts")
    last = parts[-1]
    if isinstance(tree.get(last), dict) and isinstance(value, dict):
        for name, each in value.items():
            _enter(tree[last], [name], each)
    elif last in tree and isinstance(tree[last], dict) != isinstance(value, dict):
        raise ValueError(f"{'.'.join(parts)} is given a value here and parts elsewhere")
    else:
        tree[last] = value
