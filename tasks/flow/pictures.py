# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""One picture of a predicted flow: the frame, our flow, the truth and where they differ."""

import io

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from perceiver_bench import api

from .colours import flow_colours

# Smaller frames are enlarged to it, by whole pixels.
_LEAST_SIDE = 240
_LEAST_WIDTH = 480  # in which every title fits
_TITLE_HEIGHT = 22
_TEXT_SIZE = 13


def panel(example: api.Example, flow: np.ndarray) -> bytes:
    """Returns a PNG file: the first frame beside our flow; below, the truth beside the error.

    Both flows have one scale, up to the highest true speed; faster motion is darker. The
    error's scale ends where 99 % of the pixels are below; errors that are no number have the
    colour of its end. Pixels of unknown truth are black in the truth and white in the error.
    Without a truth the second row is left out, and the scale is that of our flow. Equal
    inputs give equal bytes.

    Args:
        example: `images` uint8 [2, H, W, 3]; and, where there is a truth, `flow` [H, W, 2] in
            pixels with `flow_known` bool [H, W].
        flow: our flow, [H, W, 2] in pixels.

    Raises:
        ValueError: if the flow is not of the frames' size.
    """
    frame = example["images"][0]
    if flow.shape != (*frame.shape[:2], 2):
        raise ValueError(f"flow {flow.shape} for frames {frame.shape[:2]}")
    if "flow" not in example:
        maximum = _highest_speed(flow)
        cells = [[("first frame", frame), _ours(flow, maximum)]]
    else:
        known = example["flow_known"]
        truth = np.where(known[..., None], example["flow"], np.nan)
        maximum = _highest_speed(truth)
        cells = [
            [("first frame", frame), _ours(flow, maximum)],
            [
                ("true flow, same colours (black: not known)", flow_colours(truth, maximum)),
                _error(flow, truth, known),
            ],
        ]
    rows = [np.concatenate([_cell(*cell) for cell in row], axis=1) for row in cells]
    file = io.BytesIO()
    Image.fromarray(np.concatenate(rows)).save(file, "PNG")
    return file.getvalue()


def _highest_speed(flow: np.ndarray) -> float:
    """Returns the highest speed in pixels among the finite vectors; 1 if nothing moves."""
    vectors = flow[np.all(np.isfinite(flow), axis=-1)].astype(np.float64)
    return float(np.hypot(*vectors.T).max(initial=0)) or 1.0


def _ours(flow: np.ndarray, maximum: float) -> tuple[str, np.ndarray]:
    return f"our flow (full colour at {maximum:.3g} px)", flow_colours(flow, maximum)


def _error(flow: np.ndarray, truth: np.ndarray, known: np.ndarray) -> tuple[str, np.ndarray]:
    """Returns title and colours of the end-point error."""
    difference = np.where(known[..., None], flow.astype(np.float64) - truth, 0)
    finite = np.all(np.isfinite(difference), axis=-1)
    error = np.hypot(*np.moveaxis(np.where(finite[..., None], difference, 0), -1, 0))
    measured = error[known & finite]
    end = float(np.percentile(measured, 99)) if measured.size else 0.0
    end = end or 1.0
    shades = np.where(finite, np.minimum(error / end, 1), 1)
    colours = matplotlib.colormaps["viridis"](shades, bytes=True)[..., :3]
    mean = f"{measured.mean():.3g}" if known.any() and finite.all() else "undefined"
    title = f"end-point error: mean {mean} px, yellow from {end:.3g} px (white: not known)"
    return title, np.where(known[..., None], colours, 255).astype(np.uint8)


def _cell(title: str, picture: np.ndarray) -> np.ndarray:
    """Returns the picture under its title, uint8 [height, width, 3], on white."""
    factor = max(1, _LEAST_SIDE // max(picture.shape[:2]))
    picture = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    height, width = picture.shape[:2]
    cell = Image.new("RGB", (max(width, _LEAST_WIDTH) + 2, height + _TITLE_HEIGHT + 2), "white")
    font = ImageFont.load_default(_TEXT_SIZE)
    ImageDraw.Draw(cell).text((3, 3), title, fill="black", font=font)
    cell.paste(Image.fromarray(picture), (1, _TITLE_HEIGHT + 1))
    return np.asarray(cell)
