# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=prepare --task=...`: a benchmark's data once, in a form that is read faster."""

import pathlib
from collections.abc import Sequence

from perceiver_bench import registry
from perceiver_bench.commands.setup import build_config, writable_folder
from perceiver_bench.errors import UserError


def prepare(
    task_name: str,
    *,
    preset: str | None = None,
    changes: Sequence[str] = (),
    data_dir: pathlib.Path,
    outputs: pathlib.Path,
) -> None:
    """Writes the data of `data_dir` to the folder `outputs`, a `--data_dir` from then on.

    Raises:
        UserError: for a task whose files are read as they are, and for data or a folder that
            will not do.
    """
    task = registry.get(task_name)
    if task.prepare_data is None:
        others = [name for name in registry.names() if registry.get(name).prepare_data]
        raise UserError(
            f"--task={task_name}: its files are read as they are; tasks to prepare:"
            f" {', '.join(others)}"
        )
    config = build_config(task, preset, changes)
    task.prepare_data(config.data, data_dir, writable_folder(outputs, "outputs"))
