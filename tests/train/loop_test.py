# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The loop with a step of a few numbers; the last test runs it whole, with the real network."""

import dataclasses
import math
import os
import shutil
import signal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny_runs

from perceiver_bench import registry
from perceiver_bench.data import pipeline
from perceiver_bench.data.sources import MemorySource
from perceiver_bench.errors import UserError
from perceiver_bench.train import checkpoint, loop, mesh
from perceiver_bench.train.step import TrainState

OPTIMIZER = optax.adam(0.1)
IDENTITY = {"task": "toy/toy", "seed": 0, "data": {"sha256": "1234"}}


def config(**changes):
    """Ten steps, a row every 4, an evaluation every 3, a checkpoint every 2."""
    run = registry.get("glue/sst2").presets["tiny"]
    intervals = {"steps": 10, "log_every": 4, "evaluate_every": 3, "checkpoint_every": 2}
    intervals |= {"batch_size": 2}
    return dataclasses.replace(run, train=dataclasses.replace(run.train, **intervals | changes))


def fresh():
    params = {"w": jnp.zeros(3)}
    optimizer_state = OPTIMIZER.init(params)
    return TrainState(jnp.int32(0), params, {}, optimizer_state, jax.random.key(0))


@jax.jit
def step(state, batch):
    """Fits random linear maps, with noise from the run's key as dropout has it."""

    def loss(params):
        noise = jax.random.normal(jax.random.fold_in(state.key, state.step), (3,))
        return jnp.mean((batch["x"] @ (params["w"] + 0.1 * noise) - batch["label"]) ** 2)

    value, gradients = jax.value_and_grad(loss)(state.params)
    updates, optimizer_state = OPTIMIZER.update(gradients, state.optimizer_state)
    params = optax.apply_updates(state.params, updates)
    state = TrainState(state.step + 1, params, {}, optimizer_state, state.key)
    norms = {"gradient_norm": optax.tree.norm(gradients)}
    return state, {"loss": value, **norms, "parameter_norm": optax.tree.norm(params)}


def toy_run(workdir, *, run_step=step, measure=None, higher_is_better=False, **changes):
    workdir.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    examples = [{"x": rng.standard_normal(3).astype(np.float32), "label": i} for i in range(7)]

    def evaluate(state):
        return {"score": float(jnp.sum(state.params["w"]))}

    return loop.Run(
        config=config(**changes),
        workdir=workdir,
        step=run_step,
        evaluate=measure or evaluate,
        batches=pipeline.training_batches(
            MemorySource(examples, {}), lambda example, _: example, 2, 0, num_steps=100
        ),
        schedule=lambda _: 0.1,
        mesh=mesh.make(None, 0),
        extras={"tokenizer.model": b"\x00\xff"},
        metadata={"identity": IDENTITY, "preset": "tiny", "overrides": []},
        main_metric="score",
        higher_is_better=higher_is_better,
    )


def stopped_at(*steps):
    """The step, with a SIGTERM to this process while it runs."""

    def run_step(state, batch):
        if int(state.step) + 1 in steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(state, batch)

    return run_step


def go(run):
    loop.check_workdir(run.workdir, run.config, run.metadata["identity"])
    return loop.train(run, *loop.resume(run, fresh()))


def arrays(state):
    state = state._replace(key=jax.random.key_data(state.key))
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)]


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("straight")
    return workdir, go(toy_run(workdir))


@pytest.mark.parametrize("stops", [(3,), (4,), (5, 6, 9), (10,)])
def test_a_stopped_run_goes_on_as_if_nothing_had_been(stops, straight, tmp_path):
    for stop in stops:
        with pytest.raises(loop.Interrupted, match=rf"saved step {stop} "):
            go(toy_run(tmp_path / "w", run_step=stopped_at(stop)))
    state = go(toy_run(tmp_path / "w"))
    assert arrays(state) == arrays(straight[1])
    assert tiny_runs.rows(tmp_path / "w") == tiny_runs.rows(straight[0])
    assert checkpoint.steps(tmp_path / "w" / "best") == checkpoint.steps(straight[0] / "best")


@pytest.mark.parametrize("last", [4, 8])
def test_a_run_without_its_newest_checkpoints_does_the_steps_again(last, straight, tmp_path):
    """What a kill leaves: later rows in the log, a later best, and half of a checkpoint."""
    workdir = tmp_path / "w"
    kept = toy_run(workdir, steps=10, checkpoint_every=2)
    with pytest.raises(loop.Interrupted):
        go(dataclasses.replace(kept, step=stopped_at(last + 1)))
    shutil.rmtree(workdir / "checkpoints" / str(last + 1))
    shutil.copytree(
        workdir / "checkpoints" / str(last),
        workdir / "checkpoints" / f"{last + 1}.orbax-checkpoint-tmp",  # never saved again
    )
    with (workdir / "metrics.jsonl").open("a") as file:
        file.write(f'{{"step": {last + 1}, "loss": 7.0}}\n{{"step": {last + 2}, "lo')
    assert arrays(go(toy_run(workdir))) == arrays(straight[1])
    assert tiny_runs.rows(workdir) == tiny_runs.rows(straight[0])
    assert checkpoint.steps(workdir / "checkpoints") == [8, 10]
    assert not list(workdir.rglob("*tmp*"))


