# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A small made-up text in which every masked word can be guessed from the others."""

import json
import pathlib
import random

from perceiver_bench import api

_NAMES = ("anna", "berta", "clara", "dora", "emma", "flora", "greta", "helga")
_PLACES = ("the wood", "the town", "the lake", "the mill", "the hill", "the inn")
_THINGS = ("an apple", "a lamp", "a book", "a rope", "a basket", "a coin")
_NUM_STORIES = 400


def write_demo(folder: pathlib.Path, seed: int) -> None:
    """Writes `train/stories.jsonl` and `validation/stories.jsonl`, 400 and 40 stories.

    A story tells in four sentences who goes where with what, so that names, places and
    things come again and again. One seed gives one text.
    """
    rng = random.Random(seed)
    for split, count in (("train", _NUM_STORIES), ("validation", _NUM_STORIES // 10)):
        lines = [json.dumps({"text": _story(rng)}) for _ in range(count)]
        text = "".join(f"{line}\n" for line in lines)
        api.write_atomically(folder / split / "stories.jsonl", text.encode())


def _story(rng: random.Random) -> str:
    name, place, thing = rng.choice(_NAMES), rng.choice(_PLACES), rng.choice(_THINGS)
    return (
        f"One day {name} goes to {place} with {thing}. In {place} {name} looks at {thing}."
        f" There {name} leaves {thing}. Then {name} comes back from {place} without {thing}."
    )
