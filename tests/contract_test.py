# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What every task has to keep, on its own demo data and with its own demo presets."""

import dataclasses
import functools
import pathlib
import re

import jax
import numpy as np
import perceiver_bench.tasks
import pytest
from flax import nnx

from perceiver_bench import registry
from perceiver_bench.config import Logits, TanhLogits, TextInput
from perceiver_bench.data import pipeline
from perceiver_bench.evaluation import evaluate
from perceiver_bench.model.perceiver import PerceiverIO
from perceiver_bench.model.weights.mapping import flatten
from perceiver_bench.results import reported
from perceiver_bench.train import optim
from perceiver_bench.train.step import structure

NUM_EXAMPLES = 8
OVERFIT_STEPS = 150
TASKS = registry.names()
PRESETS = [(name, preset) for name in TASKS for preset in registry.get(name).demo_presets]

# The same code, compiled in half the time.
_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Gives the folder of a task's demo data, written once."""

    @functools.cache
    def folder(name):
        path = tmp_path_factory.mktemp(name.replace("/", "_"))
        registry.get(name).write_demo(path, 0)
        return path

    return folder


@dataclasses.dataclass
class Fitted:
    """A network before and after `OVERFIT_STEPS` on one batch."""

    config: object
    batch: dict
    loss: float
    gradients: dict
    loss_after: float
    params: object
    model_state: object


@pytest.fixture(scope="module")
def fitted(demo):
    """Gives a preset fitted to eight training examples, in training mode."""

    @functools.cache
    def fit(name, preset):
        task = registry.get(name)
        config = task.presets[preset]
        source = task.source(demo(name), task.splits[0])
        preprocess = task.preprocess(config.data, task.prepare_assets(config.data, source))
        batch = next(pipeline.evaluation_batches(source, preprocess, NUM_EXAMPLES))
        batch.pop("valid")
        constant = dataclasses.replace(
            config.train.optimizer, schedule="constant", warmup_steps=0, weight_decay=0.0
        )
        transformation = optim.optimizer(constant, OVERFIT_STEPS)
        graph = structure(config.model)

        @_jit
        def step(params, model_state, optimizer_state, key):
            def mean_loss(params):
                model = nnx.merge(graph, params, model_state)
                loss = task.loss(model(batch, key=key), batch, 0.0).mean()
                return loss, nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))

            (loss, state), gradients = jax.value_and_grad(mean_loss, has_aux=True)(params)
            updates, optimizer_state = transformation.update(gradients, optimizer_state, params)
            params = jax.tree.map(jax.numpy.add, params, updates)
            return params, state, optimizer_state, loss, gradients

        @_jit
        def build():
            return nnx.split(PerceiverIO(config.model, rngs=nnx.Rngs(0)), nnx.Param, ...)[1:]

        params, state = (nnx.to_pure_dict(part) for part in build())
        optimizer_state = jax.jit(transformation.init)(params)
        keys = jax.random.split(jax.random.key(0), OVERFIT_STEPS)
        params, state, optimizer_state, loss, gradients = step(
            params, state, optimizer_state, keys[0]
        )
        for key in keys[1:]:
            params, state, optimizer_state, loss_after, _ = step(
                params, state, optimizer_state, key
            )
        gradients = {name: np.asarray(leaf) for name, leaf in flatten(gradients).items()}
        return Fitted(config, batch, float(loss), gradients, float(loss_after), params, state)

    return fit


@pytest.fixture(scope="module")
def predict(fitted):
    """Gives the rows of every metric for a batch, by the fitted network in evaluation mode."""

    @functools.cache
    def compiled(name, preset):
        one = fitted(name, preset)
        step = evaluate.make_rows_step(registry.get(name), structure(one.config.model))
        return functools.partial(step, one.params, one.model_state)

    return lambda name, preset, batch: jax.device_get(compiled(name, preset)(batch))


@pytest.mark.parametrize("name", TASKS)
def test_names_presets_and_documents_exist(name):
    task = registry.get(name)
    assert task.name == name
    assert re.fullmatch(r"[a-z0-9_]+/[a-z0-9_]+", name)
    assert task.version >= 1
    assert task.default_preset in task.presets
    assert task.demo_presets
    assert set(task.demo_presets) <= set(task.presets)
    assert task.main_metric in task.metrics
    assert {"query", "head"} >= set(task.fresh_parts)
    readme = pathlib.Path(perceiver_bench.tasks.__path__[0]) / name.split("/")[0] / "README.md"
    assert task.protocol in readme.read_text()


@pytest.mark.parametrize("name", TASKS)
def test_paper_rows_resolve_and_are_of_our_metrics(name):
    task = registry.get(name)
    assert task.paper_rows
    for benchmark in task.paper_rows:
        rows = reported.rows(benchmark)
        assert rows, benchmark
        first = task.metrics[rows[0].metric]
        assert (rows[0].unit, rows[0].direction) == (first.unit, first.direction)


