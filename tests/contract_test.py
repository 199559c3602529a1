# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What every task has to keep, on its own demo data and with its smallest presets.

Tasks with one network and one loss share what is compiled for it.
"""

import dataclasses
import functools
import pathlib
import re

import jax
import numpy as np
import perceiver_bench.tasks
import pytest
from flax import nnx
from random_networks import fast_jit

from perceiver_bench import registry
from perceiver_bench.config import (
    Logits,
    TanhLogits,
    TextInput,
    TiedVocabulary,
    UpsampledFlowField,
    VoxelActions,
)
from perceiver_bench.data import pipeline
from perceiver_bench.evaluation import evaluate
from perceiver_bench.model.perceiver import PerceiverIO
from perceiver_bench.model.weights.mapping import expected_shapes, flatten
from perceiver_bench.results import reported
from perceiver_bench.train import optim
from perceiver_bench.train.step import structure

NUM_EXAMPLES = 8
OVERFIT_STEPS = 150
TASKS = registry.names()
# The others are tried with networks that these have trained, on data that these write.
TRAINED = [name for name in TASKS if registry.get(name).trained_as is None]
DEMO_PRESETS = [(name, preset) for name in TASKS for preset in registry.get(name).demo_presets]
# Of a task that the demo suite leaves out, `tiny` shows all but that it learns. Tasks that join
# several data sets or sizes have tests of their own.
JOINED = ("glue/multitask", "imagenet/resolution")
PRESETS = DEMO_PRESETS + [
    (name, "tiny") for name in TRAINED if name not in JOINED and not registry.get(name).demo_presets
]
# What the others' networks say is measured when a simulator has carried it out.
MEASURED = [
    (name, preset)
    for name, preset in PRESETS
    if not isinstance(registry.get(name).presets[preset].model.head, VoxelActions)
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Gives the folder of a task's demo data, written once."""

    @functools.cache
    def folder(name):
        path = tmp_path_factory.mktemp(name.replace("/", "_"))
        registry.get(name).write_demo(path, 0)
        return path

    return folder


@functools.cache
def _transformation(config):
    constant = dataclasses.replace(config, schedule="constant", warmup_steps=0, weight_decay=0.0)
    return optim.optimizer(constant, OVERFIT_STEPS)


@functools.cache
def _fresh(model):
    """Returns fresh parameters and state of a network.

    Not compiled as a whole: its operations are much the same for all networks.
    """
    parts = nnx.split(PerceiverIO(model, rngs=nnx.Rngs(0)), nnx.Param, ...)[1:]
    return tuple(nnx.to_pure_dict(part) for part in parts)


@functools.cache
def _step(model, optimizer, loss_of):
    """Compiles a step of training: to new parameters, state, optimizer state, loss, gradients."""
    graph, transformation = structure(model), _transformation(optimizer)

    def step(params, model_state, optimizer_state, key, batch):
        def mean_loss(params):
            network = nnx.merge(graph, params, model_state)
            loss = loss_of(network(batch, key=key), batch, 0.0).mean()
            return loss, nnx.to_pure_dict(nnx.state(network, nnx.BatchStat))

        (loss, state), gradients = jax.value_and_grad(mean_loss, has_aux=True)(params)
        updates, optimizer_state = transformation.update(gradients, optimizer_state, params)
        params = jax.tree.map(jax.numpy.add, params, updates)
        return params, state, optimizer_state, loss, gradients

    return fast_jit(step)


@functools.cache
def _forward(model):
    """Compiles a network in evaluation mode."""
    graph = structure(model)
    return fast_jit(lambda params, state, batch: nnx.merge(graph, params, state)(batch))


@dataclasses.dataclass
class Fitted:
    """A network before and after steps of training on one batch, of which `loss` is the first."""

    config: object
    batch: dict
    loss: float
    gradients: dict
    loss_after: float
    params: object
    model_state: object


@pytest.fixture(scope="module")
def fitted(demo):
    """Gives a preset fitted to eight training examples, in training mode.

    A demo preset takes `OVERFIT_STEPS`, any other takes one.
    """

    @functools.cache
    def fit(name, preset):
        task = registry.get(name)
        config = task.presets[preset]
        source = task.source(config.data, demo(name), task.splits[0])
        preprocess = task.preprocess(config.data, task.prepare_assets(config.data, lambda: source))
        if task.in_parts:  # of a size of its own each; training crops them
            batch = next(pipeline.training_batches(source, preprocess, NUM_EXAMPLES, 0, 1))
        else:
            batch = next(pipeline.evaluation_batches(source, preprocess, NUM_EXAMPLES))
            batch.pop("valid")
        step = _step(config.model, config.train.optimizer, task.loss)
        params, state = _fresh(config.model)
        optimizer_state = _transformation(config.train.optimizer).init(params)
        losses, first = [], None
        for key in jax.random.split(
            jax.random.key(0), OVERFIT_STEPS if preset in task.demo_presets else 1
        ):
            params, state, optimizer_state, loss, gradients = step(
                params, state, optimizer_state, key, batch
            )
            losses.append(loss)
            first = first or gradients
        gradients = {path: np.asarray(leaf) for path, leaf in flatten(first).items()}
        return Fitted(config, batch, float(losses[0]), gradients, float(losses[-1]), params, state)

    return fit


