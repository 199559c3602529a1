# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=reproduce`: the command that made a record, run again, and what differs now.

Exit code 0 if every number is the same to the last digit, 1 if one is not, 2 if the two do
not compare. The new record goes to `--results_dir`, as that of any run.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from perceiver_bench import registry
from perceiver_bench.commands.evaluate import evaluate
from perceiver_bench.commands.setup import build_config
from perceiver_bench.commands.subject import BASELINE
from perceiver_bench.commands.train import train
from perceiver_bench.errors import UserError
from perceiver_bench.results import command as commands
from perceiver_bench.results import environment, markdown, record, reproduction
from perceiver_bench.results.command import Command
from perceiver_bench.results.record import Record
from perceiver_bench.results.reproduction import Reproduction
from perceiver_bench.results.visible import visible
from perceiver_bench.task import NO_DATA, Task

_NOT_COMPARABLE = 2


def reproduce(
    name: str,
    *,
    data_dir: str | None = None,
    workdir: str | None = None,
    checkpoint: str | None = None,
    init: str | None = None,
    changes: Sequence[str] = (),
    results_dir: pathlib.Path,
    keep_compiled: bool = False,
) -> int:
    """Prints and runs the command that made a record, prints what differs, returns the code.

    Args:
        name: of the record: its path, or a run id within `results_dir`.
        data_dir: as in `train`; of the paths of a command a record has only the last two parts.
        workdir: likewise, where it was a training.
        checkpoint: as in `evaluate`, where it was an evaluation of weights.
        init: as in `train`, where training started from weights.
        changes: files that the command sets, as `data.model=PATH`, likewise.
        results_dir: where the record is looked up, and the new one written.
        keep_compiled: as in `train`.

    Raises:
        UserError: naming the flags of paths that are missing, or that the command does not
            have; for a record whose command is none; for what the command itself refuses.
    """
    then = record.read(record.find(name, results_dir))
    try:
        found = reproduction.command_of(then)
    except ValueError as error:
        raise UserError(f"--record={name}: field command: {error}; restore the file") from error
    given = {"data_dir": data_dir, "workdir": workdir, "checkpoint": checkpoint, "init": init}
    command = dataclasses.replace(
        found,
        changes=_replaced(found.changes, changes),
        **{flag: path for flag, path in given.items() if path is not None},
    )
    print(visible(commands.as_text(command.flags())))
    task = registry.get(command.task)
    _check_paths(task, found, given)
    for one in reproduction.environment_differences(vars(then), environment.environment()):
        print(visible(f"{one.field} was {one.then} and is {one.now or 'not known'}"))
    if obstacles := _known_before(then, task, command):
        print(visible(f"not run: {'; '.join(obstacles)}"))
        return _NOT_COMPARABLE
    path = _run(command, results_dir, keep_compiled)
    result = reproduction.compared(then, record.read(path))
    print(visible(as_markdown(result)))
    return _NOT_COMPARABLE if result.obstacles else int(not result.is_same)


def as_markdown(result: Reproduction) -> str:
    """Returns what differs as Markdown: the metrics, the other fields, the verdict."""
    metrics = [
        (
            one.name,
            *(_text(run and run.value) for run in (one.then, one.now)),
            _text(one.change),
            "" if one.standard_errors is None else f"{one.standard_errors:+.2f}",
        )
        for one in result.metrics
    ]
    header = ("metric", "then", "now", "difference", "in standard errors")
    parts = [markdown.table(header, metrics)]
    if result.fields:
        fields = [(one.field, _text(one.then), _text(one.now)) for one in result.fields]
        parts.append(markdown.table(("field", "then", "now"), fields))
    return "\n".join([*parts, _verdict(result)])


def _text(value: Any) -> str:
    return "not known" if value is None else value if isinstance(value, str) else repr(value)


def _verdict(result: Reproduction) -> str:
    if result.obstacles:
        return f"The two do not compare: {'; '.join(result.obstacles)}."
    if result.is_same:
        return "Every number is the same to the last digit."
    odd = [one.name for one in result.metrics if not one.is_same]
    return f"Not the same in value, standard error or number of examples: {', '.join(odd)}."


def _replaced(old: Sequence[str], new: Iterable[str]) -> tuple[str, ...]:
    """Returns settings with those of the same field put in the place of the old ones.

    Raises:
        UserError: for one of a field that the old ones do not set.
    """
    found = list(old)
    for one in new:
        field = one.partition("=")[0]
        places = [place for place, text in enumerate(old) if text.partition("=")[0] == field]
        if not places:
            raise UserError(f"--set={one}: the command of the record does not set {field}")
        found[places[-1]] = one
    return tuple(found)


def _check_paths(task: Task, command: Command, given: dict[str, str | None]) -> None:
    """Raises UserError, naming the flags, unless exactly the paths of the command are given."""
    is_training = command.mode == "train"
    is_baseline = (command.checkpoint or "").startswith(BASELINE)
    due = {
        "data_dir": task.needs_data or command.data_dir is not None,
        "workdir": is_training,
        "checkpoint": not is_training and not is_baseline,
        "init": command.init is not None,
    }
    if missing := [f"--{flag}" for flag in due if due[flag] and given[flag] is None]:
        verb = "are" if missing[1:] else "is"
        raise UserError(
            f"{', '.join(missing)} {verb} missing: a record has no whole paths; give"
            f" {'those' if missing[1:] else 'that'} of this machine"
        )
    surplus = [flag for flag in due if given[flag] and not due[flag] and flag != "data_dir"]
    if surplus:
        raise UserError(
            f"--{surplus[0]}={given[surplus[0]]}: the command of the record has no such flag"
        )


def _known_before(then: Record, task: Task, command: Command) -> list[str]:
    """Returns why a run could not be compared, as far as it is known before it."""
    found = []
    if task.version != then.task_version:
        found.append(f"task_version was {then.task_version!r} and is {task.version!r}")
    if command.mode == "train":  # hours, that an evaluation does not take
        data = build_config(task, command.preset, command.changes).data
        if (protocol := task.protocol_of(data)) != then.protocol:
            found.append(f"protocol was {then.protocol!r} and is {protocol!r}")
        source = task.source(data, _folder(command.data_dir), task.splits[1])
        if other := reproduction.other_data(then.dataset, source.fingerprint):
            found.append(other)
    return found


def _folder(data_dir: str | None) -> pathlib.Path:
    return NO_DATA if data_dir is None else pathlib.Path(data_dir)


def _run(command: Command, results_dir: pathlib.Path, keep_compiled: bool) -> pathlib.Path:
    """Runs the command and returns the path of its record."""
    data_dir = _folder(command.data_dir)
    if command.mode == "evaluate":
        assert command.checkpoint is not None
        return evaluate(
            command.task,
            checkpoint_name=command.checkpoint,
            preset=command.preset,
            changes=command.changes,
            data_dir=data_dir,
            limit=command.limit,
            results_dir=results_dir,
        )
    assert command.workdir is not None
    workdir = pathlib.Path(command.workdir)
    if (workdir / "checkpoints").exists():
        print(f"--workdir={workdir} holds a run: what is trained there is not trained again")
    return train(
        command.task,
        preset=command.preset,
        changes=command.changes,
        data_dir=data_dir,
        workdir=workdir,
        init=pathlib.Path(command.init) if command.init else None,
        seed=command.seed or 0,
        results_dir=results_dir,
        keep_compiled=keep_compiled,
        mesh=command.mesh,
    )
