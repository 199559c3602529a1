# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=train --sweep` and `--seeds`: every setting and seed of a task, one after another.

Each run has a workdir of its own, `WORKDIR/TASK/SETTING/seedN`, with the checkpoints of any
run and, when its records are written, the file finished.json that names them. The same
command skips what is finished and goes on with what is not. Tasks that are trained as this
one (`Task.trained_as`) are evaluated with it.
"""

import dataclasses
import functools
import itertools
import json
import pathlib
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import logging

from perceiver_bench import config as configs
from perceiver_bench import registry
from perceiver_bench.commands.evaluate import evaluate
from perceiver_bench.commands.setup import (
    build_config,
    cache_compilations,
    with_steps,
    writable_folder,
)
from perceiver_bench.commands.train import run_identity, train
from perceiver_bench.errors import UserError
from perceiver_bench.files import write_atomically
from perceiver_bench.results import record, sweeps
from perceiver_bench.task import Task
from perceiver_bench.train import loop

_MARK = "finished.json"
_Described = tuple[configs.RunConfig, Mapping[str, Any]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Run:
    """One run: what `train` gets, and the values of the swept fields by their short names."""

    task: Task
    setting: sweeps.Setting
    preset: str | None
    changes: tuple[str, ...]
    data_dir: pathlib.Path
    workdir: pathlib.Path
    init: pathlib.Path | None
    seed: int
    results_dir: pathlib.Path
    mesh: str | None


def sweep(
    task_names: Sequence[str],
    *,
    over_settings: bool,
    num_seeds: int,
    preset: str | None = None,
    changes: Sequence[str] = (),
    data_dir: pathlib.Path,
    workdir: pathlib.Path,
    init: pathlib.Path | None = None,
    seed: int = 0,
    results_dir: pathlib.Path,
    keep_compiled: bool = False,
    mesh: str | None = None,
) -> str:
    """Trains every run that is not finished and returns a table for each task.

    Args:
        task_names: the tasks.
        over_settings: whether to try all combinations of `Task.sweep`, or the one setting.
        num_seeds: how many seeds of each setting, from `seed` on.
        preset: as in `train`, like all that follow.
        changes: the `--set` values that all runs have in common.
        data_dir: the data of all tasks.
        workdir: the folder of all runs.
        init: the weights that every run starts from.
        seed: the first seed.
        results_dir: the folder of the records.
        keep_compiled: whether compiled programs stay in the workdir.
        mesh: the mesh of every run.

    Raises:
        UserError: for what `train` refuses, tasks without a sweep, a `--set` of a swept
            field, another sweep in the workdir, or if the numbers of no run stayed finite.
        loop.Interrupted: after SIGTERM, with the state of the present run saved.
    """
    results_dir = writable_folder(results_dir, "results_dir")
    workdir = writable_folder(workdir, "workdir")
    plans = {
        name: [
            _Run(
                task=registry.get(name),
                setting=setting,
                preset=preset,
                changes=all_changes,
                data_dir=data_dir,
                workdir=_folder(workdir, name, setting) / f"seed{one_seed}",
                init=init,
                seed=one_seed,
                results_dir=results_dir,
                mesh=mesh,
            )
            for setting, all_changes in _settings(name, preset, changes, over_settings)
            for one_seed in range(seed, seed + num_seeds)
        ]
        for name in task_names
    }
    record.read_all(results_dir)  # a broken one is told before all the work
    if keep_compiled:
        cache_compilations(workdir)
    return "\n".join(_sweep_task(plan) for plan in plans.values())


def _settings(
    task_name: str, preset: str | None, changes: Sequence[str], over_settings: bool
) -> list[tuple[sweeps.Setting, tuple[str, ...]]]:
    """Returns the swept values of every setting by short names, and all its changes.

    Raises:
        UserError: if there is nothing to sweep, or one of the settings is no configuration.
    """
    task = registry.get(task_name)
    if task.trained_as:
        raise UserError(
            f"--task={task_name}: is trained as {task.trained_as}, whose runs evaluate it too;"
            f" give --task={task.trained_as}"
        )
    swept = task.sweep if over_settings else {}
    if over_settings and not swept:
        raise UserError(f"--sweep: {task_name} names no settings to try; give --seeds alone")
    for change in changes:
        if change.partition("=")[0] in swept:
            raise UserError(
                f"--set={change}: --sweep tries this field itself; leave out one of the two"
            )
    last = [field.split(".")[-1] for field in swept]
    names = last if len(set(last)) == len(last) else list(swept)
    found = []
    for values in itertools.product(*swept.values()):
        tried = (f"{field}={text}" for field, text in zip(swept, values, strict=True))
        all_changes = (*changes, *tried)
        build_config(task, preset, all_changes)
        found.append((tuple(zip(names, values, strict=True)), all_changes))
    return found


def _folder(workdir: pathlib.Path, task_name: str, setting: sweeps.Setting) -> pathlib.Path:
    """Returns the folder of a setting's seeds, a safe name on every file system."""
    folder = workdir / task_name.replace("/", "_")
    if not setting:
        return folder
    return folder / ",".join(f"{name}={urllib.parse.quote(text, '')}" for name, text in setting)


