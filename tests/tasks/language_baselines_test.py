# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Baselines of masked language modelling: frequencies, and what follows what."""

import numpy as np
import pytest
from perceiver_bench.tasks.language import baselines, common

from perceiver_bench.config import MaskedTextData

BYTES = MaskedTextData(tokenizer="bytes", max_length=64, max_predicted=24)


class Texts:
    """A source of given texts."""

    def __init__(self, texts):
        self.texts = texts

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, index):
        return {"text": self.texts[index].encode(), "index": index, "progress": 0.0}


def test_unigram_is_how_often_a_byte_is_masked():
    prepare = common.preprocess(BYTES, {})
    logits = baselines.unigram(Texts(["aab aab aab " * 9] * 40), Texts(["b c"] * 2), prepare)
    logits = logits["logits"]
    chances = np.exp(logits[1, 0])
    assert logits.shape[:2] == (2, 24)
    assert chances.sum() == pytest.approx(1, rel=1e-5)
    assert chances[ord("a") + 6] / chances[ord("b") + 6] == pytest.approx(2, rel=0.02)


def test_five_gram_learns_what_follows_what_and_is_a_distribution():
    prepare = common.preprocess(BYTES, {})
    # Lengths say which word is masked; what of it stands before a byte says which byte.
    train = Texts(["sun mood sun mood sun mood sun mood sun mood sun mood sun mood"] * 60)
    held_out = Texts(["mood sun mood sun mood sun mood sun mood sun mood sun", "zebra zoo"] * 16)
    logits = baselines.five_gram(train, held_out, prepare)["logits"]
    rows = [prepare(held_out[index], None) for index in range(len(held_out))]
    seen, hits = 0, 0
    for row, arrays in zip(logits, rows, strict=True):
        count = int(arrays["label_weight"].sum())
        assert np.exp(row[:count]).sum(-1) == pytest.approx(1, rel=1e-5)
        known = (arrays["output_positions"][:count] > 4) & (arrays["inputs"][0] != ord("z") + 6)
        hits += (row[:count].argmax(-1) == arrays["label"][:count])[known].sum()
        seen += known.sum()
    assert seen > 50
    assert hits / seen > 0.9


def test_five_gram_backs_off_as_witten_and_bell():
    # After context x: a twice, b once; overall a 2, b 1, c 1.
    contexts = np.array([[0, 0, 0, 9], [0, 0, 0, 9], [0, 0, 0, 9], [0, 0, 0, 8]])
    labels = np.array([10, 10, 11, 12])
    found = baselines._probabilities(contexts, labels, np.array([[7, 7, 7, 9], [7, 7, 7, 7]]))
    uniform = 1 / 262
    unigram = {t: (n + 3 * uniform) / 7 for t, n in ((10, 2), (11, 1), (12, 1))}
    assert found[1, 10] == pytest.approx(unigram[10])
    assert found[0, 10] == pytest.approx((2 + 2 * unigram[10]) / 5)
    assert found[0, 12] == pytest.approx(2 * unigram[12] / 5)
    assert found.sum(-1) == pytest.approx(1)
