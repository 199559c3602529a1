# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Flow of images of any size from a network of one size, by overlapping tiles.

Two protocols, for the paper's words and its released notebook differ:

`released`: the notebook's grid. Tiles follow one another with an overlap of 20 pixels; the
    last one is moved back to end at the image's edge.
`even`: "evenly spaced" (paper, appendix H). As few tiles, with the same least overlap, at equal
    distances to the pixel.

For Sintel (436x1024) both have six tiles of 368x496: rows 0 and 68, columns 0, 476, 528 or
0, 264, 528. Where the notebook computes a tile twice, as it does four times for an image of
just the tile's size, it is computed once.
"""

from collections.abc import Callable, Sequence

import numpy as np

from perceiver_bench import api

PROTOCOLS = ("released", "even")
MIN_OVERLAP = 20
"""The least overlap of neighbouring tiles in pixels, in both protocols."""


def tile_starts(
    size: tuple[int, int], tile: tuple[int, int], protocol: str
) -> list[tuple[int, int]]:
    """Returns the top left corners (y, x) of the tiles that cover an image, row by row.

    Args:
        size: height and width of the image. A side that is smaller than the tile's counts
            as the tile's, to which `predict` pads it.
        tile: height and width of the tiles.
        protocol: one of `PROTOCOLS`.

    Raises:
        UserError: for another protocol, or tiles that are not larger than the overlap.
    """
    if protocol not in PROTOCOLS:
        raise api.UserError(f"data.tiling={protocol!r}: it is {' or '.join(PROTOCOLS)}")
    if min(tile) <= MIN_OVERLAP:
        raise api.UserError(
            f"data.size=({tile[0]}, {tile[1]}): tiles overlap by {MIN_OVERLAP} pixels, so that both"
            " sides have to be larger"
        )
    along = _released if protocol == "released" else _even
    rows, columns = (along(max(size[i], tile[i]), tile[i]) for i in (0, 1))
    return [(y, x) for y in rows for x in columns]


def _released(size: int, tile: int) -> Sequence[int]:
    """Returns the starts along one side, in order and without duplicates."""
    last = size - tile
    # Some sizes let the tile before the last, too, run over the edge.
    return sorted({min(start, last) for start in range(0, size, tile - MIN_OVERLAP)})


def _even(size: int, tile: int) -> Sequence[int]:
    """Returns the starts along one side: the fewest that cover it, at equal distances."""
    last = size - tile
    gaps = -(-last // (tile - MIN_OVERLAP))
    return [last * i // gaps for i in range(gaps + 1)] if gaps else [0]


def tile_weights(tile: tuple[int, int]) -> np.ndarray:
    """Returns the weight [h, w] of a tile's pixels: their distance to its nearest edge.

    It is 1 at the edge, as in the released notebook.
    """
    rows, columns = (np.minimum(np.arange(side) + 1, side - np.arange(side)) for side in tile)
    return np.minimum(rows[:, None], columns[None, :])


def predict(
    images: np.ndarray,
    tile: tuple[int, int],
    protocol: str,
    network: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Returns the flow, float32 [H, W, 2] in pixels, averaged over tiles by their weights.

    Images smaller than the tile are padded below and on the right by their last row and
    column, so that no pixel moves, and the flow is cropped back.

    Args:
        images: the two frames, [2, H, W, 3].
        tile: the height h and the width w that the network takes.
        protocol: one of `PROTOCOLS`.
        network: `tiles [T, 2, h, w, 3] -> flow [T, h, w, 2]`, called once with all tiles.

    Raises:
        UserError: for another protocol, or tiles that are not larger than the overlap.
        ValueError: if the network's flow is of another shape.
    """
    size = images.shape[1:3]
    below, right = (max(tile[i] - size[i], 0) for i in (0, 1))
    starts = tile_starts((size[0], size[1]), tile, protocol)
    images = np.pad(images, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
    places = [np.s_[y : y + tile[0], x : x + tile[1]] for y, x in starts]
    flows = np.asarray(network(np.stack([images[:, *place] for place in places])))
    if flows.shape != (len(places), *tile, 2):
        raise ValueError(f"{len(places)} tiles of {tile} gave a flow {flows.shape}")
    weights = tile_weights(tile)[..., None].astype(np.float64)
    sums = np.zeros((*images.shape[1:3], 2))
    total = np.zeros((*images.shape[1:3], 1))
    for place, flow in zip(places, flows, strict=True):
        sums[place] += weights * flow
        total[place] += weights
    return (sums / total)[: size[0], : size[1]].astype(np.float32)