@pytest.fixture(scope="module")
def predict(fitted):
    """Gives the rows of every metric for a batch, by the fitted network in evaluation mode."""

    def rows(name, preset, batch):
        one = fitted(name, preset)
        prediction = _forward(one.config.model)(one.params, one.model_state, batch)
        return jax.device_get(evaluate.metric_rows(registry.get(name), prediction, batch))

    return rows


@pytest.mark.parametrize("name", TASKS)
def test_names_presets_and_documents_exist(name):
    task = registry.get(name)
    assert task.name == name
    assert re.fullmatch(r"[a-z0-9_]+/[a-z0-9_]+", name)
    assert task.version >= 1
    assert task.default_preset in task.presets
    if name not in JOINED:
        assert set(task.demo_presets or ("tiny",)) <= set(task.presets)
    assert task.main_metric in task.metrics
    assert _has_parts(task, set(task.fresh_parts) - {"query", "head"})
    readme = pathlib.Path(perceiver_bench.tasks.__path__[0]) / name.split("/")[0] / "README.md"
    protocols = {task.protocol_of(run.data) for run in task.presets.values()}
    assert all(protocol in readme.read_text() for protocol in protocols)


def _has_parts(task, parts):
    """Whether each of the parts of a model is in the network of a preset."""
    models = {run.model for run in task.presets.values()} if parts else set()
    paths = {f"{path}." for model in models for path in expected_shapes(model)}
    return all(any(path.startswith(f"{part}.") for path in paths) for part in parts)


@pytest.mark.parametrize("name", TASKS)
def test_paper_rows_resolve_and_are_of_our_metrics(name):
    task = registry.get(name)
    for benchmark in task.paper_rows:
        rows = reported.rows(benchmark)
        assert rows, benchmark
        first = task.metrics[rows[0].metric]
        assert (rows[0].unit, rows[0].direction) == (first.unit, first.direction)


@pytest.mark.parametrize("name", TRAINED)
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


@pytest.mark.parametrize(("name", "preset"), DEMO_PRESETS)
def test_eight_examples_are_learned_by_heart(name, preset, fitted):
    one = fitted(name, preset)
    # A field has a vector for each of 1,536 pixels. The same one in the whole of a picture
    # would leave 0.23 of the loss.
    left = 0.2 if registry.get(name).in_parts else 0.05
    assert one.loss_after < left * one.loss


def _perfect(config, batch):
    """Returns the prediction of a network that knows the answers."""
    match config.model.head:
        case TanhLogits(num_outputs=1):
            return {"logits": batch["label"][:, None]}
        case UpsampledFlowField():
            return {"flow": batch["flow"]}
        case TiedVocabulary():
            classes = config.model.input.vocab_size
            return {"logits": 100 * np.eye(classes, dtype=np.float32)[batch["label"]]}
        case TanhLogits(num_outputs=size) | Logits(num_classes=size):
            return {"logits": 100 * np.eye(size, dtype=np.float32)[batch["label"]]}
    raise NotImplementedError(f"say here what predicts perfectly for {config.model.head}")


@pytest.mark.parametrize(("name", "preset"), MEASURED)
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
        if metric.optional and metric_name not in best:
            continue
        assert best[metric_name].value == pytest.approx(metric.optimum, abs=1e-6)
        if not metric.optional:
            assert best[metric_name].num_examples == NUM_EXAMPLES
        sign = 1 if metric.direction == "higher" else -1
        assert sign * worst[metric_name].value < sign * best[metric_name].value


@pytest.mark.parametrize(("name", "preset"), MEASURED)
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


@pytest.mark.parametrize(("name", "preset"), MEASURED)
def test_padded_tokens_have_no_influence(name, preset, fitted, predict):
    one = fitted(name, preset)
    if not isinstance(one.config.model.input, TextInput):
        return
    inputs, mask = one.batch["inputs"], one.batch["input_mask"].copy()
    mask[:, -4:] = 0
    noise = np.random.default_rng(0).integers(0, one.config.model.input.vocab_size, inputs.shape)
    noisy = np.where(mask == 1, inputs, noise).astype(inputs.dtype)
    padded = {**one.batch, "input_mask": mask}
    expected = predict(name, preset, padded)
    for metric, rows in predict(name, preset, {**padded, "inputs": noisy}).items():
        for part, row in rows.items():
            np.testing.assert_array_equal(row, expected[metric][part])


@pytest.mark.parametrize("name", TASKS)
def test_baselines_predict_every_example(name, demo):
    task = registry.get(name)
    if not task.baselines:
        return
    config = task.presets[(*task.demo_presets, "tiny")[0]].data
    train, held_out = (task.source(config, demo(name), split) for split in task.splits)
    prepare = task.preprocess(config, task.prepare_assets(config, lambda: train))
    for baseline in task.baselines.values():
        for array in baseline(train, held_out, prepare).values():
            assert len(array) == len(held_out)
            assert np.isfinite(array).all()
