# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--suite=demo`: every family end to end, on small data in its true format.

For each family: write the data, train a tiny model, evaluate it from its checkpoint,
evaluate the baselines, print the table. It shows the published rows too, and says that they
are not of this data.
"""

import pathlib
import shutil

from absl import logging

from perceiver_bench import registry
from perceiver_bench.commands.evaluate import evaluate, table
from perceiver_bench.commands.subject import BASELINE
from perceiver_bench.commands.train import train


def demo(*, workdir: pathlib.Path, results_dir: pathlib.Path, seed: int) -> str:
    """Runs the suite and returns its tables; a second run in one workdir goes on with it."""
    parts = []
    for name in registry.names():
        task = registry.get(name)
        if not task.demo_presets:
            continue
        folder = workdir / name.replace("/", "_")
        data_dir = folder / "data"
        if not data_dir.exists():
            # Whole or not at all: what was left half written would be taken for the data.
            unfinished = folder / "data.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            task.write_demo(unfinished, seed)
            unfinished.rename(data_dir)
        logging.info("%s: data in %s", name, data_dir)
        for preset in task.demo_presets:
            train(
                name,
                preset=preset,
                data_dir=data_dir,
                workdir=folder / preset,
                seed=seed,
                results_dir=results_dir,
            )
        for baseline in task.baselines:
            evaluate(
                name,
                checkpoint_name=f"{BASELINE}{baseline}",
                # How the data is cut is the preset's: these are the examples of the network.
                preset=task.demo_presets[0],
                data_dir=data_dir,
                results_dir=results_dir,
            )
        parts.append(table(name, results_dir, made_up=True))
    return "\n\n".join(parts)
