# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a sentence classifier has to beat: the commonest class, and a bag of words."""

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from perceiver_bench import api


def majority(train: api.Source, dev: api.Source) -> dict[str, np.ndarray]:
    """Returns the logarithm of the training set's class frequencies for every example.

    Every class counts one example more than there are, so that the logarithm is finite.

    Returns:
        `logits` [n, 2], float32.
    """
    counts = np.bincount(_labels(train), minlength=2) + 1
    logits = np.log(counts / counts.sum()).astype(np.float32)
    return {"logits": np.tile(logits, (len(dev), 1))}


def bag_of_words(train: api.Source, dev: api.Source) -> dict[str, np.ndarray]:
    """Returns the logits of logistic regression on the counts of single words.

    scikit-learn's own settings throughout: nothing was chosen by its score.

    Returns:
        `logits` [n, 2], float32.

    Raises:
        UserError: if the training set lacks words, or one of the two classes.
    """
    vectorizer = CountVectorizer()
    labels = _labels(train)
    if len(np.unique(labels)) != 2:
        raise api.UserError("baseline:bag_of_words: the training set has a single class")
    try:
        counts = vectorizer.fit_transform(_sentences(train))
    except ValueError as error:
        raise api.UserError(
            f"baseline:bag_of_words: the training set has no words: {error}"
        ) from None
    regression = LogisticRegression(max_iter=1000).fit(counts, labels)
    margin = regression.decision_function(vectorizer.transform(_sentences(dev)))
    return {"logits": np.stack([-margin / 2, margin / 2], axis=-1).astype(np.float32)}


def _sentences(source: api.Source) -> list[str]:
    return [source[index]["sentence"] for index in range(len(source))]


def _labels(source: api.Source) -> np.ndarray:
    return np.array([source[index]["label"] for index in range(len(source))])
