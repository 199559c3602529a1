# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Whole training runs of the real network: stopped, killed, on other devices, evaluated."""

import dataclasses
import json
import os
import random
import shutil
import signal
import time

import jax
import numpy as np
import pytest
import tiny_runs
from random_networks import random_weights

from perceiver_bench import overrides, registry
from perceiver_bench.commands import train as train_module
from perceiver_bench.commands.evaluate import evaluate
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.weights import official
from perceiver_bench.model.weights.mapping import flatten
from perceiver_bench.train import checkpoint, loop, weights

LAST = str(tiny_runs.STEPS)


@pytest.fixture(scope="module")
def trained(base):
    return tiny_runs.trained(base)[0]


def assert_same_run(workdir, expected):
    """The metadata has the sums of every array, and of times and paths nothing."""
    for name in ("checkpoints", "best"):
        steps = checkpoint.steps(expected / name)
        assert checkpoint.steps(workdir / name)[-1] == steps[-1]
        ours, theirs = (
            checkpoint.read_metadata(w / name / str(steps[-1])) for w in (workdir, expected)
        )
        assert ours == theirs
    assert tiny_runs.rows(workdir) == tiny_runs.rows(expected)


def stopping_at(monkeypatch, step):
    """Makes training send itself a SIGTERM while it takes that step."""
    make = train_module.make_train_step

    def with_signal(*arguments):
        take = make(*arguments)

        def run_step(state, batch):
            if int(state.step) + 1 == step:
                os.kill(os.getpid(), signal.SIGTERM)
            return take(state, batch)

        return run_step

    monkeypatch.setattr(train_module, "make_train_step", with_signal)


def test_the_run_has_randomness_to_lose(trained):
    """Dropout is on, and the loss is not that of the first batches over and over."""
    config = checkpoint.read_metadata(trained / "checkpoints" / LAST)["run"]
    assert config["model"]["dropout"] == config["model"]["attention_dropout"] == 0.1
    losses = [row["loss"] for row in tiny_runs.rows(trained) if "loss" in row]
    assert len(losses) == len(set(losses)) == 6


def test_sentencepiece_stopped_and_resumed_is_a_straight_run(base, tmp_path, monkeypatch):
    """The tokenizer comes from the checkpoint; of another text there would be another.

    The network is that of the bytes, so that it is compiled once.
    """
    options = {"changes": [*tiny_runs.CHANGES, "data.tokenizer=sentencepiece"]}
    tiny_runs.train_tiny(base, tmp_path / "straight", **options)
    with monkeypatch.context() as patch:
        stopping_at(patch, 7)
        with pytest.raises(loop.Interrupted):
            tiny_runs.train_tiny(base, tmp_path / "w", **options)
    task = registry.get(tiny_runs.TASK)
    without = dataclasses.replace(task, prepare_assets=lambda *_: {})
    with monkeypatch.context() as patch:
        patch.setattr(registry, "get", lambda _: without)
        tiny_runs.train_tiny(base, tmp_path / "w", **options)
    assert_same_run(tmp_path / "w", tmp_path / "straight")
    metadata = checkpoint.read_metadata(tmp_path / "w" / "checkpoints" / LAST)
    assert len(checkpoint.extras(metadata)["tokenizer.model"]) > 1000


def run_flags(base, workdir):
    return tiny_runs.train_flags(
        tiny_runs.data_dir(base), base, workdir=workdir, set=tiny_runs.CHANGES
    )


def _wait_for(process, condition):
    """Waits until `condition()`; the process must not end before."""
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.001)


