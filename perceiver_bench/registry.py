# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Finds tasks by name: the families of this package and those of other packages."""

import functools
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable

from perceiver_bench.errors import UserError, nearest
from perceiver_bench.task import Average, Task

_TASKS: dict[str, Callable[[], Task]] = {}
_AVERAGES: dict[str, Average] = {}
_UNAVAILABLE: dict[str, str] = {}


class MissingDependency(ImportError):
    """Raised by a family's module when an optional package is absent; says the mend."""


def register(name: str) -> Callable[[Callable[[], Task]], Callable[[], Task]]:
    """Registers the decorated function, which returns the task, under `family/name`.

    Raises:
        ValueError: if the name is taken.
    """

    def decorate(build: Callable[[], Task]) -> Callable[[], Task]:
        if name in _TASKS:
            raise ValueError(f"two tasks are named {name!r}: {_TASKS[name]} and {build}")
        _TASKS[name] = functools.cache(build)
        return build

    return decorate


def register_average(average: Average) -> None:
    """Registers an average under its protocol.

    Raises:
        ValueError: if the protocol is taken.
    """
    if average.protocol in _AVERAGES:
        raise ValueError(f"two averages have the protocol {average.protocol!r}")
    _AVERAGES[average.protocol] = average


@functools.cache
def _discover() -> None:
    """Imports every family once, so that its tasks register themselves."""
    package = importlib.import_module("perceiver_bench.tasks")
    names = [f"{package.__name__}.{m.name}" for m in pkgutil.iter_modules(package.__path__)]
    entries = importlib.metadata.entry_points(group="perceiver_bench.tasks")
    for name in [*sorted(names), *sorted(entry.value for entry in entries)]:
        try:
            importlib.import_module(name)
        except MissingDependency as error:
            _UNAVAILABLE[name.removeprefix(f"{package.__name__}.")] = str(error)


def names() -> tuple[str, ...]:
    """Returns the names of all tasks that can run, sorted."""
    _discover()
    return tuple(sorted(_TASKS))


def averages() -> tuple[Average, ...]:
    """Returns the averages over tasks, in the order that their families register them."""
    _discover()
    return tuple(_AVERAGES.values())


def unavailable() -> dict[str, str]:
    """Returns the families that cannot be imported here, with what would mend it."""
    _discover()
    return dict(_UNAVAILABLE)


def get(name: str) -> Task:
    """Returns the task of that name.

    Raises:
        UserError: for an unknown name, with the nearest known one.
    """
    if name not in names():
        family = name.split("/")[0]
        if family in _UNAVAILABLE:
            raise UserError(f"--task={name}: {_UNAVAILABLE[family]}")
        raise UserError(f"--task={name}: no such task.{nearest(name, _TASKS)}")
    return _TASKS[name]()
