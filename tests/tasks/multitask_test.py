# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""One network for all of GLUE: its data, loss and average, and what it takes over."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import optax
import pytest
import scipy.stats
import sklearn.metrics
import tiny_runs
from flax import nnx
from perceiver_bench.tasks.glue import multitask_metrics
from perceiver_bench.tasks.glue.multitask_metrics import DATA_SETS, TASKS, task_of
from random_networks import fast_jit, random_weights

from perceiver_bench import registry
from perceiver_bench.commands.evaluate import evaluate as evaluate_command
from perceiver_bench.commands.setup import build_config, check_held_out
from perceiver_bench.config import PositionQuery, TaskQuery, TiedVocabulary
from perceiver_bench.errors import UserError
from perceiver_bench.evaluation import evaluate
from perceiver_bench.model.perceiver import PerceiverIO, num_params
from perceiver_bench.model.weights import mapping
from perceiver_bench.results import reported
from perceiver_bench.train import weights

TASK = registry.get("glue/multitask")
FORMS = ("multitask_query", "shared_token", "task_tokens")
DATA = TASK.presets["tiny_multitask_query"].data
NUM_TRAIN, NUM_DEV = 24, 12


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The beginning of every file of the demo data."""
    folder = tmp_path_factory.mktemp("demo")
    TASK.write_demo(folder, 0)
    for path in folder.rglob("*.tsv"):
        size = NUM_TRAIN if path.name == "train.tsv" else NUM_DEV
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[: size + (path.parent.name != "CoLA")]))
    return folder


@pytest.fixture(scope="module")
def dev_batch(demo):
    source, prepare = TASK.source(DATA, demo, "dev"), TASK.preprocess(DATA, {})
    examples = [prepare(example, None) for example in source]
    return {name: np.stack([one[name] for one in examples]) for name in examples[0]}


def test_training_joins_all_training_sets_and_evaluation_all_dev_sets(demo):
    train_set, dev_set = (TASK.source(DATA, demo, split) for split in TASK.splits)
    assert len(train_set) == 8 * NUM_TRAIN
    assert len(dev_set) == 9 * NUM_DEV
    assert [example["data_set"] for example in dev_set] == np.repeat(DATA_SETS, NUM_DEV).tolist()
    own = [name for name in DATA_SETS if name != "mnli_mismatched"]
    assert [example["data_set"] for example in train_set] == np.repeat(own, NUM_TRAIN).tolist()
    for source, split in ((train_set, "train"), (dev_set, "dev")):
        start = 0
        for name in own if split == "train" else DATA_SETS:
            alone = registry.get(f"glue/{name}").source(DATA, demo, split)
            for index in range(len(alone)):
                due = {**alone[index], "data_set": name}
                assert source[start + index] == due
            assert source.fingerprint[name] == alone.fingerprint
            start += len(alone)
        with pytest.raises(IndexError):
            source[start]
        with pytest.raises(IndexError):
            source[-1]


@pytest.mark.parametrize("name", ["RTE/dev.tsv", "MNLI/dev_mismatched.tsv", "CoLA/dev.tsv"])
def test_a_dev_set_that_is_missing_is_named(name, demo, tmp_path):
    shutil.copytree(demo, tmp_path / "data")
    (tmp_path / "data" / name).unlink()
    assert len(TASK.source(DATA, tmp_path / "data", "train"))
    with pytest.raises(UserError, match=f"it has no file {name}"):
        TASK.source(DATA, tmp_path / "data", "dev")


def test_a_training_file_as_one_of_the_dev_sets_is_refused(demo, tmp_path):
    shutil.copytree(demo, tmp_path / "data")
    train_set, dev_set = (TASK.source(DATA, tmp_path / "data", split) for split in TASK.splits)
    check_held_out(train_set, dev_set)
    shutil.copy(tmp_path / "data/QNLI/train.tsv", tmp_path / "data/QNLI/dev.tsv")
    dev_set = TASK.source(DATA, tmp_path / "data", "dev")
    with pytest.raises(UserError, match=r"same bytes as train\.tsv; training data is no data to"):
        check_held_out(train_set, dev_set)


def test_arrays_are_those_of_the_own_task_and_name_it(demo, dev_batch):
    source = TASK.source(DATA, demo, "dev")
    for index in range(0, len(source), NUM_DEV):
        name = source[index]["data_set"]
        alone = registry.get(f"glue/{name}").preprocess(DATA, {})(source[index], None)
        row = {part: array[index] for part, array in dev_batch.items()}
        for part in ("inputs", "input_mask", "label"):
            np.testing.assert_array_equal(row[part], alone[part])
        assert TASKS[row["task"]] == name.split("_")[0]
        assert DATA_SETS[row["data_set"]] == name
        assert row["output_positions"].tolist() == [0]
    assert dev_batch["label"].dtype == np.float32
    assert len(TASKS) == 8


def random_logits(size):
    return np.random.default_rng(3).standard_normal((size, 8, 3), dtype=np.float32)


def own_loss(name, logits, labels):
    single = registry.get(f"glue/{name}")
    size = {"stsb": 1, "mnli": 3}.get(name.split("_")[0], 2)
    labels = labels if name == "stsb" else labels.astype(np.int32)
    return single.loss({"logits": logits[:, task_of(name), :size]}, {"label": labels}, 0.0)


def test_the_loss_is_that_of_the_own_task(dev_batch):
    logits = random_logits(len(dev_batch["label"]))
    found = np.asarray(TASK.loss({"logits": logits}, dev_batch, 0.0))
    for number, name in enumerate(DATA_SETS):
        own = dev_batch["data_set"] == number
        due = own_loss(name, logits[own], dev_batch["label"][own])
        np.testing.assert_allclose(found[own], due, rtol=1e-6, err_msg=name)
    # Two by hand: classes 0 and 1 alone, and a score 2.5 times the distance of the outputs.
    cola = logits[0, task_of("cola"), :2].astype(np.float64)
    label = int(dev_batch["label"][0])
    assert found[0] == pytest.approx(np.log(np.exp(cola).sum()) - cola[label], rel=1e-5)
    score = logits[-1, task_of("stsb"), 0] - dev_batch["label"][-1]
    assert found[-1] == pytest.approx((2.5 * score) ** 2, rel=1e-5)


def test_outputs_that_a_task_does_not_have_get_no_gradient(dev_batch):
    logits = random_logits(len(dev_batch["label"]))
    logits[:, task_of("cola"), 2] = 1e4
    gradient = np.asarray(
        jax.grad(lambda logits: TASK.loss({"logits": logits}, dev_batch, 0.0).sum())(logits)
    )
    assert np.isfinite(gradient).all()
    sizes = np.array([{"stsb": 1, "mnli": 3}.get(task, 2) for task in TASKS])
    is_own = np.arange(8) == dev_batch["task"][:, None]
    has = is_own[..., None] & (np.arange(3) < sizes[:, None])
    np.testing.assert_array_equal(gradient != 0, has)


def test_label_smoothing_is_refused(dev_batch):
    logits = random_logits(len(dev_batch["label"]))
    with pytest.raises(UserError, match=r"label_smoothing=0\.1: a score has no classes"):
        TASK.loss({"logits": logits}, dev_batch, 0.1)


def measured(logits, batch):
    return evaluate.pool(
        TASK, jax.device_get(evaluate.metric_rows(TASK, {"logits": logits}, batch))
    )


def test_metrics_are_those_of_other_libraries_and_the_average_is_of_eight(dev_batch):
    batch = {name: np.concatenate([array] * 5) for name, array in dev_batch.items()}
    logits = random_logits(len(batch["label"]))
    found = measured(logits, batch)
    due = {}
    for number, name in enumerate(DATA_SETS):
        own = batch["data_set"] == number
        outputs, labels = logits[own, task_of(name)], batch["label"][own]
        if name == "stsb":
            due[name] = 100 * scipy.stats.pearsonr(outputs[:, 0], labels)[0]
            continue
        classes = outputs[:, : 3 if name.startswith("mnli") else 2].argmax(-1)
        if name == "cola":
            due[name] = 100 * sklearn.metrics.matthews_corrcoef(labels, classes)
        else:
            due[name] = 100 * sklearn.metrics.accuracy_score(labels, classes)
    own_names = [name for name in found if name != "average_score"]
    assert own_names[:3] == [
        "cola_matthews_correlation",
        "mnli_matched_accuracy",
        "mnli_mismatched_accuracy",
    ]
    assert own_names[-1] == "stsb_pearson_correlation"
    for name, metric_name in zip(DATA_SETS, own_names, strict=True):
        assert found[metric_name].value == pytest.approx(due[name], abs=1e-4), name
        assert found[metric_name].num_examples == 5 * NUM_DEV
    mnli = (due.pop("mnli_matched") + due.pop("mnli_mismatched")) / 2
    average = found["average_score"]
    assert average.value == pytest.approx((sum(due.values()) + mnli) / 8, abs=1e-4)
    assert average.num_examples == len(logits)
    errors = {
        name: found[one].standard_error for name, one in zip(DATA_SETS, own_names, strict=True)
    }
    halves = [errors.pop("mnli_matched") / 2, errors.pop("mnli_mismatched") / 2]
    total = sum(np.square([*errors.values(), *halves]))
    assert average.standard_error == pytest.approx(np.sqrt(total) / 8)


def test_perfect_predictions_score_the_optimum_and_their_opposite_less(dev_batch):
    size = len(dev_batch["label"])
    rows = np.arange(size)
    is_score = dev_batch["task"] == task_of("stsb")
    logits = np.zeros((size, 8, 3), np.float32)
    logits[rows, dev_batch["task"], np.where(is_score, 0, dev_batch["label"]).astype(int)] = 9
    logits[is_score, task_of("stsb"), 0] = dev_batch["label"][is_score]
    best, worst = measured(logits, dev_batch), measured(-logits, dev_batch)
    for name, metric in TASK.metrics.items():
        assert best[name].value == pytest.approx(metric.optimum)
        assert worst[name].value < best[name].value


def test_the_average_of_the_papers_numbers_is_the_papers():
    """Table 14 gives every task of the three forms, and their averages."""

    class Published:
        name = "Published"

        def __init__(self, name, model):
            rows = reported.rows(f"glue/{name}")
            (self._value,) = {row.value for row in rows if row.model.endswith(model)}

        def value(self, rows):
            del rows
            return float(self._value)

        def standard_error(self, rows):
            del rows
            return 0.0

    for model, due in (
        ("shared input token", 81.49),
        ("task-specific input tokens", 81.76),
        ("multitask query", 81.79),
    ):
        poolings = {name: Published(name, model) for name in DATA_SETS}
        pooling = multitask_metrics._MeanOfTasks(poolings)
        assert pooling.value({}) == pytest.approx(due, abs=0.006)


def test_an_average_without_a_task_is_refused(dev_batch):
    few = {name: array[: 4 * NUM_DEV] for name, array in dev_batch.items()}
    with pytest.raises(UserError, match="no examples of qnli; the average is over all of GLUE"):
        measured(random_logits(4 * NUM_DEV), few)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", ["base", "tiny"])
def test_presets_are_the_forms_of_table_2(form, size):
    config = build_config(TASK, f"{size}_{form}", [])
    model = config.model
    assert config.data.max_length == model.input.max_text_length
    assert (model.head.num_tasks, model.head.num_outputs) == (8, 3)
    assert model.input.num_task_tokens == {"shared_token": 1, "task_tokens": 8}.get(form, 0)
    kind = TaskQuery if form == "multitask_query" else PositionQuery
    assert isinstance(model.query, kind)
    if size == "base":
        # Of the released network without its vocabulary's bias, with eight heads.
        channels = 768
        head = channels * channels + channels + 3 * channels + 3
        due = 201_108_230 - 262 + 8 * head + model.input.num_task_tokens * channels
        due -= (2048 - 8) * channels if form == "multitask_query" else 0
        assert num_params(model) == due
        assert model.input.max_length == 2048


def test_a_text_without_a_place_beside_the_task_token_is_refused():
    with pytest.raises(
        UserError, match="max_length=192, of which a task token takes one; set both"
    ):
        build_config(TASK, "tiny_shared_token", ["data.max_length=192"])


@pytest.mark.parametrize("kind", ["official", "orbax"])
@pytest.mark.parametrize("form", FORMS)
def test_init_takes_over_all_that_a_masked_language_model_has(form, kind, tmp_path):
    model = TASK.presets[f"tiny_{form}"].model
    inputs = dataclasses.replace(model.input, num_task_tokens=0)
    query = PositionQuery(max_length=inputs.max_length, channels=inputs.channels)
    pretrained = random_weights(
        dataclasses.replace(model, input=inputs, query=query, head=TiedVocabulary())
    )
    path = tmp_path / ("w.pystate" if kind == "official" else "w")
    weights.save(path, pretrained, kind)
    fresh = jax.tree.map(np.zeros_like, random_weights(model).params)
    taken = weights.take_over(fresh, weights.load_any(path, model), TASK.fresh_parts)
    theirs = mapping.flatten(pretrained.params)
    own = {"adapter.task_tokens", "query.task_queries"}
    for name, leaf in taken.items():
        if name in own or name.startswith("head."):
            assert not leaf.any(), name
        else:
            np.testing.assert_array_equal(leaf, theirs[name], err_msg=name)
    unused = theirs.keys() - taken.keys()
    assert unused == {"head.bias"} | ({"query.queries"} if form == "multitask_query" else set())


@pytest.mark.parametrize("form", FORMS)
def test_every_form_learns_the_examples_of_all_tasks(form, dev_batch):
    model = TASK.presets[f"tiny_{form}"].model
    batch = {name: array[::3] for name, array in dev_batch.items()}
    for name in ("inputs", "input_mask"):
        batch[name] = batch[name][:, : model.input.max_text_length]
    graph, params = nnx.split(PerceiverIO(model, rngs=nnx.Rngs(0)))
    adam = optax.adam(3e-3)

    @fast_jit
    def step(params, state):
        def total(params):
            losses = TASK.loss(nnx.merge(graph, params)(batch), batch, 0.0)
            return losses.mean(), losses

        gradients, losses = jax.grad(total, has_aux=True)(params)
        updates, state = adam.update(gradients, state)
        return optax.apply_updates(params, updates), state, losses

    state, history = adam.init(params), []
    for _ in range(40):
        params, state, losses = step(params, state)
        history.append(np.asarray(losses))
    for number, name in enumerate(DATA_SETS):
        own = batch["data_set"] == number
        assert history[-1][own].mean() < 0.9 * history[0][own].mean(), name


def test_a_checkpoint_is_evaluated_and_every_metric_recorded(demo, tmp_path):
    preset = "tiny_shared_token"
    weights.save(tmp_path / "w", random_weights(TASK.presets[preset].model), "orbax")
    with tiny_runs.compiling_once(tmp_path):
        record = evaluate_command(
            TASK.name,
            checkpoint_name=str(tmp_path / "w"),
            preset=preset,
            data_dir=demo,
            results_dir=tmp_path / "r",
        )
    found = json.loads(record.read_text())
    assert found["protocol"] == "glue-dev/average-8"
    assert list(found["metrics"]) == list(TASK.metrics)
    assert found["metrics"]["average_score"]["n"] == 9 * NUM_DEV
    assert found["metrics"]["rte_accuracy"]["n"] == NUM_DEV
    assert found["dataset"]["rte"]["num_examples"] == NUM_DEV
