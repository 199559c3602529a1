# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The 1,000 classes of ImageNet, in the order of their WordNet numbers.

A class is named by its wnid, `n` and eight digits. The label is the place of a class among
the sorted wnids; the devkit of the challenge numbers the classes otherwise. The names are the
first words of WordNet, told apart where two classes have the same.
"""

import pathlib
import re
from collections.abc import Sequence

import numpy as np

from perceiver_bench import api


def _read_table() -> tuple[tuple[str, ...], tuple[str, ...]]:
    table = pathlib.Path(__file__).with_name("classes.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    return tuple(wnid for wnid, _ in rows), tuple(name for _, name in rows)


WNIDS, NAMES = _read_table()
"""The wnids, sorted, and a short English name of each class; by label."""
_LABELS = {wnid: label for label, wnid in enumerate(WNIDS)}
_WNID = re.compile(r"n\d{8}", re.ASCII)


def label_of(wnid: str) -> int:
    """Returns the label of a class, from 0.

    Raises:
        UserError: for what is no wnid, and for a wnid of no class of ImageNet's 1,000.
    """
    return int(labels_of([wnid])[0])


def labels_of(wnids: Sequence[str], place: str = "") -> np.ndarray:
    """Returns the labels of classes, int32 [number of wnids].

    Args:
        wnids: to be looked up.
        place: what stands before the first one that is at fault, such as `val/`.

    Raises:
        UserError: naming the first that is no wnid, or no class of ImageNet's 1,000, and
            how many more there are.
    """
    strange = [wnid for wnid in wnids if wnid not in _LABELS]
    no_wnids = [wnid for wnid in strange if not _WNID.fullmatch(wnid)]
    if no_wnids:
        raise api.UserError(
            f"{place}{_counted(no_wnids)} no wnid: n and eight digits, as {WNIDS[0]} for"
            f" {NAMES[0]}; rename or remove what is no class of ImageNet"
        )
    if strange:
        raise api.UserError(
            f"{place}{_counted(strange)} none of ImageNet's 1,000 classes (tasks/imagenet/"
            "classes.tsv), though a wnid; remove what is no class of ImageNet"
        )
    return np.array([_LABELS[wnid] for wnid in wnids], np.int32)


def _counted(names: Sequence[str]) -> str:
    shown = names[0] if names[0].isprintable() else repr(names[0])
    return f"{shown:.80} and {len(names) - 1:,} more are" if len(names) > 1 else f"{shown:.80} is"
