# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=list`: tasks, presets, models, and what is missing for each."""

import pathlib

from perceiver_bench import registry
from perceiver_bench.errors import UserError
from perceiver_bench.model.perceiver import num_params
from perceiver_bench.model.presets import OFFICIAL, PRESETS
from perceiver_bench.train import weights


def listing(data_dir: pathlib.Path | None, checkpoint: pathlib.Path | None) -> str:
    """Returns the list as text; a data folder or a checkpoint that is given is looked at."""
    kind = weights.detect_format(checkpoint) if checkpoint else None
    lines = ["Tasks (--task)"]
    for name in registry.names():
        task = registry.get(name)
        lines += [
            f"  {name}  version {task.version}  {task.summary}",
            f"    presets: {', '.join(task.presets)}",
            f"    baselines: {', '.join('baseline:' + one for one in task.baselines)}",
            f"    metrics: {', '.join(task.metrics)}  protocol: {task.protocol}",
            f"    data: {_data(task.name, data_dir)}",
        ]
    for name, mend in registry.unavailable().items():
        lines.append(f"  {name}  unavailable: {mend}")
    lines += ["", "Models (--model)"]
    for name, build in PRESETS.items():
        released = "  released weights exist" if name in OFFICIAL else ""
        lines.append(f"  {name:24} {num_params(build()):>13,} parameters{released}")
    lines += [
        "",
        "Weights (--checkpoint, --source)",
        "  official .pystate or .pickle, Hugging Face folder, Orbax checkpoint or workdir;",
        "  none come with this package: download the released ones and give their path",
    ]
    if kind:
        lines.append(f"  {checkpoint}: {kind}")
    return "\n".join(lines)


def _data(task_name: str, data_dir: pathlib.Path | None) -> str:
    """Says what `--data_dir` should hold, and whether it does."""
    task = registry.get(task_name)
    if data_dir is None:
        return f"--data_dir with {task.layout}"
    try:
        config = task.presets[task.default_preset].data
        sizes = {split: len(task.source(config, data_dir, split)) for split in task.splits}
    except UserError as error:
        return f"missing: {error}"
    return ", ".join(f"{split} {size:,} examples" for split, size in sizes.items())
