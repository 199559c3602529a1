# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import collections
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perceiver_bench.data import pipeline
from perceiver_bench.data.sources import MemorySource
from perceiver_bench.errors import UserError


def source(size):
    return MemorySource([{"label": i} for i in range(size)], {})


def prepare(example, generator):
    del generator
    return {
        "label": np.int32(example["label"]),
        "inputs": np.full((2, 3), example["label"] + 1, np.float32),
    }


def labels(iterator, num_batches):
    return [next(iterator)["label"].tolist() for _ in range(num_batches)]


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(1, 40),
    group=st.integers(1, 9),
    limit=st.none() | st.integers(1, 50),
)
def test_evaluation_has_every_example_once_in_order_and_zeros_after_them(size, group, limit):
    batches = list(pipeline.evaluation_batches(source(size), prepare, group, limit))
    due = size if limit is None else min(size, limit)
    assert len(batches) == -(-due // group)
    assert all(batch["inputs"].shape == (group, 2, 3) for batch in batches)
    joined = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    np.testing.assert_array_equal(joined["valid"], np.arange(len(joined["valid"])) < due)
    np.testing.assert_array_equal(joined["label"][:due], np.arange(due))
    np.testing.assert_array_equal(joined["inputs"][:due, 0, 0], np.arange(due) + 1)
    assert not joined["inputs"][due:].any()
    assert joined["inputs"].dtype == np.float32


def test_an_evaluation_that_loses_an_example_is_an_error(monkeypatch):
    class Short(pipeline._Indexed):
        def __len__(self):
            return self._num_examples - 1

    monkeypatch.setattr(pipeline, "_Indexed", Short)
    with pytest.raises(RuntimeError, match="4 of 5 examples"):
        list(pipeline.evaluation_batches(source(5), prepare, 2))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), size=st.integers(1, 30), batch_size=st.integers(1, 7))
def test_training_has_every_example_once_in_every_pass(seed, size, batch_size):
    iterator = pipeline.training_batches(source(size), prepare, batch_size, seed, num_steps=100)
    drawn = np.concatenate(labels(iterator, -(-3 * size // batch_size)))
    for start in range(0, 3 * size, size):
        assert sorted(drawn[start : start + size]) == list(range(size))


def test_the_order_is_the_seeds_and_another_in_every_pass():
    first, again, other = (
        labels(pipeline.training_batches(source(40), prepare, 8, seed, num_steps=100), 10)
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other
    assert first[:5] != first[5:]
    assert list(itertools.chain(*first[:5])) != list(range(40))


@pytest.mark.parametrize("taken", [0, 1, 7, 13])
def test_a_new_iterator_goes_on_where_the_old_one_stood(taken):
    old = pipeline.training_batches(source(30), prepare, 4, 0, num_steps=100)
    labels(old, taken)
    state = json.loads(json.dumps(old.position))
    new = pipeline.training_batches(source(30), prepare, 4, 0, num_steps=100)
    labels(new, 3)
    new.move_to(state)
    assert labels(new, 12) == labels(old, 12)


def sum_of_pairs(batch):
    first, second = np.split(batch["label"], 2)
    return {"label": first + 100 * second}


def test_a_mixed_batch_is_made_of_twice_as_many_examples_and_goes_on_where_it_stood():
    plain = pipeline.training_batches(source(30), prepare, 8, 0, num_steps=100)
    old = pipeline.training_batches(source(30), prepare, 4, 0, 100, sum_of_pairs)
    for batch in labels(plain, 5):
        due = [batch[place] + 100 * batch[4 + place] for place in range(4)]
        assert next(old)["label"].tolist() == due
    state = json.loads(json.dumps(old.position))
    new = pipeline.training_batches(source(30), prepare, 4, 0, 100, sum_of_pairs)
    new.move_to(state)
    assert labels(new, 12) == labels(old, 12)


def noisy(example, generator):
    return {"label": np.int32(example["label"]), "noise": generator.standard_normal(3)}


def test_what_training_changes_at_random_is_the_seeds_and_another_in_every_pass():
    def noise(seed, skipped=0):
        old = pipeline.training_batches(source(6), noisy, 3, seed, num_steps=100)
        for _ in range(skipped):
            next(old)
        iterator = pipeline.training_batches(source(6), noisy, 3, seed, num_steps=100)
        iterator.move_to(json.loads(json.dumps(old.position)))
        return np.concatenate([next(iterator)["noise"] for _ in range(4)])

    first = noise(3)
    assert len(np.unique(first)) == first.size
    np.testing.assert_array_equal(noise(3), first)
    np.testing.assert_array_equal(noise(3, skipped=2)[:6], first[6:])
    assert not np.intersect1d(noise(4), first).size


def test_evaluation_prepares_without_chance():
    given_generators = []

    def watched(example, generator):
        given_generators.append(generator)
        return prepare(example, generator)

    list(pipeline.evaluation_batches(source(5), watched, 2))
    assert given_generators == [None] * 5


def test_every_example_is_as_probable_at_the_start():
    """A chi-squared far below what a biased shuffle of 100 seeds would give."""
    counts = collections.Counter(
        labels(pipeline.training_batches(source(5), prepare, 1, seed, num_steps=100), 1)[0][0]
        for seed in range(100)
    )
    statistic = sum((counts[label] - 20) ** 2 / 20 for label in range(5))
    assert statistic < 23.5  # exceeded once in ten thousand; the seeds are fixed


def test_no_examples_are_an_error_that_names_the_flag():
    with pytest.raises(UserError, match=r"--data_dir: the training split"):
        pipeline.training_batches(source(0), prepare, 4, 0, num_steps=100)
    with pytest.raises(UserError, match=r"--data_dir: the evaluation split"):
        list(pipeline.evaluation_batches(source(0), prepare, 4))
