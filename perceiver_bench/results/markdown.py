# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Markdown tables from cells of any text."""

from collections.abc import Iterable, Sequence

from perceiver_bench.errors import UserError

ARROWS = {"higher": "↑", "lower": "↓"}


def digits(unit: str) -> int:
    """Returns how many decimals a number of this unit is shown with."""
    return 2 if unit in ("%", "x100", "dB") else 3


def heading(metric: str, unit: str, direction: str) -> str:
    """Returns a metric's name with its unit and an arrow to where it is better."""
    return f"{metric}{'' if unit == '1' else f' ({unit})'} {ARROWS[direction]}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table; no text of a cell is read as Markdown or HTML."""
    lines = [header, ("---",) * len(header), *(map(escape, cells) for cells in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def escape(text: str) -> str:
    """Keeps `text` from being read as Markdown table syntax, a link or HTML."""
    written = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "\\|", "](": "]\\("}
    for characters, replacement in written.items():
        text = text.replace(characters, replacement)
    return text


def replace_between(text: str, marker: str, new: str) -> str:
    """Returns `text` with `new` between `<!-- begin marker -->` and `<!-- end marker -->`.

    Raises:
        UserError: if one of the two stands there not exactly once, or in the wrong order.
    """
    begin, end = f"<!-- begin {marker} -->", f"<!-- end {marker} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise UserError(f"README.md: needs one {begin!r} and one {end!r} after it")
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n\n{new.strip()}\n\n{end}{tail}"
