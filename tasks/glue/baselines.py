# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a network has to beat: the commonest answer, and a bag of words."""

from typing import Any

import numpy as np
import scipy.sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from perceiver_bench import api

from . import scores
from .specs import Spec


def majority(
    spec: Spec, train: api.Source, dev: api.Source, prepare: api.Prepare
) -> dict[str, np.ndarray]:
    """Returns the logarithm of the training set's class frequencies for every example.

    Every class counts one example more than there are, so that the logarithm is finite. Of
    scores it returns the mean.

    Returns:
        `logits` [n, outputs], float32.
    """
    del prepare
    labels = _labels(train)
    if spec.labels:
        counts = np.bincount(labels, minlength=len(spec.labels)) + 1
        answer = np.log(counts / counts.sum())
    else:
        answer = scores.to_output([labels.mean()])
    return {"logits": np.tile(answer.astype(np.float32), (len(dev), 1))}


def bag_of_words(
    spec: Spec, train: api.Source, dev: api.Source, prepare: api.Prepare
) -> dict[str, np.ndarray]:
    """Returns the logits of logistic regression on the counts of single words.

    Of a pair the words of either sentence count for themselves, and the words that both
    share count once more. Scores are answered by ridge regression. scikit-learn's own
    settings throughout: nothing was chosen by its score.

    Returns:
        `logits` [n, outputs], float32.

    Raises:
        UserError: if the training set lacks words, or one of the classes.
    """
    del prepare
    labels = _labels(train)
    if spec.labels and len(np.unique(labels)) != len(spec.labels):
        raise api.UserError(
            f"baseline:bag_of_words: the training set lacks one of the {len(spec.labels)} classes"
        )
    vectorizer, texts = CountVectorizer(), _texts(train)
    try:
        vectorizer.fit([text for column in texts for text in column])
    except ValueError as error:
        raise api.UserError(
            f"baseline:bag_of_words: the training set has no words: {error}"
        ) from None
    counts, held_out = _counts(vectorizer, texts), _counts(vectorizer, _texts(dev))
    if spec.labels is None:
        predicted = Ridge().fit(counts, labels).predict(held_out)
        return {"logits": scores.to_output(predicted)[:, None]}
    logits = LogisticRegression(max_iter=1000).fit(counts, labels).decision_function(held_out)
    if logits.ndim == 1:  # of two classes it is the margin
        logits = np.stack([-logits / 2, logits / 2], axis=-1)
    return {"logits": logits.astype(np.float32)}


def _counts(vectorizer: CountVectorizer, texts: list[list[str]]) -> Any:
    """Returns the features, sparse: [n, words], of pairs [n, 3 words]."""
    counts = [vectorizer.transform(column) for column in texts]
    if len(counts) == 1:
        return counts[0]
    return scipy.sparse.hstack([*counts, counts[0].minimum(counts[1])], format="csr")


def _texts(source: api.Source) -> list[list[str]]:
    """Returns the sentences by column: one list, of pairs two."""
    rows = [source[index]["texts"] for index in range(len(source))]
    return [list(column) for column in zip(*rows, strict=True)]


def _labels(source: api.Source) -> np.ndarray:
    return np.array([source[index]["label"] for index in range(len(source))])