@pytest.mark.parametrize("name", TASKS)
def test_demo_data_is_the_seeds_alone(name, demo, tmp_path):
    task = registry.get(name)
    written = {}
    for folder, seed in (("again", 0), ("other", 1)):
        task.write_demo(tmp_path / folder, seed)
    for folder in (demo(name), tmp_path / "again", tmp_path / "other"):
        written[folder.name] = {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
    first, again, other = written.values()
    assert first == again
    assert first.keys() == other.keys()
    assert first != other


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_loss_is_finite(name, preset, fitted):
    assert np.isfinite(fitted(name, preset).loss)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_every_parameter_learns(name, preset, fitted):
    """Leaf by leaf, and layer by layer where layers are stacked.

    Left out are the biases of keys: the softmax ignores what all keys have in common. Of
    the positions exactly those that no text of the batch reaches have no gradient.
    """
    one = fitted(name, preset)
    for path, gradient in one.gradients.items():
        assert np.isfinite(gradient).all(), path
        if path.endswith("key.bias"):
            continue
        layers = gradient if "self_attention" in path else gradient[None]
        assert all(layer.any() for layer in layers), path
    if isinstance(one.config.model.input, TextInput):
        reached = one.batch["input_mask"].any(axis=0)
        learns = one.gradients["adapter.positions"].any(axis=-1)
        np.testing.assert_array_equal(learns, reached)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_eight_examples_are_learned_by_heart(name, preset, fitted):
    one = fitted(name, preset)
    assert one.loss_after < 0.05 * one.loss


def _perfect(config, batch):
    """Returns the prediction of a network that knows the answers."""
    match config.model.head:
        case TanhLogits(num_outputs=size) | Logits(num_classes=size):
            return {"logits": 100 * np.eye(size, dtype=np.float32)[batch["label"]]}
    raise NotImplementedError(f"say here what predicts perfectly for {config.model.head}")


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_perfect_predictions_score_the_optimum_and_their_opposite_less(name, preset, fitted):
    one = fitted(name, preset)
    task = registry.get(name)
    perfect = _perfect(one.config, one.batch)
    opposite = {part: -array for part, array in perfect.items()}
    best, worst = (
        evaluate.pool(task, jax.device_get(evaluate.metric_rows(task, prediction, one.batch)))
        for prediction in (perfect, opposite)
    )
    for metric_name, metric in task.metrics.items():
        assert best[metric_name].value == pytest.approx(metric.optimum, abs=1e-6)
        assert best[metric_name].num_examples == NUM_EXAMPLES
        sign = 1 if metric.direction == "higher" else -1
        assert sign * worst[metric_name].value < sign * best[metric_name].value


@pytest.mark.parametrize(("name", "preset"), PRESETS)
@pytest.mark.parametrize("num_valid", [1, 3])
def test_rows_that_fill_up_a_batch_change_no_other(name, preset, num_valid, fitted, predict):
    """The first examples score the same whatever comes after them: others, zeros, noise."""
    batch = fitted(name, preset).batch
    rng = np.random.default_rng(0)
    zeros, noise = {}, {}
    for part, array in batch.items():
        zeros[part], noise[part] = array.copy(), array.copy()
        zeros[part][num_valid:] = 0
        noise[part][num_valid:] = rng.permutation(array[num_valid:].ravel()).reshape(
            array[num_valid:].shape
        )
    expected = predict(name, preset, batch)
    for filled in (zeros, noise):
        for metric, rows in predict(name, preset, filled).items():
            for part, row in rows.items():
                np.testing.assert_array_equal(row[:num_valid], expected[metric][part][:num_valid])


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_padded_tokens_have_no_influence(name, preset, fitted, predict):
    one = fitted(name, preset)
    if not isinstance(one.config.model.input, TextInput):
        return
    inputs, mask = one.batch["inputs"], one.batch["input_mask"]
    assert not mask.all()
    noise = np.random.default_rng(0).integers(0, one.config.model.input.vocab_size, inputs.shape)
    noisy = np.where(mask == 1, inputs, noise).astype(inputs.dtype)
    expected = predict(name, preset, one.batch)
    for metric, rows in predict(name, preset, {**one.batch, "inputs": noisy}).items():
        for part, row in rows.items():
            np.testing.assert_array_equal(row, expected[metric][part])


@pytest.mark.parametrize("name", TASKS)
def test_baselines_predict_every_example(name, demo):
    task = registry.get(name)
    train, held_out = (task.source(demo(name), split) for split in task.splits)
    for baseline in task.baselines.values():
        for array in baseline(train, held_out).values():
            assert len(array) == len(held_out)
            assert np.isfinite(array).all()
