"""Kill commands over and over, in all stages, and compare what they end with.

    uv run python tests/faults/kills.py --json docs/results/kills.json
    uv run python tests/faults/kills.py --kills 20                        a look

A small version of the demonstration is run once undisturbed. Then it is run in a copy and killed
with SIGKILL, stage by stage: at a file operation (before or after it) or at a moment that are drawn
by a seeded generator. The next command is the same one, and may be killed itself. When all stages
were hit the chain is finished by a plain `kedro run`, compared with the undisturbed one, and begun
anew, until there were enough kills. An experiment and a sweep take a share of them.

Lost work is the processor time from the last thing that stays (a record, a tracklet, a checkpoint)
to the kill: what the next command does again. The start of a command is none of it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "tests/support"), str(REPOSITORY / "benchmarks")]

import _record  # noqa: E402
from endings import differences, evaluations, leavings, statuses  # noqa: E402
from forked import END, START, Death, Ended, Launcher  # noqa: E402
from projects import TINY, Project, copy_project  # noqa: E402

from wherewhen.pipelines.stages import stages  # noqa: E402

STAGES = tuple(name for name, stage in stages().items() if not stage.by_name)

ANYWHERE = "anywhere"
"""From the start of a command to its end."""

PER_PLACE = 2
"""Kills in a stage, until a command comes to its end and is begun anew."""

SHARE = 0.1
"""Of all kills, for the experiment and for the sweep each."""


@dataclass(frozen=True)
class Command:
    """A command that is killed, and the stages in which it may be.

    Attributes
    ----------
    name : str
        In the table.
    words : tuple of str
        Of the command.
    places : tuple of str
        Stages in which it is killed, in turn, or `ANYWHERE`.
    share : float
        Of all kills.
    """

    name: str
    words: tuple[str, ...]
    places: tuple[str, ...]
    share: float


COMMANDS = (
    Command("run", ("run",), (START, *STAGES, END), 1 - 2 * SHARE),
    Command("experiment", ("experiment", "run", "kills"), (ANYWHERE,) * 4, SHARE),
    Command("sweep", ("experiment", "sweep", "kills", "-n", "3"), (ANYWHERE,) * 4, SHARE),
)

EXPERIMENT = """
kills:
  title: A row that trains
  table: IV
  rows:
    average pooling:
      parameters: {train.network.temporal_pooling: average, embed.features: [network]}
"""

SWEEP = """
kills:
  search:
    learn_metric.dimension: {low: 5, high: 25}
  features: row_pooled
  metric: kissme
  validation: 0.5
