# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Captions: what fits is shown, what does not is cut, and nothing is slow."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.rlbench.simulator import captions
from PIL import ImageFont

LONG = "push the cyan button, then push the red button, then push the yellow button"


def ink(picture):
    """Gives which pixels are no background."""
    return (np.asarray(picture) != captions.BACKGROUND).any(axis=-1)


@pytest.mark.parametrize(
    ("text", "height"),
    [("", 28), (" \n\t", 28), ("open the top drawer", 46), (LONG, 64), (LONG * 9, 64)],
    ids=["empty", "white", "short", "long", "cut"],
)
def test_as_high_as_needed(text, height):
    picture = captions.caption(320, text, "start")
    assert picture.size == (320, height)
    assert ink(picture)[-24:].any()
    assert not ink(picture)[:, -8:].any()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.integers(150, 600))
def test_lines_fit_and_are_the_beginning(text, width):
    font = ImageFont.load_default(14)
    lines = captions._lines(text, font, width)
    assert len(lines) <= 2
    assert all(font.getlength(line) <= width for line in lines)
    told = "".join(text.split())
    shown = "".join("".join(lines).split())
    assert shown == told or (shown.endswith("…") and told.startswith(shown[:-1]))


def test_no_line_is_cut_without_need():
    font = ImageFont.load_default(14)
    assert " ".join(captions._lines(LONG, font, 304)) == LONG
    assert captions._lines(LONG, font, 600) == [LONG]


def test_a_text_of_a_megabyte_is_cut_first():
    begin = time.perf_counter()
    captions.caption(1000, "word " * 200_000, "start")
    captions.caption(1000, "w" * 1_000_000, "start")
    assert time.perf_counter() - begin < 10


def test_colours_of_the_note():
    grey, success, failure = (
        np.asarray(captions.caption(100, "", "note", success=one))[ink_mask].astype(int).mean(0)
        for one in (None, True, False)
        for ink_mask in [ink(captions.caption(100, "", "note", success=one))]
    )
    assert np.ptp(grey) < 1
    assert success[1] > success[0] + 20
    assert failure[0] > failure[1] + 20
