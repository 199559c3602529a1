# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.flow import tiling

from perceiver_bench import errors

TILE = (368, 496)
SIDES = st.tuples(st.integers(1, 200), st.integers(1, 200))
TILES = st.tuples(st.integers(21, 80), st.integers(21, 80))


def sides(starts):
    """Returns the starts of the rows and those of the columns, of a full grid of them."""
    rows, columns = (sorted({start[i] for start in starts}) for i in (0, 1))
    assert starts == list(itertools.product(rows, columns))
    return rows, columns


@pytest.mark.parametrize(
    ("size", "protocol", "rows", "columns"),
    [
        ((436, 1024), "released", [0, 68], [0, 476, 528]),
        ((436, 1024), "even", [0, 68], [0, 264, 528]),
        ((375, 1242), "released", [0, 7], [0, 476, 746]),
        ((375, 1242), "even", [0, 7], [0, 373, 746]),
        ((384, 512), "released", [0, 16], [0, 16]),
        ((368, 496), "released", [0], [0]),
        ((368, 496), "even", [0], [0]),
        ((369, 496), "released", [0, 1], [0]),
        ((368, 497), "even", [0], [0, 1]),
        ((716, 972), "even", [0, 348], [0, 476]),
        ((716, 972), "released", [0, 348], [0, 476]),
        ((717, 973), "even", [0, 174, 349], [0, 238, 477]),
        # Here the notebook's tile before the last would run over the edge.
        ((700, 496), "released", [0, 332], [0]),
        ((1024, 436), "released", [0, 348, 656], [0]),
        ((1024, 436), "even", [0, 328, 656], [0]),
        ((1, 1), "even", [0], [0]),
    ],
)
def test_grids_by_hand(size, protocol, rows, columns):
    assert sides(tiling.tile_starts(size, TILE, protocol)) == (rows, columns)


@settings(deadline=None)
@given(SIDES, TILES, st.sampled_from(tiling.PROTOCOLS))
def test_tiles_cover_the_image_and_overlap(size, tile, protocol):
    starts = tiling.tile_starts(size, tile, protocol)
    assert len(set(starts)) == len(starts)
    for along, length, side in zip(sides(starts), size, tile, strict=True):
        last = max(length - side, 0)
        assert along[0] == 0
        assert along[-1] == last
        steps = np.diff(along)
        assert all(steps > 0)
        assert all(steps <= side - 20)
        # No fewer tiles would do.
        assert (len(along) - 1) * (side - 20) >= last > (len(along) - 2) * (side - 20)
        if protocol == "even":
            assert len(steps) == 0 or steps.max() - steps.min() <= 1
        else:
            assert all(steps[:-1] == side - 20)


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_the_released_grid_is_the_notebooks_where_that_fits(rows, columns):
    """The grid of the notebook, written out again, with what comes twice taken once."""
    size = (TILE[0] + rows, TILE[1] + columns)
    axes = []
    for length, side in zip(size, TILE, strict=True):
        axis = list(range(0, length, side - 20))
        axis[-1] = length - side
        assume(max(axis) == axis[-1])
        axes.append(sorted(set(axis)))
    assert tiling.tile_starts(size, TILE, "released") == list(itertools.product(*axes))


def test_what_cannot_be_tiled_is_told():
    with pytest.raises(errors.UserError, match=r"data.tiling='odd': it is released or even"):
        tiling.tile_starts((400, 500), TILE, "odd")
    for tile in ((20, 496), (368, 20)):
        with pytest.raises(errors.UserError, match=r"data.size=\(.*\): tiles overlap by 20 pixels"):
            tiling.tile_starts((400, 500), tile, "even")


def test_weights_by_hand():
    assert tiling.tile_weights((4, 5)).tolist() == [
        [1, 1, 1, 1, 1],
        [1, 2, 2, 2, 1],
        [1, 2, 2, 2, 1],
        [1, 1, 1, 1, 1],
    ]
    assert tiling.tile_weights(TILE).max() == 184


def images_of(size, seed=0):
    return np.random.default_rng(seed).random((2, *size, 3), np.float32)


def stitched_by_hand(images, tile, starts, network):
    """Returns the weighted mean over tiles by loops over tiles and their pixels."""
    height, width = images.shape[1:3]
    sums = [[[0.0, 0.0] for _ in range(width)] for _ in range(height)]
    total = [[0.0] * width for _ in range(height)]
    for top, left in starts:
        rows = [min(y, height - 1) for y in range(top, top + tile[0])]
        columns = [min(x, width - 1) for x in range(left, left + tile[1])]
        flow = network(images[:, rows][:, :, columns][None])[0]
        for i, j in itertools.product(range(tile[0]), range(tile[1])):
            y, x = top + i, left + j
            if y >= height or x >= width:
                continue
            weight = min(i + 1, tile[0] - i, j + 1, tile[1] - j)
            total[y][x] += weight
            for k in (0, 1):
                sums[y][x][k] += weight * float(flow[i, j, k])
    return np.array(sums) / np.array(total)[..., None]