"""


@dataclass
class Record:
    """What was counted."""

    kills: list[dict[str, Any]] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    """Commands that came to their end, by name."""
    again: Counter[str] = field(default_factory=Counter)
    """Commands that were started after a kill."""
    differences: list[str] = field(default_factory=list)

    def note(self, command: Command, ended: Ended) -> None:
        """Note a kill."""
        kill = {
            "command": command.name,
            "stage": ended.stage,
            "point": ended.point and " ".join(ended.point.split()[:2]),
            "lost": ended.lost,
        }
        self.kills.append(kill)
        _say(f"{len(self.kills)}: {kill} {ended.point or ''}")

    def ended(self, command: Command, differences: Sequence[str]) -> None:
        """Note that a command came to its end, and what differs then."""
        self.ends[command.name] += 1
        self.differences += [f"{command.name}: {each}" for each in differences]
        _say(f"{command.name} ended; differences: {self.differences}")

    def count(self, name: str) -> int:
        """Count the kills of a command."""
        return sum(kill["command"] == name for kill in self.kills)

    def rows(self) -> list[dict[str, Any]]:
        """Summarise kills by command and stage."""
        keys = sorted({(each["command"], each["stage"]) for each in self.kills}, key=_order)
        return [self._row(*key) for key in keys]

    def _row(self, command: str, stage: str) -> dict[str, Any]:
        kills = [
            each for each in self.kills if (each["command"], each["stage"]) == (command, stage)
        ]
        lost = [each["lost"] for each in kills]
        return {
            "command": command,
            "stage": stage,
            "kills": len(kills),
            "at_operations": sum(each["point"] is not None for each in kills),
            "lost_median": round(statistics.median(lost), 2),
            "lost_most": round(max(lost), 2),
        }

    def totals(self) -> dict[str, Any]:
        """Summarise all kills."""
        lost = [each["lost"] for each in self.kills]
        return {
            "kills": len(self.kills),
            "commands_ended": dict(self.ends),
            "started_again": dict(self.again),
            "lost_median": round(statistics.median(lost), 2),
            "lost_most": round(max(lost), 2),
            "differences": self.differences,
            "points": self.points(),
        }

    def points(self) -> dict[str, int]:
        """Count the kills at each kind of file operation, and at moments."""
        return dict(sorted(Counter(each["point"] or "moment" for each in self.kills).items()))


def _order(key: tuple[str, str]) -> tuple[int, int]:
    command, stage = key
    names = [each.name for each in COMMANDS]
    return names.index(command), (START, *STAGES, END).index(stage)


class Tormentor:
    """Two projects in which the same commands run: in one undisturbed, in the other killed.

    Parameters
    ----------
    launcher : Launcher
        Starts the commands.
    folder : Path
        Where the projects are made.
    seed : int
        Of the generator that draws where commands are killed.
    """

    def __init__(self, launcher: Launcher, folder: Path, seed: int) -> None:
        self._launcher, self._generator = launcher, random.Random(seed)
        self.record, self._base = Record(), folder / "base"
        self._undisturbed, self._killed = (
            self._project(folder / name) for name in ("undisturbed", "killed")
        )

    @staticmethod
    def _project(folder: Path) -> Project:
        project = copy_project(REPOSITORY, folder)
        (project.root / "conf/base/experiments.yml").write_text(EXPERIMENT)
        (project.root / "conf/base/sweeps.yml").write_text(SWEEP)
        return project

    def kill(self, command: Command, kills: int) -> Iterator[Record]:
        """Kill a command so many times; yield what was counted whenever it came to its end."""
        _copy_data(self._undisturbed.root, self._base)
        whole = self._launcher.run(self._undisturbed, *command.words, **TINY)
        if whole.code != 0:
            raise RuntimeError(f"{command.name} failed undisturbed:\n{whole.output}")
        _say(f"{command.name} undisturbed: {whole.processor} s, {whole.seconds}")
        while (left := kills - self.record.count(command.name)) > 0:
            _copy_data(self._base, self._killed.root)
            self._chain(command, whole, left)
            yield self.record

    def _chain(self, command: Command, whole: Ended, kills: int) -> None:
        """Run a command until it comes to its end, and kill it so many times at most before."""
        places = [place for place in command.places for _ in range(PER_PLACE)]
        chosen = sorted(self._generator.sample(range(len(places)), min(kills, len(places))))
        ended = None
        for place in [*(places[each] for each in chosen), None]:
            death = None if place is None else self._death(whole, place)
            self.record.again[command.name] += ended is not None
            ended = self._launcher.run(self._killed, *command.words, death=death, **TINY)
            if not ended.was_killed:
                break
            self.record.note(command, ended)
        self._compare(command, ended)

    def _death(self, whole: Ended, place: str) -> Death:
        """Draw an operation or a moment of a stage, by how many and how long it has undisturbed."""
        everywhere = place == ANYWHERE
        stage = None if everywhere else place
        if self._generator.random() < 0.5:
            counts = whole.operations
            most = sum(counts.values()) if everywhere else counts.get(place, 1)
            return Death(stage, operation=self._generator.randint(1, most))
        seconds = whole.seconds
        most = sum(seconds.values()) if everywhere else seconds.get(place, 0.0)
        return Death(stage, seconds=self._generator.uniform(0, most))

    def _compare(self, command: Command, ended: Ended) -> None:
        """Note how the two projects differ when a command has come to its end."""
        found = differences(self._killed, self._undisturbed)
        found += [f"left: {name}" for name in leavings(self._killed)]
        if ended.code != 0:
            found.append(f"ended with {ended.code}: {ended.output}")
        if evaluations(self._killed)[0] != evaluations(self._undisturbed)[0]:
            found.append("evaluations of the sweep")
        self.record.ended(command, found)

    def statuses(self) -> Counter[str]:
        """Count the states of the runs that MLflow knows of the killed commands."""
        return statuses(self._killed)


def _copy_data(source: Path, target: Path) -> None:
    """Give a project what another has made, in the place of its own."""
    shutil.rmtree(target / "data", ignore_errors=True)
    if (source / "data").is_dir():
        shutil.copytree(source / "data", target / "data")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, kill, and write what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=220, help="in all (default: 220)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--json", help="file for the record, written anew whenever a command came to its end"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder, Launcher() as launcher:
        tormentor = Tormentor(launcher, Path(folder), options.seed)
        for command in COMMANDS:
            for record in tormentor.kill(command, round(options.kills * command.share)):
                facts = {
                    **record.totals(),
                    "seed": options.seed,
                    "commit": _commit(),
                    "mlflow": tormentor.statuses(),
                }
                packages = ("torch", "kedro", "mlflow", "numpy")
                made = _record.record("kills", record.rows(), packages, **facts)
                _record.save(options.json, made)
    if tormentor.record.differences:
        raise SystemExit("\n".join(tormentor.record.differences))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


if __name__ == "__main__":
    main()
