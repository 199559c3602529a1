# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from perceiver_bench.errors import UserError
from perceiver_bench.metrics.images import IMAGE_METRICS, real, top5
from perceiver_bench.results import reported

CLASSES = 12


@pytest.fixture(scope="module")
def case():
    """Gives 300 images of eleven of twelve classes in unequal numbers, some of them right."""
    rng = np.random.default_rng(0)
    label = np.minimum(rng.geometric(0.2, size=300) - 1, CLASSES - 2).astype(np.int32)
    logits = rng.normal(size=(300, CLASSES)) + 1.5 * np.eye(CLASSES)[label]
    return {"logits": logits.astype(np.float32)}, {"label": label}


def score(name, prediction, batch):
    metric = IMAGE_METRICS[name]
    return metric.pooling.value(jax.jit(metric.rows)(prediction, batch))


def sums(rows, logits, label, **more):
    found = rows({"logits": jnp.array(logits)}, {"label": jnp.array(label), **more})
    return found["sum"].tolist()


def test_the_main_metric_is_the_published_one():
    name, metric = next(iter(IMAGE_METRICS.items()))
    for row in reported.rows("imagenet/top1"):
        assert (row.metric, row.unit, row.direction) == (name, metric.unit, metric.direction)
    assert [name for name, metric in IMAGE_METRICS.items() if metric.optional] == ["real_accuracy"]


def test_values_are_those_of_scikit_learn(case):
    prediction, batch = case
    label, logits = batch["label"], prediction["logits"].astype(np.float64)
    answers = logits.argmax(-1)
    expected = {
        "top1_accuracy": 100 * sklearn.metrics.accuracy_score(label, answers),
        "top5_accuracy": 100
        * sklearn.metrics.top_k_accuracy_score(label, logits, k=5, labels=range(CLASSES)),
        # Recall of the classes that are there: scikit-learn warns of the answers that are not.
        "mean_per_class_accuracy": 100
        * sklearn.metrics.recall_score(label, answers, labels=np.unique(label), average="macro"),
        "cross_entropy": sklearn.metrics.log_loss(
            label,
            np.exp(logits) / np.exp(logits).sum(-1, keepdims=True),
            labels=range(CLASSES),
        ),
    }
    assert 0 < expected["top1_accuracy"] < expected["top5_accuracy"] < 100
    for name, value in expected.items():
        assert score(name, prediction, batch) == pytest.approx(value, rel=1e-6), name


def test_mean_per_class_is_balanced_accuracy(case):
    prediction, batch = case
    logits = prediction["logits"][:, : CLASSES - 1]  # so that no answer is of an absent class
    expected = 100 * sklearn.metrics.balanced_accuracy_score(batch["label"], logits.argmax(-1))
    found = score("mean_per_class_accuracy", {"logits": logits}, batch)
    assert found == pytest.approx(expected)
    assert found != pytest.approx(score("top1_accuracy", {"logits": logits}, batch), abs=0.5)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_top5_is_what_a_stable_sort_finds(data):
    """Of few different values, so that many are equal, with infinities and NaN."""
    classes = data.draw(st.integers(1, 9))
    values = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf, np.nan])
    logits = data.draw(arrays.arrays(np.float32, (4, classes), elements=values))
    label = data.draw(arrays.arrays(np.int32, 4, elements=st.integers(0, classes - 1)))
    expected = [
        float(not np.isnan(row).any() and one in np.argsort(-row, kind="stable")[:5])
        for row, one in zip(logits, label, strict=True)
    ]
    assert sums(top5, logits, label) == expected


def test_equal_logits_go_to_the_lower_classes():
    logits = [[1.0, 1, 1, 1, 1, 1, 1]] * 3 + [[2.0, 1, 2, 2, 2, 1, 1]] * 3
    assert sums(top5, logits, [4, 5, 6, 1, 5, 6]) == [1, 0, 0, 1, 0, 0]


def test_five_classes_or_fewer_are_all_among_five():
    assert sums(top5, [[3.0, 2, 1], [3, 2, 1]], [2, 0]) == [1, 1]
    assert sums(top5, [[np.nan, 2, 1], [3, 2, np.nan]], [2, 0]) == [0, 0]


@pytest.mark.parametrize("label", [-1, 7])
def test_a_label_that_is_no_class_is_wrong(label):
    logits = np.zeros((1, 7), np.float32)
    assert sums(IMAGE_METRICS["top1_accuracy"].rows, logits, [label]) == [0]
    assert sums(top5, logits, [label]) == [0]


