# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""How a record was made, and what differs from it in the record of the same command now."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from perceiver_bench import config as configs
from perceiver_bench.results import command
from perceiver_bench.results.command import Command
from perceiver_bench.results.record import MetricValue, Record

_SAME = ("task", "task_version", "protocol", "split", "partial_reason")
_OF_ENVIRONMENT = ("versions", "git", "device", "precision")
_LIMIT = re.compile(r"--limit=(\d+) of")


@dataclasses.dataclass(frozen=True)
class Difference:
    """A field of two records; None where a record does not have it."""

    field: str
    then: Any
    now: Any


@dataclasses.dataclass(frozen=True)
class MetricDifference:
    """A metric of two records; None where a record does not have it."""

    name: str
    then: MetricValue | None
    now: MetricValue | None

    @property
    def change(self) -> float | None:
        """The value now less the value then."""
        return self.now.value - self.then.value if self.then and self.now else None

    @property
    def standard_errors(self) -> float | None:
        """How many standard errors of then the change is; None where there is no such error."""
        if self.change is None or not self.then or not self.then.standard_error:
            return None
        return self.change / self.then.standard_error

    @property
    def is_same(self) -> bool:
        """Whether value, standard error and number are the same to the last digit.

        A metric that there was not yet counts as the same.
        """
        fields = ("value", "standard_error", "n")
        return self.then is None or (
            self.now is not None
            and all(getattr(self.then, name) == getattr(self.now, name) for name in fields)
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What differs between a record and its reproduction.

    Attributes:
        obstacles: why the two do not compare; none if they do.
        metrics: all of them.
        fields: what else differs, of what both could hold.
    """

    obstacles: tuple[str, ...]
    metrics: tuple[MetricDifference, ...]
    fields: tuple[Difference, ...]

    @property
    def is_same(self) -> bool:
        """Whether the two compare and every number is the same to the last digit."""
        return not self.obstacles and all(one.is_same for one in self.metrics)


def command_of(run: Record) -> Command:
    """Returns the command that made a record.

    A record that does not hold it tells it by its fields. One of weights with a learning curve
    is of the end of their training, and any other of an evaluation; an evaluation of a workdir
    has the curve too, but for a limit, and is taken for the training. The preset of a baseline
    is not known then: it is the default one.

    Raises:
        ValueError: if what stands there is no such command.
    """
    if run.command is not None:
        found = command.parse(run.command)
        if found.task != run.task:
            raise ValueError(f"--task={found.task} is not the record's {run.task}")
        return found
    limit = _LIMIT.match(run.partial_reason or "")
    preset, changes = run.preset, run.overrides
    if run.learning_curve is not None and not limit:
        return Command(
            mode="train",
            task=run.task,
            preset=preset,
            changes=changes,
            init=run.init,
            seed=run.seed,
            workdir=run.checkpoint["path"],
        )
    return Command(
        mode="evaluate",
        task=run.task,
        preset=preset,
        changes=changes,
        checkpoint=f"baseline:{run.baseline}" if run.baseline else run.checkpoint["path"],
        limit=int(limit[1]) if limit else None,
    )


def compared(then: Record, now: Record) -> Reproduction:
    """Returns what differs between a record and one that the same command made now."""
    obstacles = [
        f"{name} was {getattr(then, name)!r} and is {getattr(now, name)!r}"
        for name in _SAME
        if getattr(then, name) != getattr(now, name)
    ]
    if data := other_data(then.dataset, now.dataset):
        obstacles.append(data)
    return Reproduction(
        obstacles=tuple(obstacles),
        metrics=tuple(
            MetricDifference(name, then.metrics.get(name), now.metrics.get(name))
            for name in dict.fromkeys([*then.metrics, *now.metrics])
        ),
        fields=(
            *_differences("data", then.dataset, now.dataset),
            *_differences("config", then.config, now.config),
            *_differences("checkpoint", _weights(then), _weights(now)),
            *_differences("", {"seed": then.seed}, {"seed": now.seed}),
            *environment_differences(
                {name: getattr(then, name) for name in _OF_ENVIRONMENT},
                {name: getattr(now, name) for name in _OF_ENVIRONMENT},
            ),
        ),
    )


def environment_differences(
    then: Mapping[str, Any], now: Mapping[str, Any]
) -> tuple[Difference, ...]:
    """Returns what differs of versions, commit, device and precision, of what was recorded."""
    return tuple(
        one
        for name in _OF_ENVIRONMENT
        if name in now
        for one in _differences(name, then[name] or {}, now[name] or {})
        if one.then is not None or name == "precision"
    )


def other_data(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Returns what tells that two fingerprints are of other data; empty if nothing does.

    Older records hold fewer facts of the same data: a fact of only one says nothing, if the two
    have the digest in common.
    """
    first, second = configs.flat(then), configs.flat(now)
    shared = first.keys() & second.keys()
    odd = sorted(name for name in shared if first[name] != second[name])
    if not odd and first != second and not any("sha256" in name for name in shared):
        odd = sorted(first.keys() ^ second.keys())
    return f"the data is another: {', '.join(odd)} differ" if odd else ""


def _weights(run: Record) -> dict[str, Any]:
    """Returns what tells the weights, wherever they lie."""
    return {name: value for name, value in run.checkpoint.items() if name != "path"}


def _differences(prefix: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Returns the values that differ between nested mappings, by dotted names."""
    first, second = configs.flat(then), configs.flat(now)
    return [
        Difference(f"{prefix}.{name}".lstrip("."), first.get(name), second.get(name))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]