def uneven_network(tiles):
    """A flow that differs between tiles where they overlap."""
    position = np.linspace(-3, 3, tiles.shape[2], dtype=np.float32)[None, :, None]
    return np.stack(
        [
            tiles[:, 0, ..., 0] + position,
            tiles[:, 1, ..., 2] * tiles.mean((1, 2, 3, 4))[:, None, None],
        ],
        axis=-1,
    )


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.tuples(st.integers(21, 40), st.integers(21, 40)),
    st.sampled_from(tiling.PROTOCOLS),
)
def test_the_flow_is_that_stitched_by_hand(size, tile, protocol):
    images = images_of(size)
    flow = tiling.predict(images, tile, protocol, uneven_network)
    starts = tiling.tile_starts(size, tile, protocol)
    expected = stitched_by_hand(images, tile, starts, uneven_network)
    assert flow.dtype == np.float32
    np.testing.assert_allclose(flow, expected, atol=1e-6)


SIZES = [(48, 64), (49, 64), (48, 65), (64, 48), (30, 40), (100, 30), (30, 100), (131, 97), (1, 1)]


@pytest.mark.parametrize("protocol", tiling.PROTOCOLS)
@pytest.mark.parametrize("size", SIZES)
def test_a_constant_has_no_seam(size, protocol):
    def network(tiles):
        return np.broadcast_to(np.float32([0.1, -7.3]), (*tiles.shape[:1], *tiles.shape[2:4], 2))

    flow = tiling.predict(images_of(size), (48, 64), protocol, network)
    np.testing.assert_array_equal(flow, np.broadcast_to(np.float32([0.1, -7.3]), (*size, 2)))


@pytest.mark.parametrize("protocol", tiling.PROTOCOLS)
@pytest.mark.parametrize("size", SIZES)
def test_every_pixel_keeps_its_place(size, protocol):
    """A network that reads the coordinates out of its frames."""
    images = np.zeros((2, *size, 3), np.float32)
    images[0, ..., 0] = np.arange(size[1])
    images[1, ..., 2] = np.arange(size[0])[:, None]

    def network(tiles):
        return np.stack([tiles[:, 0, ..., 0], tiles[:, 1, ..., 2]], axis=-1)

    flow = tiling.predict(images, (48, 64), protocol, network)
    np.testing.assert_array_equal(flow[..., 0], images[0, ..., 0])
    np.testing.assert_array_equal(flow[..., 1], images[1, ..., 2])


@pytest.mark.parametrize("protocol", tiling.PROTOCOLS)
@pytest.mark.parametrize(
    ("size", "count"), [((48, 64), 1), ((49, 64), 2), ((49, 65), 4), ((20, 30), 1), ((64, 48), 2)]
)
def test_the_network_gets_all_tiles_at_once(size, count, protocol):
    calls = []

    def network(tiles):
        calls.append(tiles.shape)
        assert tiles.dtype == np.float32
        return np.zeros((len(tiles), 48, 64, 2), np.float32)

    images = images_of(size)
    before = images.copy()
    tiling.predict(images, (48, 64), protocol, network)
    assert calls == [(count, 2, 48, 64, 3)]
    np.testing.assert_array_equal(images, before)


def test_small_images_are_padded_by_their_last_row_and_column():
    images = images_of((30, 40))
    seen = []

    def network(tiles):
        seen.append(tiles)
        return tiles[:, 0, ..., :2]

    flow = tiling.predict(images, (48, 64), "released", network)
    np.testing.assert_array_equal(flow, images[0, ..., :2])
    np.testing.assert_array_equal(seen[0][0, :, :30, :40], images)
    np.testing.assert_array_equal(seen[0][0, :, 30:, :40], images[:, -1:].repeat(18, 1))
    np.testing.assert_array_equal(seen[0][0, :, :, 40:], seen[0][0, :, :, 39:40].repeat(24, 2))


def test_a_flow_of_another_shape_is_refused():
    for shape in ((1, 48, 64, 2), (2, 64, 48, 2), (2, 48, 64), (2, 1, 1, 2)):
        with pytest.raises(ValueError, match=r"2 tiles of \(48, 64\) gave a flow"):
            tiling.predict(images_of((60, 64)), (48, 64), "even", lambda _, s=shape: np.zeros(s))


def test_a_broken_tile_is_seen():
    def network(tiles):
        flow = np.zeros((len(tiles), 48, 64, 2), np.float32)
        flow[1, 20, 20] = np.nan
        return flow

    flow = tiling.predict(images_of((60, 64)), (48, 64), "even", network)
    assert np.isnan(flow).any(-1).sum() == 1
    assert np.isnan(flow[12 + 20, 20]).all()
