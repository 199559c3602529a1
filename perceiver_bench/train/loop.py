# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop.

Order of operations in one turn, which resuming relies on: take a batch, take the step,
log, evaluate, save. Losses and norms are looked at before anything is saved, so a checkpoint
never holds a state that is not finite.
"""

import contextlib
import dataclasses
import math
import pathlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import tqdm
from absl import logging
from jax.sharding import Mesh

from perceiver_bench import config as configs
from perceiver_bench import distributed
from perceiver_bench.data.pipeline import TrainingBatches
from perceiver_bench.errors import UserError
from perceiver_bench.train import checkpoint
from perceiver_bench.train.log import MetricsLog
from perceiver_bench.train.sharding import shard_batch
from perceiver_bench.train.step import TrainState

# Checkpoints kept to resume from: the newest, and one before it in case it gets damaged.
KEEP = 2
LOG_SECONDS = 10.0


class Interrupted(Exception):
    """SIGTERM came; the state is saved and the same command goes on from it."""


class NotFinite(UserError):
    """A loss or a norm became infinite or NaN."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What one training run consists of, besides its state.

    `evaluate` maps a state to metric values by name; `main_metric` and `higher_is_better`
    decide which checkpoint is kept in `best`; `metadata` is written into checkpoints.
    """

    config: configs.RunConfig
    workdir: pathlib.Path
    step: Callable[[TrainState, dict[str, jax.Array]], tuple[TrainState, dict[str, jax.Array]]]
    evaluate: Callable[[TrainState], Mapping[str, float]]
    batches: TrainingBatches
    schedule: Callable[[int], Any]
    mesh: Mesh
    extras: Mapping[str, bytes]
    metadata: Mapping[str, Any]
    main_metric: str
    higher_is_better: bool


def check_workdir(
    workdir: pathlib.Path, config: configs.RunConfig, identity: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Returns the metadata of the newest checkpoint to resume from, or None if there is none.

    What an interrupted save left behind is removed.

    Raises:
        UserError: if a checkpoint is damaged, or the workdir holds another run, naming the
            first field that differs.
    """
    for name in ("best", "checkpoints"):
        folder = workdir / name
        checkpoint.clean(folder)
        newest = None
        if steps := checkpoint.steps(folder):
            with _mend(folder, steps):
                newest = checkpoint.read_metadata(folder / str(steps[-1]))
            check_same_run(workdir, newest, config, identity)
    return newest


@contextlib.contextmanager
def _mend(folder: pathlib.Path, steps: list[int]) -> Iterator[None]:
    """Says in the error of a damaged newest checkpoint how the run can go on without it."""
    try:
        yield
    except checkpoint.Damaged as error:
        before = f"from step {steps[-2]}" if steps[1:] else "without it"
        raise UserError(
            f"{error}; remove the folder {folder / str(steps[-1])} to go on {before}"
        ) from error


def check_same_run(
    workdir: pathlib.Path,
    metadata: Mapping[str, Any],
    config: configs.RunConfig,
    identity: Mapping[str, Any],
) -> None:
    """Raises UserError if the workdir's run differs from the one asked for."""
    old = {**configs.flat(metadata["identity"]), **configs.flat(metadata["run"])}
    new = {**configs.flat(identity), **configs.flat(configs.to_dict(config))}
    for name in dict.fromkeys([*new, *old]):
        if old.get(name) != new.get(name):
            raise UserError(
                f"--workdir={workdir} holds a run with {name}={old.get(name)}, not"
                f" {new.get(name)}; choose another workdir"
            )


def resume(run: Run, fresh: TrainState) -> tuple[TrainState, Sequence[float]]:
    """Returns the state of the newest checkpoint in the workdir, or `fresh` if none is there.

    It is placed as `fresh` is, whatever mesh it was saved from.
    The losses that come with it are those since the last row of the log.

    Raises:
        UserError: if the newest is damaged, naming it and the one before it.
    """
    folder = run.workdir / "checkpoints"
    steps = checkpoint.steps(folder)
    if not steps:
        return fresh, ()
    path = folder / str(steps[-1])
    with _mend(folder, steps):
        state, losses = checkpoint.restore(path, fresh, run.batches)
    logging.info("resuming from %s", path)
    return state, losses


@contextlib.contextmanager
def _stops() -> Iterator[Callable[[int], bool]]:
    """Gives a function that says of a step whether SIGTERM has come before it.

    Of several processes the runtime tells all at the same step, whichever got the signal.
    """
    if not distributed.is_alone():
        yield distributed.reached_stop
        return
    came = False

    def remember(signum, frame):
        del signum, frame
        nonlocal came
        came = True

    old = signal.signal(signal.SIGTERM, remember)
    try:
        yield lambda _: came
    finally:
        signal.signal(signal.SIGTERM, old)


