# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a network has to beat: the commonest class, mean colours, centroids, a linear model.

All see the prepared images, and answer for an image when they are asked. They learn from at
most 5,000 training images, drawn evenly from the whole set: five of each class of ImageNet.
Reading all of it would take hours, and a linear model of 1000 classes of 768 features as many
again; with 5,000 both take a minute or two. Images that were skipped teach nothing.
"""

import warnings
from collections.abc import Callable

import numpy as np
import tqdm
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from perceiver_bench import api

_MOST_IMAGES = 5000
_SIDE = 16  # of the small images that are compared
_ITERATIONS = 100
# Of classes that no training image is of: far below what any other class gets.
_LEAST_LOGIT = -1e9

Describe = Callable[[np.ndarray], np.ndarray]
"""Features [F] of a prepared image, float [height, width, 3]."""


class Answers:
    """Logits, float32 [classes], for each image of a source; computed when asked for."""

    def __init__(
        self,
        source: api.Source,
        prepare: api.Prepare,
        describe: Describe,
        answer: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self._source, self._prepare = source, prepare
        self._describe, self._answer = describe, answer

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> np.ndarray:
        image = self._prepare(self._source[index], None)["images"]
        return self._answer(self._describe(image)).astype(np.float32)


def majority(
    num_classes: int, train: api.Source, held_out: api.Source, prepare: api.Prepare
) -> dict[str, np.ndarray]:
    """Returns the logarithm of the frequency of each class in training for every image.

    Every class counts one image more than there are, so that the logarithm is finite.

    Returns:
        `logits` [n, classes], float32; a view, so that its size does not matter.

    Raises:
        UserError: if there is nothing to learn from.
    """
    _, labels = _learn_from("majority", train, prepare, lambda _: np.empty(0))
    counts = np.bincount(labels, minlength=num_classes) + 1
    logits = np.log(counts / counts.sum()).astype(np.float32)
    return {"logits": np.broadcast_to(logits, (len(held_out), num_classes))}


def mean_colour(
    num_classes: int, train: api.Source, held_out: api.Source, prepare: api.Prepare
) -> dict[str, Answers]:
    """Returns minus the squared distance of an image's mean colour to that of each class.

    A class without training images gets -1e9.

    Returns:
        `logits` [n, classes], float32.

    Raises:
        UserError: if there is nothing to learn from.
    """
    return _centroids("mean_colour", _mean_colour, num_classes, train, held_out, prepare)


def nearest_centroid(
    num_classes: int, train: api.Source, held_out: api.Source, prepare: api.Prepare
) -> dict[str, Answers]:
    """Returns minus the squared distance of an image to the mean image of each class.

    Images are made smaller, to at most 16x16, each pixel being the mean of those that it
    stands for. A class without training images gets -1e9.

    Returns:
        `logits` [n, classes], float32.

    Raises:
        UserError: if there is nothing to learn from.
    """
    return _centroids("nearest_centroid", _small, num_classes, train, held_out, prepare)


def logistic_regression(
    num_classes: int, train: api.Source, held_out: api.Source, prepare: api.Prepare
) -> dict[str, Answers]:
    """Returns the logits of multinomial logistic regression on the same small images.

    Every feature has mean 0 and variance 1 in training. At most 100 iterations, converged or
    not, and otherwise scikit-learn's own settings: nothing was chosen by its score. A class
    without training images gets -1e9.

    Returns:
        `logits` [n, classes], float32.

    Raises:
        UserError: if the training images are of fewer than two classes.
    """
    images, labels = _learn_from("logistic_regression", train, prepare, _small)
    present = np.unique(labels)
    if len(present) < 2:
        raise api.UserError(
            f"baseline:logistic_regression: all training images are of class {present[0]}; it"
            " needs two classes"
        )
    scaler = StandardScaler().fit(images)
    model = LogisticRegression(max_iter=_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scaler.transform(images), labels)

    def answer(image: np.ndarray) -> np.ndarray:
        found = model.decision_function(scaler.transform(image[None]))[0]
        if np.ndim(found) == 0:  # of two classes it is the margin
            found = np.array([-found / 2, found / 2])
        return _spread(found, present, num_classes)

    return {"logits": Answers(held_out, prepare, _small, answer)}


def _centroids(
    name: str,
    describe: Describe,
    num_classes: int,
    train: api.Source,
    held_out: api.Source,
    prepare: api.Prepare,
) -> dict[str, Answers]:
    features, labels = _learn_from(name, train, prepare, describe)
    present = np.unique(labels)
    centroids = np.stack([features[labels == one].mean(axis=0) for one in present])

    def answer(feature: np.ndarray) -> np.ndarray:
        return _spread(-np.square(centroids - feature).sum(axis=1), present, num_classes)

    return {"logits": Answers(held_out, prepare, describe, answer)}


def _learn_from(
    name: str, source: api.Source, prepare: api.Prepare, describe: Describe
) -> tuple[np.ndarray, np.ndarray]:
    """Returns features [n, F], float64, and labels [n] of training images.

    One is drawn from each of 5,000 stretches of equal length, always the same one. Every
    tenth, say, would be all of one class where ten classes take turns.
    """
    bounds = np.arange(_MOST_IMAGES + 1) * len(source) // _MOST_IMAGES
    if len(source) < _MOST_IMAGES:
        bounds = np.arange(len(source) + 1)
    chosen = np.random.default_rng(0).integers(bounds[:-1], bounds[1:])
    features, labels = [], []
    for index in tqdm.tqdm(chosen.tolist(), desc=f"baseline:{name}", disable=None):
        arrays = prepare(source[index], None)
        if arrays["weight"] > 0:
            features.append(describe(arrays["images"]))
            labels.append(int(arrays["label"]))
    if not labels:
        raise api.UserError(f"baseline:{name}: the training set has no image to learn from")
    return np.stack(features).astype(np.float64), np.array(labels)


def _small(image: np.ndarray) -> np.ndarray:
    """Returns a float [height, width, 3] as at most 16x16 means of its pixels, flat."""
    small = np.asarray(image, np.float64)
    for axis in (0, 1):
        length = small.shape[axis]
        cells = min(length, _SIDE)
        starts = np.arange(cells) * length // cells
        sums = np.add.reduceat(small, starts, axis=axis)
        counts = np.diff(starts, append=length)
        small = sums / np.expand_dims(counts, (1 - axis, 2))
    return small.ravel()


def _mean_colour(image: np.ndarray) -> np.ndarray:
    return image.astype(np.float64).mean(axis=(0, 1))


def _spread(logits: np.ndarray, present: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns logits [classes] of those of the `present` classes."""
    found = np.full(num_classes, _LEAST_LOGIT)
    found[present] = logits
    return found
