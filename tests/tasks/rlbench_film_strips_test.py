# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Film strips: each panel is the picture of its keyframe, five in a row."""

import io

import numpy as np
import pytest
from perceiver_bench.tasks.rlbench.film_strips import film_strip
from perceiver_bench.tasks.rlbench.simulator import EmbeddedSimulator
from perceiver_bench.tasks.rlbench.simulator.replays import pictures, replay
from perceiver_bench.tasks.rlbench.simulator.task import above
from PIL import Image


@pytest.fixture(scope="module")
def simulator():
    simulator = EmbeddedSimulator(16, camera_names=(), backend="rays")
    yield simulator
    simulator.close()


def opened(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.mark.parametrize("count", [0, 1, 4, 7])
def test_panels(simulator, count):
    places = np.linspace(-0.2, 0.2, count)
    actions = np.array([[*above(np.array([0.2, y, 1.0])), 1.0, 1.0] for y in places])
    found = replay(simulator, "reach_target", 0, 1, actions.reshape(-1, 9))
    content = film_strip(simulator, found, "reach the red target", 60)
    assert content == film_strip(simulator, found, "reach the red target", 60)
    strip = opened(content)
    columns, rows = min(count + 1, 5), (count + 5) // 5
    assert strip.shape == (46 + rows * (60 + 18 + 6), max(columns * 66 + 6, 240), 3)
    for number, picture in enumerate(pictures(simulator, found.keyframes, 60)):
        row, column = divmod(number, 5)
        top, left = 46 + row * 84 + 18, 6 + column * 66
        np.testing.assert_array_equal(strip[top : top + 60, left : left + 60], picture)
    if count == 7:
        assert (strip[-66:, 6 + 3 * 66 :] == 250).all()


def test_the_instruction_is_part_of_it(simulator):
    found = replay(simulator, "reach_target", 0, 1, np.zeros((0, 9)))
    one, other = (opened(film_strip(simulator, found, text, 60)) for text in ("reach", "push"))
    assert (one[:46] != other[:46]).any()
    np.testing.assert_array_equal(one[46:], other[46:])