def test_real_accuracy_by_hand():
    logits = jnp.array([[0.0, 3, 1], [0, 3, 1], [2, 2, 0], [2, 2, 0], [0, 0, 9], [0, jnp.nan, 0]])
    labels = jnp.array([[1, 1, 0], [1, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 1]], bool)
    batch = {"label": jnp.zeros(6, jnp.int32), "real_labels": labels}
    rows = real({"logits": logits}, batch)
    # The fifth has no real label; the others are right, wrong, the lower class twice, and NaN.
    assert rows["sum"].tolist() == [1, 0, 1, 0, 0, 0]
    assert rows["weight"].tolist() == [1, 1, 1, 1, 0, 1]
    assert score("real_accuracy", {"logits": logits}, batch) == pytest.approx(100 * 2 / 5)


def test_real_accuracy_has_nothing_to_say_without_real_labels(case):
    rows = real(*case)
    assert rows["weight"].shape == (300,)
    assert not rows["weight"].any()


def test_real_labels_of_other_classes_are_refused(case):
    prediction, batch = case
    with pytest.raises(ValueError, match=r"\(300, 11\) for logits \(300, 12\)"):
        real(prediction, {**batch, "real_labels": np.zeros((300, 11), bool)})


@pytest.mark.parametrize("name", IMAGE_METRICS)
def test_skipped_images_count_nowhere(name, case):
    """Half of the images, skipped, leave what the other half scores, whatever they hold."""
    prediction, batch = case
    real_labels = np.random.default_rng(1).random((300, CLASSES)) < 0.2
    weight = np.repeat(np.float32([1, 0]), 150)
    half = {"label": batch["label"][:150], "real_labels": real_labels[:150]}
    expected = IMAGE_METRICS[name].rows({"logits": prediction["logits"][:150]}, half)
    logits = prediction["logits"].copy()
    logits[150:] = np.nan
    whole = {**batch, "real_labels": real_labels, "weight": weight}
    whole["label"] = np.where(weight == 1, batch["label"], 0)
    found = jax.jit(IMAGE_METRICS[name].rows)({"logits": logits}, whole)
    assert not found["weight"][150:].any()
    assert not found["sum"][150:].any()
    pooling = IMAGE_METRICS[name].pooling
    assert pooling.value(found) == pooling.value(expected)
    assert pooling.standard_error(found) == pooling.standard_error(expected) > 0


@pytest.mark.parametrize("name", IMAGE_METRICS)
def test_without_any_image_that_counts_there_is_no_number(name, case):
    prediction, batch = case
    rows = IMAGE_METRICS[name].rows(prediction, {**batch, "weight": np.zeros(300, np.float32)})
    for number in (IMAGE_METRICS[name].pooling.value, IMAGE_METRICS[name].pooling.standard_error):
        with pytest.raises(UserError, match="no examples"):
            number(rows)


@pytest.mark.parametrize("name", IMAGE_METRICS)
def test_perfect_predictions_score_the_optimum_and_their_opposite_less(name, case):
    batch = {**case[1], "real_labels": np.eye(CLASSES, dtype=bool)[case[1]["label"]]}
    perfect = 100 * np.eye(CLASSES, dtype=np.float32)[batch["label"]]
    metric = IMAGE_METRICS[name]
    assert score(name, {"logits": perfect}, batch) == metric.optimum
    sign = 1 if metric.direction == "higher" else -1
    assert sign * score(name, {"logits": -perfect}, batch) < sign * metric.optimum


def test_the_standard_error_of_a_share_is_the_known_one(case):
    metric = IMAGE_METRICS["top1_accuracy"]
    rows = metric.rows(*case)
    share = float(np.mean(rows["sum"]))
    expected = 100 * np.sqrt(share * (1 - share) / 299)
    assert metric.pooling.standard_error(rows) == pytest.approx(expected)


def test_equal_classes_make_the_error_of_the_mean_that_of_accuracy():
    """With as many images of each class, both means are one; so are their errors, about."""
    rng = np.random.default_rng(0)
    label = np.tile(np.arange(4), 200)
    logits = rng.normal(size=(800, 4)) + np.eye(4)[label]
    errors, values = [], []
    for name in ("top1_accuracy", "mean_per_class_accuracy"):
        rows = IMAGE_METRICS[name].rows({"logits": logits}, {"label": label})
        values.append(IMAGE_METRICS[name].pooling.value(rows))
        errors.append(IMAGE_METRICS[name].pooling.standard_error(rows))
    assert values[1] == pytest.approx(values[0])
    assert errors[1] == pytest.approx(errors[0], rel=0.1)
