# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What stands at a drawn episode: its instruction, and how far it is or how it ended."""

import textwrap

from PIL import Image, ImageDraw, ImageFont

BACKGROUND = (250, 250, 250)
_TEXT = (30, 30, 30)
_NOTE = (110, 110, 110)
_SUCCESS = (0, 120, 50)
_FAILURE = (190, 30, 30)
_FONT_SIZE = 14
_LINE = 18
_LEFT, _TOP, _BOTTOM = 8, 4, 6
_NUM_LINES = 2
# No letter is narrower, and lines of so few letters always fit.
_NARROWEST, _FEWEST = 2, 9


def caption(width: int, instruction: str, note: str, *, success: bool | None = None) -> Image.Image:
    """Returns a picture of an instruction over a note.

    Of an instruction that needs more than two lines the beginning is shown. The picture has
    an even height, as high as it needs.

    Args:
        width: in pixels.
        instruction: in words; any white space counts as one blank.
        note: one short line.
        success: colours the note as an outcome; None if it is none.
    """
    font = ImageFont.load_default(_FONT_SIZE)
    colour = _NOTE if success is None else _SUCCESS if success else _FAILURE
    told = _lines(instruction, font, width - 2 * _LEFT)
    lines = [*((line, _TEXT) for line in told), (note, colour)]
    picture = Image.new("RGB", (width, _TOP + len(lines) * _LINE + _BOTTOM), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    for number, (line, fill) in enumerate(lines):
        draw.text((_LEFT, _TOP + number * _LINE), line, fill, font=font)
    return picture


def _lines(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Returns the text in at most two lines, the longest that are no wider than `width`."""
    most = max(width // _NARROWEST, _FEWEST)
    text = " ".join(text[: _NUM_LINES * most + 1].split())
    for letters in range(most, _FEWEST - 1, -1):
        lines = textwrap.wrap(text, letters, max_lines=_NUM_LINES, placeholder=" …")
        if all(font.getlength(line) <= width for line in lines):
            return lines
    return lines