def _sweep_task(plan: Sequence[_Run]) -> str:
    """Trains what is not finished of one task's runs and returns their tables."""
    task, data_dir = plan[0].task, plan[0].data_dir
    relatives = [one for one in map(registry.get, registry.names()) if one.trained_as == task.name]
    for one in (task, *relatives):  # what is missing is told before all the work
        one.source(
            build_config(task, plan[0].preset, plan[0].changes).data, data_dir, one.splits[1]
        )

    @functools.cache
    def examples(data: Any) -> tuple[int, Mapping[str, Any]]:
        source = task.source(data, data_dir, task.splits[0])
        return len(source), source.fingerprint

    def describe(run: _Run) -> _Described:
        config = build_config(task, run.preset, run.changes)
        num_examples, fingerprint = examples(config.data)
        identity = run_identity(task, run.seed, run.init, fingerprint)
        return with_steps(config, num_examples), identity

    ended: list[Mapping[str, str]] = []
    for number, run in enumerate(plan, 1):
        logging.info("%s: run %d of %d in %s", task.name, number, len(plan), run.workdir)
        ended.append(_finished(run, relatives, describe) or _trained(run, relatives, describe))
    if not any(ended):
        raise UserError(
            f"{task.name}: no run ended with finite numbers; lower the learning rate or set"
            " train.optimizer.clip_norm, in a new workdir"
        )
    records = {one.run_id: one for one in record.read_all(plan[0].results_dir)}
    return "\n".join(
        sweeps.table(
            one,
            [
                (run.setting, records[run_ids[one.name]] if run_ids else None)
                for run, run_ids in zip(plan, ended, strict=True)
            ],
        )
        for one in (task, *relatives)
    )


def _finished(
    run: _Run, relatives: Sequence[Task], describe: Callable[[_Run], _Described]
) -> Mapping[str, str]:
    """Returns the ids of a finished run's records by task; empty if there are not all.

    Raises:
        UserError: if it is another run that is finished here.
    """
    path = run.workdir / _MARK
    if not path.exists():
        return {}
    config, identity = describe(run)
    try:
        mark = json.loads(path.read_text(encoding="utf-8"))
        loop.check_same_run(run.workdir, mark, config, identity)
        run_ids = {one.name: mark["records"].get(one.name) for one in (run.task, *relatives)}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not the mark of a finished run; remove it") from error
    folder = run.results_dir / "records"
    written = [(folder / name / f"{run_id}.json").exists() for name, run_id in run_ids.items()]
    return run_ids if all(written) else {}


def _trained(
    run: _Run, relatives: Sequence[Task], describe: Callable[[_Run], _Described]
) -> Mapping[str, str]:
    """Trains and evaluates a run, marks it as finished, and returns its records' ids by task.

    They are none if the loss did not stay finite.
    """
    try:
        path = train(
            run.task.name,
            preset=run.preset,
            changes=run.changes,
            data_dir=run.data_dir,
            workdir=run.workdir,
            init=run.init,
            seed=run.seed,
            results_dir=run.results_dir,
            mesh=run.mesh,
        )
    except loop.NotFinite as error:
        logging.warning("%s: %s", run.workdir, error)
        return {}
    run_ids = {run.task.name: path.stem}
    for one in relatives:
        path = evaluate(
            one.name,
            checkpoint_name=str(run.workdir),
            data_dir=run.data_dir,
            results_dir=run.results_dir,
        )
        run_ids[one.name] = path.stem
    config, identity = describe(run)
    mark = {"records": run_ids, "identity": identity, "run": configs.to_dict(config)}
    write_atomically(run.workdir / _MARK, json.dumps(mark, indent=1).encode())
    return run_ids
