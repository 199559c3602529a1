# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.flow import colours, pictures
from PIL import Image


def colour(u, v, maximum=1.0):
    return tuple(map(int, colours.flow_colours(np.array([[[u, v]]], np.float32), maximum)[0, 0]))


def published_colour(u, v, wheel):
    """Returns the colour of a vector of speed up to 1 by the benchmark's steps, in floats."""
    angle = math.atan2(-v, -u) / math.pi
    place = (angle + 1) / 2 * (len(wheel) - 1)
    before = int(place)
    after = (before + 1) % len(wheel)
    share = place - before
    speed = math.hypot(u, v)
    found = []
    for channel in range(3):
        full = (1 - share) * wheel[before][channel] / 255 + share * wheel[after][channel] / 255
        found.append(255 * (1 - speed * (1 - full) if speed <= 1 else 0.75 * full))
    return found


def test_the_wheel_is_the_published_one():
    wheel = colours.wheel()
    assert wheel.shape == (55, 3)
    assert len({tuple(entry) for entry in wheel.tolist()}) == 55
    corners = {0: (255, 0, 0), 15: (255, 255, 0), 21: (0, 255, 0)}
    corners |= {25: (0, 255, 255), 36: (0, 0, 255), 49: (255, 0, 255)}
    # The entries beside the corners, by integer division of 255 i by the steps.
    beside = {1: (255, 17, 0), 14: (255, 238, 0), 16: (213, 255, 0), 20: (43, 255, 0)}
    beside |= {22: (0, 255, 63), 26: (0, 232, 255), 35: (0, 24, 255), 37: (19, 0, 255)}
    beside |= {50: (255, 0, 213), 54: (255, 0, 43)}
    for place, entry in {**corners, **beside}.items():
        assert tuple(wheel[place]) == entry, place


def test_directions_by_hand():
    assert colour(0, 0) == (255, 255, 255)
    assert colour(1, 0) == (255, 0, 0)  # right
    assert colour(0, 1) == (255, 229, 0)  # down: entry 13.5, between green 221 and 238
    assert colour(-1, 0) == (0, 209, 255)  # left: entry 27
    assert colour(0, -1) == (88, 0, 255)  # up: entry 40.5, between red 78 and 98
    # Half the speed is half the way to white, and faster than the maximum is darker.
    assert colour(0.5, 0) == (255, 127, 127)
    assert colour(2, 0) == (191, 0, 0)
    assert colour(3, 0, maximum=6) == (255, 127, 127)


def test_a_negative_zero_is_a_zero():
    assert colour(1.0, -0.0) == colour(1.0, 0.0)
    assert colour(-0.0, 1.0) == colour(0.0, 1.0)


@settings(deadline=None)
@given(st.floats(-0.875, 0.875, width=32), st.floats(-0.875, 0.875, width=32))
def test_colours_are_the_published_ones(u, v):
    u, v = u + 0.0, v + 0.0
    expected = published_colour(u, v, colours.wheel().tolist())
    for ours, due in zip(colour(u, v), expected, strict=True):
        assert due - 1 - 1e-9 < ours <= due + 1e-9


def test_unknown_and_broken_pixels_are_black_and_alone():
    flow = np.array([[(1, 0), (1, 0), (np.nan, 0), (0, np.inf), (1e30, 0)]], np.float32)
    known = np.array([[True, False, True, True, True]])
    before = flow.copy()
    expected = [[255, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [191, 0, 0]]
    assert colours.flow_colours(flow, 1.0, known)[0].tolist() == expected
    expected[1] = [255, 0, 0]
    assert colours.flow_colours(flow, 1.0)[0].tolist() == expected
    np.testing.assert_array_equal(flow, before)


def example_of(size, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "images": rng.integers(0, 256, (2, *size, 3)).astype(np.uint8),
        "flow": (rng.normal(size=(*size, 2)) * 4).astype(np.float32),
        "flow_known": rng.random(size) < 0.6,
    }


def read(png):
    image = Image.open(io.BytesIO(png))
    assert (image.format, image.mode) == ("PNG", "RGB")
    return np.asarray(image)


def cells(picture, size, with_truth=True):
    """Returns the pictures of the cells, without titles and frames, at the frames' size."""
    factor = max(1, 240 // max(size))
    height, width = size[0] * factor + 24, max(size[1] * factor, 480) + 2
    assert picture.shape == (height * (2 if with_truth else 1), 2 * width, 3)
    found = []
    for top in range(0, picture.shape[0], height):
        for left in (0, width):
            cell = picture[top + 23 : top + height - 1, left + 1 : left + 1 + size[1] * factor]
            assert (cell == cell[::factor, ::factor].repeat(factor, 0).repeat(factor, 1)).all()
            found.append(cell[::factor, ::factor])
    return found


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (30, 40), (100, 500), (600, 20)])
def test_a_panel_holds_frame_flows_and_error(size):
    example = example_of(size)
    flow = example["flow"] + np.float32(0.5)
    before = {name: array.copy() for name, array in example.items()}
    frame, ours, truth, error = cells(read(pictures.panel(example, flow)), size)
    known = example["flow_known"]
    speeds = np.hypot(*np.moveaxis(example["flow"].astype(np.float64), -1, 0))[known]
    maximum = float(speeds.max()) if known.any() else 1.0
    np.testing.assert_array_equal(frame, example["images"][0])
    for picture, vectors, shown in ((ours, flow, None), (truth, example["flow"], known)):
        np.testing.assert_array_equal(picture, colours.flow_colours(vectors, maximum, shown))
    assert (error[~known] == 255).all()
    assert (truth[~known] == 0).all()
    assert not (error[known] == 255).all(-1).any()
    for name, array in before.items():
        np.testing.assert_array_equal(example[name], array)


