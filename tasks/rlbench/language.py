# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Instructions as arrays for the network: CLIP's embeddings, bytes, or nothing."""

import functools
import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from perceiver_bench import api

Embed = Callable[[str], Mapping[str, np.ndarray]]
"""Returns the arrays of an instruction."""


@functools.cache
def embedding(config: api.VoxelData) -> Embed:
    """Returns what makes arrays of an instruction, as the configuration says.

    `clip` gives `language` float32 [77, 512]. `bytes` gives `instruction` int32
    [max_length], and `instruction_mask`, which is 1 where there is a byte; `none` gives the
    same, of an empty text.

    Raises:
        UserError: for CLIP's files, if they are not named, missing or damaged.
    """
    if config.language == "clip":
        return _by_clip(config)
    if config.language == "bytes":
        return functools.partial(_as_bytes, max_length=config.max_length)
    return lambda _: _as_bytes("", max_length=config.max_length)


def _by_clip(config: api.VoxelData) -> Embed:
    for field in ("clip_weights", "clip_tokenizer"):
        if not getattr(config, field):
            raise api.UserError(
                f"--set=data.{field}=FILE: name CLIP's file, or take a preset that reads bytes"
            )
    encoder = api.load_encoder(
        pathlib.Path(config.clip_weights), pathlib.Path(config.clip_tokenizer)
    )

    def embed(instruction: str) -> Mapping[str, np.ndarray]:
        words, _ = encoder.encode([instruction])
        return {"language": words[0]}

    return embed


def _as_bytes(instruction: str, *, max_length: int) -> Mapping[str, np.ndarray]:
    tokens = api.ByteTokenizer().encode(instruction)
    if len(tokens) > max_length:
        raise api.UserError(
            f"--set=data.max_length={max_length}: the instruction {instruction[:60]!r} has"
            f" {len(tokens)} bytes"
        )
    padding = (0, max_length - len(tokens))
    return {
        "instruction": np.pad(tokens, padding),
        "instruction_mask": np.pad(np.ones_like(tokens), padding),
    }
