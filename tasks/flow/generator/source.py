# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Generated pairs by number."""

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from perceiver_bench import api

from .scene import generate
from .textures import Textures


@dataclasses.dataclass(frozen=True)
class GeneratedSource:
    """Pairs that are drawn when they are asked for; a `Source`.

    Pair i depends on the fields and on i alone, never on what was drawn before or by whom, so
    several threads and processes may share the work. Splits of one seed have no pair in common.

    Attributes:
        config: what is drawn.
        textures: of the same split.
        size: height and width of the frames.
        num_pairs: how many pairs there are.
        seed: 0 or more.
        split: `train`, `validation` or another name.
    """

    config: api.GeneratorConfig
    textures: Textures
    size: tuple[int, int]
    num_pairs: int
    seed: int
    split: str

    def __len__(self) -> int:
        return self.num_pairs

    def __getitem__(self, index: int) -> api.Example:
        if not 0 <= index < self.num_pairs:
            raise IndexError(f"pair {index} of {self.num_pairs}")
        key = (self.seed, zlib.crc32(self.split.encode()), index)
        example = generate(self.config, self.textures, self.size, np.random.default_rng(key))
        return {**example, "name": f"{self.split}_{index:06d}"}

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """All that the pairs depend on, and its digest."""
        facts = {
            "generator": dataclasses.asdict(self.config),
            "textures": dict(self.textures.fingerprint),
            "size": list(self.size),
            "num_pairs": self.num_pairs,
            "seed": self.seed,
            "split": self.split,
        }
        text = json.dumps(facts, sort_keys=True)
        return {**facts, "sha256": hashlib.sha256(text.encode()).hexdigest()}
