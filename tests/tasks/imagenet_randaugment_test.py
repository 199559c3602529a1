# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""RandAugment's table of arguments, and what it draws."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.imagenet import randaugment
from scipy import stats

from perceiver_bench.errors import UserError

# The argument at magnitudes 0, 5 and 10, worked by hand.
ARGUMENTS = {
    "Rotate": (0, 15, 30),
    "Posterize": (0, 2, 4),
    "Solarize": (0, 128, 256),
    "SolarizeAdd": (0, 55, 110),
    "Color": (0.1, 1, 1.9),
    "Contrast": (0.1, 1, 1.9),
    "Brightness": (0.1, 1, 1.9),
    "Sharpness": (0.1, 1, 1.9),
    "ShearX": (0, 0.15, 0.3),
    "ShearY": (0, 0.15, 0.3),
    "TranslateX": (0, 50, 100),
    "TranslateY": (0, 50, 100),
    "Cutout": (0, 20, 40),
}
WITHOUT = {"AutoContrast", "Equalize", "Invert"}
WHOLE = {"Posterize", "Solarize", "SolarizeAdd", "Cutout"}
SIGNED = {"Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY"}


def image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(("name", "arguments"), ARGUMENTS.items(), ids=ARGUMENTS)
def test_the_argument_of_a_magnitude(name, arguments):
    argument = randaugment.OPERATIONS[name].argument
    np.testing.assert_allclose([argument(share) for share in (0, 0.5, 1)], arguments, rtol=1e-12)
    assert isinstance(argument(0.77), int) == (name in WHOLE)


def test_the_table_has_sixteen_operations_of_which_five_are_signed():
    assert set(randaugment.OPERATIONS) == WITHOUT | set(ARGUMENTS)
    assert {name for name, one in randaugment.OPERATIONS.items() if one.is_signed} == SIGNED
    assert {name for name, one in randaugment.OPERATIONS.items() if one.is_random} == {"Cutout"}


def test_every_operation_is_drawn_as_often_as_any_other_and_signs_are_even(monkeypatch):
    calls = []
    for name, operation in randaugment.OPERATIONS.items():

        def record(pixels, *arguments, name=name):
            calls.append((name, arguments))
            return pixels

        recorded = dataclasses.replace(operation, apply=record)
        monkeypatch.setitem(randaugment.OPERATIONS, name, recorded)
    randaugment.distort(image(2, 2), 16_000, 5, np.random.default_rng(3))
    names = [name for name, _ in calls]
    assert len(names) == 16_000
    counts = [names.count(name) for name in randaugment.OPERATIONS]
    assert stats.chisquare(counts).pvalue > 1e-3
    for name in SIGNED:
        values = [arguments[0] for called, arguments in calls if called == name]
        argument = ARGUMENTS[name][1]
        assert set(values) == {argument, -argument}
        assert stats.binomtest(values.count(argument), len(values)).pvalue > 1e-3
    unsigned = {arguments[0] for name, arguments in calls if name == "Color"}
    assert unsigned == {1.0}


def test_layers_follow_each_other(monkeypatch):
    only = {"Invert": randaugment.OPERATIONS["Invert"]}
    monkeypatch.setattr(randaugment, "OPERATIONS", only)
    for layers, due in [(0, image(5, 4)), (3, 255 - image(5, 4)), (4, image(5, 4))]:
        got = randaugment.distort(image(5, 4), layers, 5, np.random.default_rng(0))
        np.testing.assert_array_equal(got, due)


def test_the_generator_decides():
    def distorted(seed):
        return randaugment.distort(image(150, 140), 4, 5, np.random.default_rng(seed))

    np.testing.assert_array_equal(distorted(1), distorted(1))
    assert len({distorted(seed).tobytes() for seed in range(20)}) >= 15


def test_the_given_image_stays_as_it_is():
    pixels = image(30, 40)
    before = pixels.copy()
    randaugment.distort(pixels, 200, 5, np.random.default_rng(0))
    randaugment.distort(pixels[:, ::-1], 200, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(pixels, before)


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)) | st.just((500, 375)),
    st.floats(0, 10),
    st.sampled_from(sorted(randaugment.OPERATIONS)),
    st.integers(0, 2**32),
)
@settings(deadline=None)
def test_any_operation_keeps_the_shape_of_any_image(size, magnitude, name, seed):
    pixels = image(*size, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(randaugment, "OPERATIONS", {name: randaugment.OPERATIONS[name]})
        changed = randaugment.distort(pixels, 2, magnitude, np.random.default_rng(seed))
    assert changed.shape == pixels.shape
    assert changed.dtype == np.uint8


@pytest.mark.parametrize("magnitude", [-1, 10.5, float("nan")])
def test_a_magnitude_outside_the_table_is_refused(magnitude):
    with pytest.raises(UserError, match=r"randaugment_magnitude is .*; give one from 0 to 10"):
        randaugment.distort(image(2, 2), 4, magnitude, np.random.default_rng(0))
