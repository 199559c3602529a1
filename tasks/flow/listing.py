# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What the layouts of all data sets need: folders, numbered frames, and divisions.

What is missing between files that are there is an error that names it: a scene that was
unpacked in part would give a number over other pairs than the published one.
"""

import dataclasses
import pathlib
import re
from collections.abc import Sequence
from typing import NoReturn

from perceiver_bench import api

SPLITS = ("train", "validation", "all")
SPLITS_WITH_TEST = (*SPLITS, "test")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """The files of one pair of frames; those that are None are not there.

    Attributes:
        name: of the pair in its data set, such as `alley_1/frame_0001`.
        first: the frame that the flow belongs to.
        second: the frame that it leads to.
        flow: the truth; None in a test split.
        matched_flow: KITTI's second truth, known only where the second frame shows what
            the first does (flow_noc).
        occlusion: a mask of what the second frame does not show.
        invalid: a mask of pixels whose truth does not count.
        objects: a map of foreground objects, 0 where there is none.
    """

    name: str
    first: pathlib.Path
    second: pathlib.Path
    flow: pathlib.Path | None = None
    matched_flow: pathlib.Path | None = None
    occlusion: pathlib.Path | None = None
    invalid: pathlib.Path | None = None
    objects: pathlib.Path | None = None


def check_split(split: str, splits: Sequence[str]) -> None:
    """Raises UserError for a split that a data set has not."""
    if split not in splits:
        raise api.UserError(f"split {split!r}: this data set has {', '.join(splits)}")


def base_folder(
    root: pathlib.Path, names: Sequence[str], places: Sequence[str], layout: str
) -> tuple[pathlib.Path, pathlib.Path]:
    """Returns `root`, or the first of `names` in it, with the first of the places it has.

    Raises:
        UserError: if there is none, with the layout that is due.
    """
    if not root.is_dir():
        raise api.UserError(f"--data_dir={root}: no such folder; it should hold {layout}")
    for base in (root, *(root / name for name in names)):
        for place in places:
            if (base / place).is_dir():
                return base, base / place
    due = " or ".join(places)
    raise api.UserError(f"--data_dir={root}: it has no folder {due}; it should hold {layout}")


def subfolders(folder: pathlib.Path) -> set[str]:
    """Returns the names of the folders in one but for hidden ones, none if it is missing."""
    return {
        path.name for path in _entries(folder) if path.is_dir() and not path.name.startswith(".")
    }


def numbers(folder: pathlib.Path, pattern: str) -> set[int]:
    """Returns the numbers in a folder's file names that are of the pattern."""
    found = (re.fullmatch(pattern, path.name) for path in _entries(folder))
    return {int(match[1]) for match in found if match}


def sequence(folder: pathlib.Path, name: str, found: set[int]) -> dict[int, pathlib.Path]:
    """Returns the frames of a scene by number, from the lowest found to the highest.

    Args:
        folder: where they are.
        name: of a frame, with its number to be formatted in.
        found: the numbers that anything of the scene has.

    Raises:
        UserError: naming the first that is missing; of two at least.
    """
    first, last = min(found, default=1), max(found, default=1)
    return {i: due(folder / name.format(i)) for i in range(first, max(last, first + 1) + 1)}


def due(path: pathlib.Path) -> pathlib.Path:
    """Returns the path of a file that has to be there."""
    if not path.is_file():
        missing(path)
    return path


def missing(path: pathlib.Path) -> NoReturn:
    """Raises the UserError of a file or a folder that others make necessary."""
    raise api.UserError(f"{path}: it is missing; unpack the data set again")


def optional(path: pathlib.Path) -> pathlib.Path | None:
    """Returns the path if the file is there."""
    return path if path.is_file() else None


def divided(
    groups: Sequence[Sequence[Pair]], split: str, every: int, folder: pathlib.Path
) -> tuple[Pair, ...]:
    """Returns the pairs of a split, of which validation is each `every`th group.

    Raises:
        UserError: if there are none.
    """
    if split == "validation" and len(groups) < every:
        raise api.UserError(
            f"{folder}: the split 'validation' is every {every}th scene or pair, and there are"
            f" {len(groups)}; the split 'all' has them"
        )
    if split in ("train", "validation"):
        is_validation = split == "validation"
        groups = [g for i, g in enumerate(groups, 1) if (i % every == 0) == is_validation]
    return joined(groups, split, folder)


def joined(groups: Sequence[Sequence[Pair]], split: str, folder: pathlib.Path) -> tuple[Pair, ...]:
    """Returns all pairs of the groups; raises UserError if there are none."""
    pairs = tuple(pair for group in groups for pair in group)
    if not pairs:
        raise api.UserError(f"{folder}: it has no pairs for the split {split!r}")
    return pairs


def _entries(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise api.UserError(f"{folder}: cannot be read: {error.strerror or error}") from error