def test_the_error_grows_from_dark_to_yellow():
    example = example_of((4, 300))
    example["flow_known"][:] = True
    flow = example["flow"].copy()
    flow[..., 0] += np.arange(300, dtype=np.float32)
    error = cells(read(pictures.panel(example, flow)), (4, 300))[3].astype(int)
    assert error[0, 0].tolist() == [68, 1, 84]
    assert error[0, 299].tolist() == error[0, 297].tolist() == [253, 231, 36]
    assert (np.diff(error[0, :, 1]) >= 0).all()


def test_a_pair_without_truth_has_one_row():
    example = {"images": example_of((50, 60))["images"]}
    flow = example_of((50, 60), seed=1)["flow"]
    frame, ours = cells(read(pictures.panel(example, flow)), (50, 60), with_truth=False)
    np.testing.assert_array_equal(frame, example["images"][0])
    speed = float(np.hypot(*np.moveaxis(flow.astype(np.float64), -1, 0)).max())
    np.testing.assert_array_equal(ours, colours.flow_colours(flow, speed))


def test_what_is_not_known_is_not_drawn_and_does_not_scale():
    example = example_of((20, 30))
    flow = example["flow"] * np.float32(0.5)
    clean = pictures.panel(example, flow)
    for junk in (np.nan, np.inf, 1e30):
        dirty = example | {"flow": example["flow"].copy()}
        dirty["flow"][~example["flow_known"]] = junk
        assert pictures.panel(dirty, flow) == clean


def test_a_broken_flow_is_drawn():
    example = example_of((20, 30))
    example["flow_known"][:] = True
    flow = example["flow"].copy()
    flow[3, 4] = np.nan
    flow[5, 6] = (np.inf, 0)
    _, ours, _, error = cells(read(pictures.panel(example, flow)), (20, 30))
    for y, x in ((3, 4), (5, 6)):
        assert ours[y, x].tolist() == [0, 0, 0]
        assert error[y, x].tolist() == [253, 231, 36]
    pictures.panel(example, np.full_like(flow, np.nan))


def test_no_known_pixel_no_motion_and_a_large_frame_are_drawn():
    example = example_of((20, 30))
    nothing = np.zeros((20, 30, 2), np.float32)
    unknown = example | {"flow_known": np.zeros((20, 30), bool)}
    _, ours, truth, error = cells(read(pictures.panel(unknown, nothing)), (20, 30))
    assert (ours == 255).all()
    assert (truth == 0).all()
    assert (error == 255).all()
    pictures.panel(example | {"flow": nothing}, nothing)
    large = example_of((1, 1280))
    large = {name: array.repeat(540, axis=-3 + (array.ndim < 3)) for name, array in large.items()}
    cells(read(pictures.panel(large, large["flow"])), (540, 1280))


def test_titles_are_there_and_bytes_are_equal():
    example = example_of((40, 60))
    first, second = (pictures.panel(example, example["flow"]) for _ in range(2))
    assert first == second
    picture = read(first)
    half = picture.shape[0] // 2, picture.shape[1] // 2
    for top in (0, half[0]):
        for left in (0, half[1]):
            title = picture[top : top + 22, left : left + half[1]]
            assert (title == 0).all(-1).sum() > 50
            assert (title[:, -1] == 255).all()  # it ends within the cell
    other = read(pictures.panel(example, example["flow"] + np.float32(1)))
    assert (picture[half[0] : half[0] + 22] != other[half[0] : half[0] + 22]).any()


def test_a_flow_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"flow \(3, 4, 2\) for frames \(20, 30\)"):
        pictures.panel(example_of((20, 30)), np.zeros((3, 4, 2), np.float32))
