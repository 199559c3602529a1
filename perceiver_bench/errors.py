# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Faults that the person at the keyboard can mend."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A fault in a flag, a file or a field, told in one line with its mend.

    The command line prints the message without a traceback and exits with code 2. The
    message names what is wrong (the flag, path or field) and what would be right.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns ` Did you mean X?` for the known name closest to `name`, or the names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Known: {', '.join(known)}." if known else ""
