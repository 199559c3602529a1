# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP's text transformer with its tokenizer: instructions in, embeddings out."""

import pathlib
from collections.abc import Sequence

import jax
import numpy as np
from flax import nnx

from perceiver_bench.data.clip_tokens import ClipTokenizer
from perceiver_bench.data.clip_vocabulary import read_tokenizer
from perceiver_bench.errors import UserError
from perceiver_bench.model.clip_text import ClipText
from perceiver_bench.model.weights import clip


class ClipEncoder:
    """Embeds texts, each once.

    Raises:
        UserError: if network and tokenizer differ in their vocabulary.
    """

    def __init__(self, network: ClipText, tokenizer: ClipTokenizer):
        self.config = network.config
        if tokenizer.vocab_size != self.config.vocab_size:
            raise UserError(
                f"the tokenizer has {tokenizer.vocab_size} tokens, CLIP's weights"
                f" {self.config.vocab_size}; take both of one release"
            )
        self._tokenizer = tokenizer
        structure, self._state = nnx.split(network)
        self._run = jax.jit(lambda state, ids: nnx.merge(structure, state)(ids))
        self._found: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the embeddings of the tokens [n, 77, 512] and of the texts [n, 1024], float32.

        Those are the sizes of RN50. PerAct's network takes the tokens. Text runs alone, so
        its embeddings do not depend on what else is asked for.

        Raises:
            UserError: for text that is far too long for an instruction.
        """
        for text in texts:
            if text not in self._found:
                self._found[text] = self._encode(text)
        found = [self._found[text] for text in texts]
        shape = (self.config.num_positions, self.config.channels)
        sentence_channels = self.config.projection_channels or self.config.channels
        return (
            np.array([tokens for tokens, _ in found], np.float32).reshape(-1, *shape),
            np.array([sentence for _, sentence in found], np.float32).reshape(
                -1, sentence_channels
            ),
        )

    def _encode(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        ids = self._tokenizer.encode(text, self.config.num_positions)
        # Exact products, so that a TPU gives the embeddings that a CPU gives.
        with jax.default_matmul_precision("highest"):
            tokens, sentence = self._run(self._state, ids[None])
        return np.asarray(tokens[0]), np.asarray(sentence[0])


def load_encoder(weights: pathlib.Path, tokenizer: pathlib.Path) -> ClipEncoder:
    """Returns the encoder of local files; `clip.load` and `read_tokenizer` say which.

    Raises:
        UserError: if one is missing, damaged or not CLIP's, or they do not fit together.
    """
    return ClipEncoder(clip.load(weights), read_tokenizer(tokenizer))
