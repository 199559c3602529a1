# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""An episode as one picture: the start, and how each action ended."""

import io

from PIL import Image, ImageDraw, ImageFont

from .simulator import EmbeddedSimulator
from .simulator.captions import BACKGROUND, caption
from .simulator.replays import Replay, pictures

_IN_A_ROW = 5
# In fewer the outcome would not fit.
_LEAST_WIDTH = 240
_GAP = 6
_LABEL = 18
_FONT_SIZE = 12
_GREY = (110, 110, 110)


def film_strip(simulator: EmbeddedSimulator, replay: Replay, instruction: str, size: int) -> bytes:
    """Returns a PNG file: under instruction and outcome the start and the end of each action.

    Rows have five pictures. Equal inputs give equal bytes with the same version of Pillow.

    Args:
        simulator: whose last episode was the replay.
        replay: what is to be seen.
        instruction: in words; of a long one the beginning is shown.
        size: height and width of each picture in pixels.
    """
    columns = min(len(replay.keyframes), _IN_A_ROW)
    rows = -(-len(replay.keyframes) // _IN_A_ROW)
    width = max(columns * (size + _GAP) + _GAP, _LEAST_WIDTH)
    outcome = f"{replay.outcome}, {_count(replay.num_keyframes)}"
    title = caption(width, instruction, outcome, success=replay.success)
    strip = Image.new("RGB", (width, title.height + rows * (_LABEL + size + _GAP)), BACKGROUND)
    strip.paste(title, (0, 0))
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(_FONT_SIZE)
    for number, picture in enumerate(pictures(simulator, replay.keyframes, size)):
        row, column = divmod(number, _IN_A_ROW)
        left = _GAP + column * (size + _GAP)
        top = title.height + row * (_LABEL + size + _GAP)
        label = f"keyframe {number}" if number else "start"
        draw.text((left + 2, top + 1), label, _GREY, font=font)
        strip.paste(Image.fromarray(picture), (left, top + _LABEL))
    file = io.BytesIO()
    strip.save(file, "PNG", optimize=True)
    return file.getvalue()


def _count(number: int) -> str:
    return f"{number} keyframe{'' if number == 1 else 's'}"
