# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The reversed pair against hand-worked cases and a search over all pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.flow.reversal import reverse


def pair(flow, known=None, occlusion=None):
    """Returns a raw example with this flow [H, W, 2] and random frames."""
    size = np.shape(flow)[:2]
    return {
        "images": np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype(np.uint8),
        "flow": np.asarray(flow, np.float32),
        "flow_known": np.ones(size, bool) if known is None else np.asarray(known),
        "occlusion": np.asarray(np.zeros(size) if occlusion is None else occlusion, np.int8),
        "foreground": np.ones(size, np.int8),
        "name": "pair 7",
    }


def searched(example):
    """Returns flow, known and occlusion in reverse; each pixel looks for the flows to it."""
    height, width = example["flow_known"].shape
    flow = np.zeros((height, width, 2), np.float32)
    known = np.zeros((height, width), bool)
    occlusion = np.full((height, width), -1, np.int8)
    for row in range(height):
        for column in range(width):
            found = []
            for y in range(height):
                for x in range(width):
                    u, v = map(float, example["flow"][y, x])
                    if example["flow_known"][y, x] and example["occlusion"][y, x] != 1:
                        to_left, to_top = x + u - column, y + v - row
                        if -0.5 <= to_left < 0.5 and -0.5 <= to_top < 0.5:
                            found.append((u, v))
                            if example["occlusion"][y, x] == 0:
                                occlusion[row, column] = 0
            if found:
                known[row, column] = True
                flow[row, column] = -np.mean(found, axis=0)
    return flow, known, occlusion


def test_a_translation_by_hand():
    example = pair(np.full((3, 4, 2), (1, -2)))
    got = reverse(example)
    known = [[False, True, True, True], [False] * 4, [False] * 4]
    np.testing.assert_array_equal(got["flow_known"], known)
    np.testing.assert_array_equal(got["flow"][0], [[0, 0], [-1, 2], [-1, 2], [-1, 2]])
    np.testing.assert_array_equal(got["flow"][1:], 0)
    np.testing.assert_array_equal(got["occlusion"], np.where(known, 0, -1))
    np.testing.assert_array_equal(got["foreground"], -1)
    np.testing.assert_array_equal(got["images"], example["images"][::-1])
    assert got["name"] == "pair 7, reversed"


def test_flows_that_end_at_one_pixel_are_averaged():
    flow = np.zeros((1, 4, 2))
    flow[0, :, 0] = [2.25, 1, 0, -0.75]
    got = reverse(pair(flow))
    np.testing.assert_array_equal(got["flow_known"], [[False, False, True, False]])
    assert got["flow"][0, 2, 0] == -(2.25 + 1 + 0 - 0.75) / 4


def test_occluded_and_unknown_pixels_take_no_part():
    flow = np.zeros((1, 4, 2))
    flow[0, :, 0] = [2, 1, 0, -1]
    known = [[True, True, True, False]]
    got = reverse(pair(flow, known, [[1, 0, -1, 0]]))
    assert got["flow"][0, 2, 0] == -0.5
    assert got["occlusion"].tolist() == [[-1, -1, 0, -1]]


def test_a_pixel_of_unknown_occlusion_ends_at_one_of_unknown_occlusion():
    got = reverse(pair(np.zeros((1, 3, 2)), None, [[-1, 0, 1]]))
    assert got["flow_known"].tolist() == [[True, True, False]]
    assert got["occlusion"].tolist() == [[-1, 0, -1]]


@pytest.mark.parametrize("flow", [(0, 0), (3, 1), (0.5, -0.5), (1.5, 2.5), (-2.7, 0.3)])
def test_a_constant_flow_comes_back_exactly(flow):
    example = pair(np.full((9, 11, 2), flow))
    once = reverse(example)
    twice = reverse(once)
    inside = np.s_[3:-3, 3:-3]
    assert once["flow_known"][inside].all()
    assert twice["flow_known"][inside].all()
    np.testing.assert_array_equal(once["flow"][inside], -example["flow"][inside])
    np.testing.assert_array_equal(twice["flow"][inside], example["flow"][inside])
    np.testing.assert_array_equal(twice["images"], example["images"])


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    seed=st.integers(0, 10**6),
    garbage=st.booleans(),
)
def test_it_equals_a_search_over_all_pixels(height, width, seed, garbage):
    generator = np.random.default_rng(seed)
    # Quarters of a pixel, so that ends lie between two pixels often.
    flow = generator.integers(-14, 15, (height, width, 2)) / 4
    known = generator.random((height, width)) < 0.7
    occlusion = generator.integers(-1, 2, (height, width))
    flow[~known] = generator.choice([np.nan, np.inf, -1e30]) if garbage else 0
    example = pair(flow, known, occlusion)
    before = {name: np.copy(value) for name, value in example.items()}
    got = reverse(example)
    for name, due in zip(("flow", "flow_known", "occlusion"), searched(example), strict=True):
        assert got[name].dtype == due.dtype
        np.testing.assert_allclose(got[name], due, rtol=1e-6, atol=1e-7)
    for name, value in before.items():
        np.testing.assert_array_equal(example[name], value)


def test_flows_far_out_and_not_finite_end_nowhere():
    flow = np.zeros((2, 3, 2))
    flow[0] = [[3e38, 0], [np.nan, 0], [np.inf, -np.inf]]
    got = reverse(pair(flow))
    assert got["flow_known"].tolist() == [[False] * 3, [True] * 3]
    np.testing.assert_array_equal(got["flow"], 0)
