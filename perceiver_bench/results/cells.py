# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A table as texts, for whatever writes it: Markdown, LaTeX, HTML."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Cells:
    """The texts of a table, none of them escaped.

    Attributes:
        header: the heads of the columns.
        rows: the cells of each row, as many as there are columns; the first names the row.
        notes: sentences without their full stop, to stand under the table.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