def test_a_finished_run_is_left_as_it_is(straight, tmp_path):
    shutil.copytree(straight[0], tmp_path / "w")
    before = files(tmp_path / "w" / "checkpoints")
    assert arrays(go(toy_run(tmp_path / "w"))) == arrays(straight[1])
    assert files(tmp_path / "w" / "checkpoints") == before
    assert tiny_runs.rows(tmp_path / "w") == tiny_runs.rows(straight[0])


def test_the_log_has_a_row_wherever_one_is_due_and_means_over_the_steps_between(tmp_path):
    numbers = []

    def record(state, batch):
        state, some = step(state, batch)
        numbers.append(float(some["loss"]))
        return state, some

    go(toy_run(tmp_path / "w", run_step=record))
    rows = tiny_runs.rows(tmp_path / "w")
    assert [row["step"] for row in rows if "evaluation" in row] == [3, 6, 9, 10]
    means = {row["step"]: row["loss"] for row in rows if "loss" in row}
    assert list(means) == [2, 3, 4, 6, 8, 9, 10]
    assert means[6] == (numbers[4] + numbers[5]) / 2
    assert means[9] == numbers[8]


def test_sigterm_is_as_before_after_the_loop(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    go(toy_run(tmp_path / "w", steps=1))
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss", math.nan),
        ("loss", math.inf),
        ("gradient_norm", math.nan),
        ("parameter_norm", math.inf),
    ],
)
def test_a_number_that_is_not_finite_stops_the_run_and_is_never_saved(name, value, tmp_path):
    def broken(state, batch):
        state, numbers = step(state, batch)
        return state, {**numbers, name: jnp.where(state.step == 5, value, numbers[name])}

    message = rf"the {name.replace('_', ' ')} at step 5 is {value}; .*learning_rate"
    for _ in range(2):  # it goes on from the good checkpoint, and says the same again
        with pytest.raises(UserError, match=message):
            go(toy_run(tmp_path / "w", run_step=broken, checkpoint_every=1, evaluate_every=1))
        assert checkpoint.steps(tmp_path / "w" / "checkpoints") == [3, 4]
        assert checkpoint.steps(tmp_path / "w" / "best")[-1] <= 4
        assert max(row["step"] for row in tiny_runs.rows(tmp_path / "w")) == 4


@pytest.mark.parametrize(
    ("scores", "higher", "best"),
    [
        ([1, 3, 2, 3], True, 6),
        ([3, 1, 2, 1], False, 6),
        ([math.nan, 1, math.nan, 0], True, 6),
        ([math.nan, 1, math.nan, 0], False, 10),
    ],
)
def test_best_is_the_first_with_the_best_score(scores, higher, best, tmp_path):
    """Evaluations are at steps 3, 6, 9 and 10."""
    values = iter(scores)
    go(
        toy_run(
            tmp_path / "w",
            measure=lambda _: {"score": next(values)},
            higher_is_better=higher,
        )
    )
    assert checkpoint.steps(tmp_path / "w" / "best") == [best]


@pytest.mark.parametrize(
    ("changes", "identity", "field"),
    [
        ({"steps": 11}, {}, "train.steps=10, not 11"),
        ({"label_smoothing": 0.5}, {}, "train.label_smoothing=0.0, not 0.5"),
        ({}, {"seed": 3}, "seed=0, not 3"),
        ({}, {"task": "toy/other"}, "task=toy/toy, not toy/other"),
        ({}, {"data": {"sha256": "99"}}, "data.sha256=1234, not 99"),
        ({"steps": 11}, {"init": "a", "seed": 3}, "seed=0, not 3"),
    ],
)
@pytest.mark.parametrize("without", ["best", "checkpoints"])
def test_another_run_in_the_workdir_is_refused(
    changes, identity, field, without, straight, tmp_path
):
    shutil.copytree(straight[0], tmp_path / "w")
    shutil.rmtree(tmp_path / "w" / without)
    run = toy_run(tmp_path / "w", **changes)
    run = dataclasses.replace(run, metadata={**run.metadata, "identity": IDENTITY | identity})
    before = files(tmp_path / "w")
    with pytest.raises(UserError, match=rf"--workdir=.* holds a run with {field}; choose another"):
        go(run)
    assert files(tmp_path / "w") == before


def test_a_damaged_newest_checkpoint_is_named_with_the_one_before(straight, tmp_path):
    shutil.copytree(straight[0], tmp_path / "w")
    folder = tmp_path / "w" / "checkpoints"
    for path in (folder / "10" / "params").rglob("d/*"):
        path.write_bytes(path.read_bytes()[:-9])
    before = files(tmp_path / "w")
    with pytest.raises(UserError, match=rf"{folder / '10'} is damaged.*go on from step 8") as error:
        go(toy_run(tmp_path / "w"))
    assert "\n" not in str(error.value)
    assert files(tmp_path / "w") == before
    shutil.rmtree(folder / "10")
    assert arrays(go(toy_run(tmp_path / "w"))) == arrays(straight[1])


@pytest.mark.parametrize("folder", ["checkpoints", "best"])
def test_a_damaged_only_checkpoint_is_named(folder, straight, tmp_path):
    shutil.copytree(straight[0], tmp_path / "w")
    for step_folder in (tmp_path / "w" / folder).iterdir():
        (step_folder / "metadata" / "metadata").write_text("{")
    if folder == "checkpoints":
        shutil.rmtree(tmp_path / "w" / folder / "8")
    with pytest.raises(UserError, match=rf"damaged.*remove the folder .*{folder}.* without it"):
        go(toy_run(tmp_path / "w"))