def test_a_real_process_survives_sigterm_and_kills(base, trained, tmp_path):
    """SIGTERM at a step, kill -9 inside a save and between saves; the same command goes on."""
    workdir = tmp_path / "w"
    folder = workdir / "checkpoints"
    arguments = run_flags(base, workdir)

    process = tiny_runs.start(base, *arguments)
    _wait_for(process, lambda: any(workdir.glob("checkpoints/5.orbax-checkpoint-tmp*/params*")))
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert checkpoint.steps(folder) == []

    process = tiny_runs.start(base, *arguments)
    _wait_for(process, lambda: checkpoint.steps(folder))
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate()
    assert process.returncode == 143, errors
    assert output == ""
    (stopped,) = checkpoint.steps(folder)[-1:]
    line = f"perceiver-bench: stopped by SIGTERM; saved step {stopped} in {workdir}"
    assert errors.splitlines()[-1] == f"{line}; the same command goes on from it"
    assert "Traceback" not in errors

    process = tiny_runs.start(base, *arguments)
    _wait_for(process, lambda: any(workdir.glob("best/6*")) or any(workdir.glob("best/12*")))
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    process = tiny_runs.start(base, *arguments)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "| accuracy (%) ↑ |" in output
    assert_same_run(workdir, trained)
    assert not list(workdir.rglob("*tmp*"))


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_nothing(base, trained, tmp_path):
    rng = random.Random(0)
    workdir = tmp_path / "w"
    arguments, log = run_flags(base, workdir), workdir / "metrics.jsonl"
    kills = 0
    while kills < 10:
        process = tiny_runs.start(base, *arguments)
        # The clock starts when the loop opens its log, so that most kills hit the loop.
        before = log.stat().st_ino if log.exists() else None
        while process.poll() is None and (not log.exists() or log.stat().st_ino == before):
            time.sleep(0.001)
        moment = time.monotonic() + rng.uniform(0.0, 1.5)
        while process.poll() is None and time.monotonic() < moment:
            time.sleep(0.001)
        process.kill()
        errors = process.communicate()[1]
        if process.returncode == 0:
            assert_same_run(workdir, trained)
            shutil.rmtree(workdir)
            continue
        assert process.returncode == -signal.SIGKILL, errors
        kills += 1
    process = tiny_runs.start(base, *arguments)
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    assert_same_run(workdir, trained)


@pytest.fixture(scope="module", autouse=True)
def on_eight_devices(base):
    """The run of `trained` on eight devices: its workdir, and the process, in the background."""
    workdir = base / "eight"
    process = tiny_runs.start(
        base,
        *run_flags(base, workdir),
        XLA_FLAGS="--xla_force_host_platform_device_count=8",
    )
    yield workdir, process
    process.kill()
    process.communicate()


def test_eight_devices_compute_what_one_does(base, trained, on_eight_devices):
    """Losses within 1e-5 of one device's, relative; a later step sees earlier differences."""
    workdir, process = on_eight_devices
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    ours, theirs = tiny_runs.rows(workdir), tiny_runs.rows(trained)
    assert [row["step"] for row in ours] == [row["step"] for row in theirs]
    for name in ("loss", "gradient_norm"):
        one, eight = ([row[name] for row in rows if name in row] for rows in (theirs, ours))
        np.testing.assert_allclose(eight, one, rtol=1e-5)

    # Its checkpoint goes on here, on one device, from the step before the last.
    shutil.rmtree(workdir / "checkpoints" / LAST)
    tiny_runs.train_tiny(base, workdir)
    ours, theirs = (
        flatten(checkpoint.load_weights(w / "checkpoints" / LAST)[0].params)
        for w in (workdir, trained)
    )
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-5, err_msg=name)


def reported(workdir):
    """The evaluations that training logged, by step."""
    return {
        row["step"]: row["evaluation"] for row in tiny_runs.rows(workdir) if "evaluation" in row
    }


def metrics_of(path):
    return {name: one["value"] for name, one in json.loads(path.read_text())["metrics"].items()}


def evaluated(base, path, **options):
    record = evaluate(
        tiny_runs.TASK,
        checkpoint_name=str(path),
        data_dir=tiny_runs.data_dir(base),
        results_dir=base / "results",
        **options,
    )
    return json.loads(record.read_text())


def test_evaluation_of_a_checkpoint_is_what_training_reported(base, trained):
    """To the last bit, and the number of examples is no multiple of the group."""
    task = registry.get(tiny_runs.TASK)
    assert tiny_runs.NUM_DEV % task.evaluation_group
    logged = reported(trained)
    assert metrics_of(tiny_runs.trained(base)[1]) == logged[tiny_runs.STEPS]
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    record = evaluated(base, trained)
    assert {name: one["value"] for name, one in record["metrics"].items()} == logged[12]
    assert record["metrics"]["accuracy"]["n"] == tiny_runs.NUM_DEV
    assert record["checkpoint"]["step"] == tiny_runs.STEPS
    assert record["seed"] == 0
    assert record["partial"] is False
    assert record["overrides"] == list(tiny_runs.CHANGES)
    assert record["learning_curve"] == [{"step": s, **logged[s]} for s in (6, 12)]
    assert before == {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}


