# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import functools

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.imagenet import baselines
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler

from perceiver_bench import api

CLASSES = 5
BASELINES = {
    "majority": baselines.majority,
    "mean_colour": baselines.mean_colour,
    "nearest_centroid": baselines.nearest_centroid,
    "logistic_regression": baselines.logistic_regression,
}


def prepare(example, _):
    """Prepares as the task does: a bad image becomes zeros of label 0 and weight 0."""
    is_bad = example.get("is_bad", False)
    image = np.zeros_like(example["pixels"]) if is_bad else example["pixels"]
    return {
        "images": image.astype(np.float32) / 64 - 2,
        "label": np.int32(0 if is_bad else example["label"]),
        "weight": np.float32(0 if is_bad else 1),
    }


def examples_of(count, classes, seed, side=32):
    """Gives noisy images of classes that differ in where they are light."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, size=count)
    places = np.random.default_rng(7).integers(80, 176, (CLASSES, 4, 4, 3))
    pixels = places[labels].repeat(side // 4, axis=1).repeat(side // 4, axis=2)
    pixels = np.clip(pixels + rng.normal(0, 60, pixels.shape), 0, 255).astype(np.uint8)
    return [{"pixels": one, "label": int(label)} for one, label in zip(pixels, labels, strict=True)]


def source_of(examples):
    return api.MemorySource(examples, {})


def logits_of(name, train, held_out, classes=CLASSES):
    prediction = BASELINES[name](classes, source_of(train), source_of(held_out), prepare)
    assert prediction.keys() == {"logits"}
    assert len(prediction["logits"]) == len(held_out)
    logits = np.stack([prediction["logits"][index] for index in range(len(held_out))])
    assert (logits.dtype, logits.shape) == (np.float32, (len(held_out), classes))
    assert np.isfinite(logits).all()
    return logits


@pytest.fixture(scope="module")
def data():
    """Gives 200 training and 60 held-out images of classes 0, 2, 3 and 4."""
    return tuple(examples_of(count, [0, 2, 3, 4], seed) for seed, count in enumerate((200, 60)))


def by_loops(image, side=16):
    """Returns the mean of every cell of an image, pixel by pixel."""
    height, width = image.shape[:2]
    rows, columns = min(height, side), min(width, side)
    small = np.zeros((rows, columns, 3))
    for row in range(rows):
        for column in range(columns):
            top, bottom = row * height // rows, (row + 1) * height // rows
            left, right = column * width // columns, (column + 1) * width // columns
            small[row, column] = image[top:bottom, left:right].astype(np.float64).mean((0, 1))
    return small.ravel()


def features_of(examples):
    return np.stack([by_loops(prepare(one, None)["images"]) for one in examples])


def labels_of(examples):
    return np.array([one["label"] for one in examples])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3))
def test_small_images_are_means_of_cells(height, width, seed):
    image = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    np.testing.assert_allclose(baselines._small(image), by_loops(image), atol=1e-12)


def test_majority_is_the_frequency(data):
    train, held_out = data
    counts = np.bincount(labels_of(train), minlength=CLASSES)
    logits = logits_of("majority", train, held_out)
    assert (logits.argmax(-1) == counts.argmax()).all()
    np.testing.assert_allclose(scipy.special.softmax(logits[0]), (counts + 1) / 205, rtol=1e-5)


def test_majority_of_equal_counts_is_the_lower_class():
    train = [{"pixels": np.zeros((4, 4, 3), np.uint8), "label": label} for label in (3, 1, 3, 1)]
    assert logits_of("majority", train, train[:1]).argmax() == 1


def test_nearest_centroid_is_that_of_scikit_learn(data):
    train, held_out = data
    model = NearestCentroid().fit(features_of(train), labels_of(train))
    logits = logits_of("nearest_centroid", train, held_out)
    np.testing.assert_array_equal(logits.argmax(-1), model.predict(features_of(held_out)))
    for row, feature in zip(logits, features_of(held_out), strict=True):
        expected = [-(np.linalg.norm(feature - centroid) ** 2) for centroid in model.centroids_]
        np.testing.assert_allclose(row[model.classes_], expected, rtol=1e-5)


def test_mean_colour_sees_the_colour_alone(data):
    train, held_out = data
    colours = [
        np.stack([prepare(one, None)["images"].mean((0, 1)) for one in some]) for some in data
    ]
    model = NearestCentroid().fit(colours[0], labels_of(train))
    logits = logits_of("mean_colour", train, held_out)
    np.testing.assert_array_equal(logits.argmax(-1), model.predict(colours[1]))
    turned = [{**one, "pixels": one["pixels"][::-1, ::-1]} for one in held_out]
    np.testing.assert_allclose(logits_of("mean_colour", train, turned), logits, rtol=1e-3)


def test_logistic_regression_is_that_of_scikit_learn(data):
    train, held_out = data
    scaler = StandardScaler().fit(features_of(train))
    model = LogisticRegression(max_iter=1000).fit(
        scaler.transform(features_of(train)), labels_of(train)
    )
    expected = model.decision_function(scaler.transform(features_of(held_out)))
    logits = logits_of("logistic_regression", train, held_out)
    np.testing.assert_allclose(logits[:, model.classes_], expected, atol=0.05)
    np.testing.assert_array_equal(
        model.classes_[logits[:, model.classes_].argmax(-1)], model.classes_[expected.argmax(-1)]
    )


def test_of_two_classes_the_probabilities_are_those_of_scikit_learn():
    train, held_out = (examples_of(count, [1, 4], seed) for seed, count in enumerate((40, 20)))
    scaler = StandardScaler().fit(features_of(train))
    model = LogisticRegression().fit(scaler.transform(features_of(train)), labels_of(train))
    expected = model.predict_proba(scaler.transform(features_of(held_out)))
    found = scipy.special.softmax(logits_of("logistic_regression", train, held_out), axis=-1)
    np.testing.assert_allclose(found[:, [1, 4]], expected, atol=1e-4)
    assert not found[:, [0, 2, 3]].any()


def test_logistic_regression_need_not_converge(data, monkeypatch):
    """It warns no one, and answers as well as it can."""
    monkeypatch.setattr(baselines, "_ITERATIONS", 2)
    train, held_out = data
    logits = logits_of("logistic_regression", train, held_out)
    assert (logits.argmax(-1) == labels_of(held_out)).mean() > 0.5


@pytest.mark.parametrize("name", ["mean_colour", "nearest_centroid", "logistic_regression"])
def test_a_class_without_training_images_is_never_the_answer(name, data):
    logits = logits_of(name, *data)
    assert (logits[:, 1] == -1e9).all()
    assert (logits[:, [0, 2, 3, 4]] > -1e6).all()


@pytest.mark.parametrize("name", ["nearest_centroid", "logistic_regression"])
def test_places_are_learned(name, data):
    hits = logits_of(name, *data).argmax(-1) == labels_of(data[1])
    assert hits.mean() > 0.9


@pytest.mark.parametrize("name", BASELINES)
def test_skipped_images_teach_nothing_and_get_an_answer(name, data):
    train, held_out = data
    bad = {"pixels": np.zeros((32, 32, 3), np.uint8), "label": 0, "is_bad": True}
    mixed = [one for example in train for one in (example, bad)]
    logits = logits_of(name, mixed, [*held_out, bad])
    np.testing.assert_array_equal(logits[:-1], logits_of(name, train, held_out))


@pytest.mark.parametrize("name", BASELINES)
def test_equal_data_give_equal_bits(name, data):
    np.testing.assert_array_equal(logits_of(name, *data), logits_of(name, *data))


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("train", [[], [{"pixels": np.zeros((4, 4, 3), np.uint8), "is_bad": True}]])
def test_nothing_to_learn_from_is_said(name, train):
    with pytest.raises(api.UserError, match=f"baseline:{name}: .* no image to learn from"):
        BASELINES[name](CLASSES, source_of(train), source_of([]), prepare)


def test_a_single_class_is_too_few_for_a_linear_model():
    with pytest.raises(api.UserError, match="all training images are of class 3; it needs two"):
        logits_of("logistic_regression", examples_of(4, [3], 0), [])


class Counted:
    """A set of many images of ten classes in turns, that notes which are read."""

    def __init__(self, size):
        self.size, self.read, self.fingerprint = size, [], {}

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        self.read.append(index)
        return {"pixels": np.zeros((1, 1, 3), np.uint8), "label": index % 10}


@pytest.mark.parametrize("size", [4999, 5000, 5001, 50_000, 1_281_167])
def test_a_large_set_is_read_in_part_evenly(size):
    train, held_out = Counted(size), Counted(3)
    logits = baselines.majority(10, train, held_out, prepare)["logits"]
    assert len(logits) == 3
    read = np.array(train.read)
    assert len(np.unique(read)) == len(read) == min(size, 5000)
    in_each_fifth = np.bincount(read * 5 // size)
    assert np.ptp(in_each_fifth) <= 2
    assert np.bincount(read % 10).min() > 400


@pytest.mark.parametrize("name", ["mean_colour", "nearest_centroid", "logistic_regression"])
def test_only_what_is_asked_for_is_read(name):
    held_out = Counted(1000)
    logits = functools.partial(BASELINES[name], 10)(Counted(20), held_out, prepare)["logits"]
    assert len(logits) == 1000
    assert held_out.read == []
    assert logits[7].shape == (10,)
    assert held_out.read == [7]
