# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Foreign texts with nothing in them that is not seen."""

import unicodedata

# Controls, format characters (some turn the direction of writing), lone surrogates, line ends.
_UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


def visible(text: str) -> str:
    r"""Returns `text` with every character that is not seen written as `\u202e`.

    Line feeds and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(
        f"\\u{ord(one):04x}" if one not in "\n\t" and unicodedata.category(one) in _UNSEEN else one
        for one in text
    )
