# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The command line that makes one record."""

import dataclasses
import pathlib
import re
import shlex
from collections.abc import Iterable
from typing import Any, Literal

from perceiver_bench.task import NO_DATA

_FLAG = re.compile(r"--([a-z_]+)=(.*)")
_NUMBERS = ("seed", "limit")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    """A training with the evaluation at its end, or an evaluation; None is a flag not given.

    A run of `--seeds`, `--sweep` or the demo suite is that of the single training with its
    preset, settings and seed.

    Attributes:
        mode, task, preset, init, seed, mesh, checkpoint, limit, data_dir, workdir: the flags.
        changes: every `--set`.
    """

    mode: Literal["train", "evaluate"]
    task: str
    preset: str | None = None
    changes: tuple[str, ...] = ()
    init: str | None = None
    seed: int | None = None
    mesh: str | None = None
    checkpoint: str | None = None
    limit: int | None = None
    data_dir: str | None = None
    workdir: str | None = None

    def flags(self) -> list[str]:
        """Returns its flags; what cannot be printed stands as `?`."""
        given = {**vars(self), "set": self.changes}
        del given["changes"]
        found = [
            f"--{name}={one}"
            for name, value in given.items()
            for one in (value if isinstance(value, tuple) else [value])
            if one is not None
        ]
        return ["".join(one if one.isprintable() else "?" for one in flag) for flag in found]


def shown(data_dir: pathlib.Path) -> str | None:
    """Returns a data folder as its flag has it, None if none was given."""
    return None if data_dir == NO_DATA else str(data_dir)


def as_text(flags: Iterable[str]) -> str:
    """Returns the command line of these flags, quoted for a shell."""
    return shlex.join(["perceiver-bench", *flags])


def parse(flags: Iterable[str]) -> Command:
    """Returns the command that has these flags.

    Raises:
        ValueError: naming the first that no command of a record has.
    """
    names = {field.name for field in dataclasses.fields(Command)} - {"changes"}
    values: dict[str, Any] = {"changes": ()}
    for flag in flags:
        match = _FLAG.fullmatch(flag)
        name, text = match.groups() if match else ("", "")
        if name == "set":
            values["changes"] += (text,)
        elif name not in names or name in values or (name in _NUMBERS and not text.isdecimal()):
            raise ValueError(f"{flag!r:.80} is no flag of a command that makes a record")
        else:
            values[name] = int(text) if name in _NUMBERS else text
    if values.get("mode") not in ("train", "evaluate") or "task" not in values:
        raise ValueError("a --mode of train or evaluate and a --task are due")
    if values["mode"] == "evaluate" and "checkpoint" not in values:
        raise ValueError("--mode=evaluate has no --checkpoint")
    return Command(**values)
