# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""From a pair of frames to arrays; in training through the two phases of the curriculum."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from perceiver_bench import api

from . import augmentation, reversal


@dataclasses.dataclass(frozen=True)
class BothWays:
    """Every pair of a source twice, once with `is_reversed`; a `Source`.

    What that means is for the phase to say: only the first feeds pairs in reverse.
    """

    source: api.Source

    def __len__(self) -> int:
        return 2 * len(self.source)

    def __getitem__(self, index: int) -> api.Example:
        return {**self.source[index // 2], "is_reversed": bool(index % 2)}

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """That of the source."""
        return self.source.fingerprint


def preprocess(config: api.FlowData, assets: Mapping[str, bytes]) -> api.Prepare:
    """Returns the function from a raw example to arrays.

    H x W are those of `config.size` in training and the pictures' own in evaluation. The
    arrays: `images` float32 [2, H, W, 3] in [-1, 1]; `flow` float32 [H, W, 2] in pixels;
    `flow_known` bool [H, W]; `occlusion`, `foreground` and `invalid` int8 [H, W], -1 where
    not known.

    Raises:
        UserError: for a `plain_share` that is no share.
    """
    del assets
    if not 0 <= config.plain_share <= 1:
        raise api.UserError(f"--set=data.plain_share={config.plain_share}: 0 to 1 is due")
    return functools.partial(_prepare, config)


def _prepare(
    config: api.FlowData, example: api.Example, generator: np.random.Generator | None
) -> api.Arrays:
    if generator is not None:
        strength = _strength(config, example["progress"])
        if strength is None:
            # Evaluation's pairs come one way only.
            if example.get("is_reversed"):
                example = reversal.reverse(example)
            example = augmentation.crop(example, config.size, generator)
        else:
            example = augmentation.augment(
                example, config.augmentation, config.size, strength, generator
            )
    size = example["images"].shape[1:3]
    return {
        "images": example["images"].astype(np.float32) / np.float32(127.5) - np.float32(1),
        # Pairs of test sets have no truth.
        "flow": example.get("flow", np.zeros((*size, 2), np.float32)),
        "flow_known": example.get("flow_known", np.zeros(size, bool)),
        "occlusion": example.get("occlusion", np.full(size, -1, np.int8)),
        "foreground": example.get("foreground", np.full(size, -1, np.int8)),
        "invalid": example.get("invalid", np.full(size, -1, np.int8)),
    }


def _strength(config: api.FlowData, progress: float) -> float | None:
    """Returns how strong augmentation is at a share of the run; None in the first phase."""
    if progress < config.plain_share or config.plain_share == 1:
        return None
    return (progress - config.plain_share) / (1 - config.plain_share)