class _Losses:
    """Numbers still on the device, looked at together so that steps need not wait."""

    def __init__(self, losses: Sequence[float]):
        self._losses = list(losses)
        self._pending: list[tuple[int, Mapping[str, jax.Array]]] = []

    def add(self, step: int, numbers: Mapping[str, jax.Array]) -> None:
        self._pending.append((step, numbers))

    def settle(self) -> list[float]:
        """Returns the losses since the last mean.

        Raises:
            NotFinite: if a number of a step was not finite, naming both.
        """
        for step, numbers in self._pending:
            for name, number in numbers.items():
                if not math.isfinite(number):
                    raise NotFinite(
                        f"the {name.replace('_', ' ')} at step {step} is {float(number)}; the"
                        " checkpoints before it are kept. Lower train.optimizer.learning_rate or"
                        " set train.optimizer.clip_norm, in a new workdir"
                    )
            self._losses.append(float(numbers["loss"]))
        self._pending.clear()
        return list(self._losses)

    def mean(self) -> float:
        """Returns the mean loss since the last call; raises as `settle` does."""
        losses = self.settle()
        self._losses.clear()
        return sum(losses) / len(losses)


def train(run: Run, state: TrainState, losses_before: Sequence[float] = ()) -> TrainState:
    """Trains from `state` to the last step, evaluating and saving on the way.

    The state is evaluated and saved at the end whatever the intervals are. `best` in the
    workdir keeps the checkpoint with the best main metric. `losses_before` are those that
    `resume` gives.

    Raises:
        NotFinite: for a loss or a norm that is not finite.
        UserError: for a checkpoint that cannot be written.
        Interrupted: after SIGTERM, when the state is saved.
    """
    config = run.config.train
    step = int(state.step)
    log = MetricsLog(run.workdir, step, writes=distributed.is_first())
    losses = _Losses(losses_before)
    speed = _Speed(step, config)
    bar = tqdm.tqdm(total=config.steps, initial=step, unit="step", disable=_is_quiet())
    with contextlib.closing(log), bar, _stops() as asked_to_stop:
        stopping = False
        while step < config.steps:
            with speed.waiting():
                rows = next(run.batches)
            batch = shard_batch(rows, run.mesh, config.batch_size)
            state, numbers = run.step(state, batch)
            step += 1
            losses.add(step, numbers)
            bar.update()
            last = step == config.steps
            stopping = asked_to_stop(step)
            evaluates = last or step % config.evaluate_every == 0
            saves = last or step % config.checkpoint_every == 0
            if saves or evaluates or step % config.log_every == 0:
                rate = float(run.schedule(step - 1))
                row = {"loss": losses.mean(), "learning_rate": rate}
                row["gradient_norm"] = float(numbers["gradient_norm"])
                log.write(step, **row, **speed.measured(step))
                speed.report(step, row)
            if evaluates:
                measured = dict(run.evaluate(state))
                log.write(step, evaluation=measured)
                speed.note(step, measured)
                _keep_best(run, state, measured)
            if saves or stopping:
                # A stop adds no row: the log will be that of a run without one.
                more = {"losses": losses.settle()}
                _save(run, state, run.workdir / "checkpoints", KEEP, more)
            if stopping:
                break
        # Of the last step too: what called this loop may have more to do.
        if stopping or (distributed.is_alone() and asked_to_stop(step)):
            raise Interrupted(f"stopped by SIGTERM; saved step {step} in {run.workdir}")
    return state


def _is_quiet() -> bool:
    return not (sys.stderr.isatty() and distributed.is_first())


def _save(run: Run, state: TrainState, folder: pathlib.Path, keep: int, more: dict) -> None:
    metadata = {**run.metadata, **more}
    checkpoint.save(folder, state, run.batches, run.config, run.extras, metadata, keep)


def _keep_best(run: Run, state: TrainState, measured: Mapping[str, float]) -> None:
    """Saves the state in `best` if its main metric is above (or below) all before it."""
    folder = run.workdir / "best"
    value = measured[run.main_metric]
    if math.isnan(value):
        return
    old = checkpoint.steps(folder)
    if old:
        best = checkpoint.read_metadata(folder / str(old[-1]))["best"]
        if value <= best if run.higher_is_better else value >= best:
            return
    _save(run, state, folder, 1, {"best": value, "losses": []})


class _Speed:
    """Examples a second since the last question, and a log line every few seconds."""

    def __init__(self, step: int, config: configs.TrainConfig):
        self._config = config
        self._step, self._time, self._told = step, time.monotonic(), 0.0
        self._waited = self._share = 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time within as spent on waiting for data."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def measured(self, step: int) -> dict[str, float]:
        """Returns what a row of the log has of the time since the last call.

        `examples_per_second`, the first of which counts compilation, and `waited_for_data`, the
        share of the time.
        """
        now = time.monotonic()
        seconds = max(now - self._time, 1e-9)
        rate = (step - self._step) * self._config.batch_size / seconds
        self._share = min(self._waited / seconds, 1.0)
        self._step, self._time, self._waited = step, now, 0.0
        return {"examples_per_second": round(rate, 1), "waited_for_data": round(self._share, 3)}

    def report(self, step: int, row: Mapping[str, float]) -> None:
        """Logs a line unless one was logged a moment ago."""
        if time.monotonic() - self._told > LOG_SECONDS:
            self._told = time.monotonic()
            logging.info(
                "step %d/%d  loss %.4f  learning rate %.2e  waited %.0f %% for data",
                *(step, self._config.steps, row["loss"], row["learning_rate"], 100 * self._share),
            )

    def note(self, step: int, measured: Mapping[str, float]) -> None:
        """Logs an evaluation; its time does not count as training."""
        text = "  ".join(f"{name} {value:.4f}" for name, value in measured.items())
        logging.info("step %d/%d  %s", step, self._config.steps, text)
        self._time = time.monotonic()