def test_best_is_the_best_that_was_reported(base, trained):
    logged = reported(trained)
    (step,) = checkpoint.steps(trained / "best")
    assert logged[step]["accuracy"] == max(one["accuracy"] for one in logged.values())
    record = evaluated(base, trained / "best")
    assert record["checkpoint"]["step"] == step
    assert {name: one["value"] for name, one in record["metrics"].items()} == logged[step]


@pytest.mark.parametrize(("limit", "partial"), [(50, True), (51, False)])
def test_a_limit_marks_the_record(limit, partial, base, trained):
    record = evaluated(base, trained, limit=limit)
    assert record["partial"] is partial
    assert record["metrics"]["accuracy"]["n"] == min(limit, tiny_runs.NUM_DEV)
    assert (f"--limit={limit}" in (record["partial_reason"] or "")) is partial


@pytest.mark.parametrize("batch_size", [7, 64])
def test_the_batch_size_of_training_does_not_change_the_evaluation(
    batch_size, base, start_of, tmp_path
):
    changes = [*tiny_runs.CHANGES, f"train.batch_size={batch_size}"]
    measured, _ = start_of(tmp_path / "w", changes=changes)
    record = evaluated(base, tmp_path / "w")
    assert {name: one["value"] for name, one in record["metrics"].items()} == measured


def pretrained_config():
    """A masked language model with the trunk of the tiny runs."""
    config = overrides.apply(registry.get(tiny_runs.TASK).presets["tiny"], tiny_runs.CHANGES).model
    query = dataclasses.replace(presets.language().query, max_length=48, channels=32)
    return dataclasses.replace(config, query=query, head=presets.language().head)


@pytest.fixture
def start_of(base, monkeypatch):
    """Gives what a run measures before its first step, and its parameters, which it saves."""

    class Begun(Exception):
        pass

    def save(run, state, losses):
        del losses
        loop._save(run, state, run.workdir / "checkpoints", 2, {"losses": []})
        measured.append(run.evaluate(state))
        raise Begun

    measured = []

    def start(workdir, **options):
        with monkeypatch.context() as patch:
            patch.setattr(loop, "train", save)
            with pytest.raises(Begun):
                tiny_runs.train_tiny(base, workdir, **options)
        return measured[-1], flatten(
            checkpoint.load_weights(workdir / "checkpoints" / "0")[0].params
        )

    return start


def test_init_takes_over_the_trunk_and_leaves_the_rest_fresh(start_of, tmp_path):
    pretrained = random_weights(pretrained_config())
    theirs = flatten(pretrained.params)
    _, fresh = start_of(tmp_path / "fresh")
    for kind, source in (("official", tmp_path / "mlm.pickle"), ("orbax", tmp_path / "mlm")):
        weights.save(source, pretrained, kind)
        _, ours = start_of(tmp_path / kind, init=source)
        assert ours.keys() == fresh.keys()
        for path, leaf in ours.items():
            expected = fresh if path.split(".")[0] in ("query", "head") else theirs
            np.testing.assert_array_equal(leaf, expected[path], err_msg=path)
    # A run that has begun does not need what it began from.
    (tmp_path / "mlm.pickle").unlink()
    _, again = start_of(tmp_path / "official", init=tmp_path / "mlm.pickle")
    for path, leaf in again.items():
        expected = fresh if path.split(".")[0] in ("query", "head") else theirs
        np.testing.assert_array_equal(leaf, expected[path], err_msg=path)


def test_init_of_another_size_is_one_line(base, tmp_path):
    config = pretrained_config()
    smaller = dataclasses.replace(
        config, encoder=dataclasses.replace(config.encoder, num_latents=3)
    )
    official.save(tmp_path / "mlm.pickle", random_weights(smaller))
    with pytest.raises(UserError, match=r"mlm\.pickle holds another model: .*position"):
        tiny_runs.train_tiny(base, tmp_path / "w", init=tmp_path / "mlm.pickle")
    weights.save(tmp_path / "mlm", random_weights(smaller), "orbax")
    with pytest.raises(UserError, match=r"--init.* holds another model: encoder\.latents is "):
        tiny_runs.train_tiny(base, tmp_path / "v", init=tmp_path / "mlm")


def test_jax_has_one_device_here():
    assert jax.device_count() == 1  # else the comparison with eight shows nothing
