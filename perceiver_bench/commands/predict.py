# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=predict`: what tasks make of predictions, as files in a folder or one archive."""

import functools
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import jax
from absl import logging

from perceiver_bench import registry
from perceiver_bench.commands import archive
from perceiver_bench.commands.setup import writable_folder
from perceiver_bench.commands.subject import Subject, assets_of, find_subject, training_source
from perceiver_bench.errors import UserError
from perceiver_bench.evaluation import predict as predictions
from perceiver_bench.files import atomic_file, write_atomically
from perceiver_bench.task import Arrays, Example, Predict, Source, Task
from perceiver_bench.train.step import structure


def predict(
    task_names: Sequence[str],
    *,
    checkpoint_names: Sequence[str],
    preset: str | None = None,
    changes: Sequence[str] = (),
    data_dir: pathlib.Path,
    outputs: pathlib.Path,
    limit: int | None = None,
) -> None:
    """Writes the files of the tasks to the folder `outputs`, or one archive if that is a .zip.

    `checkpoint_names` has one name for each task, or one for all. An archive holds exactly
    the files that the benchmark's server asks for; the data and weights of all its tasks are
    read once before anything is computed.

    Raises:
        UserError: for a task that writes no predictions, data or weights that will not do,
            a file outside the folder or written twice, an archive that would be incomplete,
            and a `limit` where a submission is written.
    """
    tasks = _tasks(task_names)
    is_archive = outputs.suffix == ".zip"
    for task in tasks:
        if task.submission and limit is not None and (is_archive or not task.pictures):
            raise UserError(
                f"--limit={limit}: {task.name} writes a submission, which is of all rows;"
                " leave --limit out"
            )
    if len(checkpoint_names) == 1:
        checkpoint_names = [*checkpoint_names] * len(tasks)
    if len(checkpoint_names) != len(tasks):
        raise UserError(
            f"--checkpoint: {len(checkpoint_names)} names for {len(tasks)} tasks; give one for"
            " each, in the same order, or one for all"
        )

    pairs = list(zip(tasks, checkpoint_names, strict=True))
    if is_archive:  # the same whatever order the tasks are named in
        pairs.sort(key=lambda pair: pair[0].name)

    def files(*, is_rehearsal: bool = False) -> Iterator[tuple[str, bytes]]:
        for task, name in pairs:
            subject = find_subject(task, name, preset, changes)
            write = task.predict if is_archive else task.pictures or task.predict
            assert write is not None
            run = _predictions(task, subject, data_dir, limit, is_rehearsal=is_rehearsal)
            yield from write(subject.config.data, *run)

    if not is_archive:
        folder = writable_folder(outputs, "outputs")
        for name, content in _checked(files()):
            write_atomically(folder / name, content)
            logging.info("%s", folder / name)
        return
    due = archive.due_files(tasks, outputs)
    writable_folder(outputs.parent, "outputs")
    if outputs.is_dir():
        raise UserError(f"--outputs={outputs}: a folder has that name")
    # What is missing or broken should not show after hours of computing.
    rehearsed = [name for name, _ in _checked(files(is_rehearsal=True))]
    archive.check_complete(outputs, tasks, rehearsed)
    with atomic_file(outputs) as file:
        archive.check_complete(outputs, tasks, archive.pack(file, _checked(files())))
    logging.info("%s: %d files", outputs, len(due))


def _tasks(names: Sequence[str]) -> list[Task]:
    """Returns the tasks of these names; raises UserError unless all write predictions."""
    tasks = [registry.get(name) for name in names]
    for index, task in enumerate(tasks):
        if not (task.predict or task.pictures):
            others = map(registry.get, registry.names())
            able = [one.name for one in others if one.predict or one.pictures]
            raise UserError(
                f"--task={task.name}: it writes no predictions; tasks that do: {', '.join(able)}"
            )
        if task.name in names[:index]:
            raise UserError(f"--task: {task.name} is named twice")
    return tasks


def _predictions(
    task: Task, subject: Subject, data_dir: pathlib.Path, limit: int | None, *, is_rehearsal: bool
) -> tuple[Mapping[str, bytes], pathlib.Path, Predict]:
    """Returns what the task's writer makes files of: assets, data and the predictions.

    A rehearsal reads the data and predicts nothing: the files have their names and no rows.
    """
    config = subject.config
    read_train = training_source(task, config, data_dir)
    # A tokenizer may have to be made, which most baselines have no use for.
    assets = predictions.LazyMapping(lambda: assets_of(subject, task, read_train))
    prepare = functools.cache(lambda: task.preprocess(config.data, assets))
    if is_rehearsal:
        run = _predict_nothing
    elif subject.weights is None:
        run = predictions.of_baseline(
            task.baselines[subject.checkpoint["baseline"]],
            read_train,
            lambda example, generator: prepare()(example, generator),
            limit,
        )
    else:
        arrays = (subject.weights.params, subject.weights.state)
        params, state = jax.tree.map(jax.numpy.asarray, arrays)
        graph = structure(config.model)
        run = predictions.of_network(task, graph, config, params, state, prepare(), limit)
    return assets, data_dir, run


def _predict_nothing(_: Source) -> Iterator[tuple[Example, Arrays, Arrays]]:
    return iter(())


def _checked(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yields `files`; raises UserError for a name outside the folder or one that came before."""
    seen = set()
    for name, content in files:
        # As Windows reads it: both slashes separate, and a colon ends a drive.
        path = pathlib.PureWindowsPath(name)
        if not path.name or path.anchor or ".." in path.parts or "\0" in name:
            raise UserError(f"--outputs: {name!r} is no name of a file within a folder")
        if name in seen:
            raise UserError(f"--outputs: {name} would be written twice; predict the tasks apart")
        seen.add(name)
        yield name, content
