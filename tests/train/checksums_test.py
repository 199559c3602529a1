# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perceiver_bench.train import checksums as module
from perceiver_bench.train.checksums import checksums


def by_hand(array):
    bits = array.reshape(-1).view(f"u{array.dtype.itemsize}")
    return sum((2 * i + 1) * int(b) for i, b in enumerate(bits)) % 2**64


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint32", "float64"])
def test_the_sum_is_what_it_says(dtype):
    array = np.random.default_rng(0).integers(0, 100, (3, 4, 5)).astype(dtype)
    assert checksums({"a": array, "b": array[0, 0, 0]}) == {
        "a": by_hand(array),
        "b": by_hand(array[:1, 0, 0]),
    }


@given(row=st.integers(0, 3), column=st.integers(0, 4), cut=st.integers(1, 3))
def test_parts_sum_to_the_whole_and_every_change_shows(row, column, cut):
    array = np.random.default_rng(1).standard_normal((4, 5)).astype(np.float32)
    whole = checksums({"a": array})["a"]
    parts = [
        (slice(0, cut), slice(None)),
        (slice(cut, 4), slice(0, 2)),
        (slice(cut, 4), slice(2, 5)),
    ]
    sums = [module._of_part(array[part], module._places(array.shape, part)) for part in parts]
    assert sum(sums) % 2**64 == whole
    changed = array.copy()
    changed[row, column] = np.nextafter(changed[row, column], np.float32(9))
    assert checksums({"a": changed})["a"] != whole


def test_elements_that_change_places_show():
    assert checksums({"a": np.array([1, 2.0])}) != checksums({"a": np.array([2.0, 1])})
