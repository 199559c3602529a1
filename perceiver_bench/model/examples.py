# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Random examples of the shapes that a network was made for; needs NumPy only."""

import numpy as np

from perceiver_bench.config import FlowInput, ImageInput, ModelConfig, MultimodalInput, TextInput


def random_batch(config: ModelConfig, size: int = 1) -> dict[str, np.ndarray]:
    """Returns `size` random examples of the network's own size, always the same.

    Text without padding; of the multimodal network all outputs, for no points are named.
    """
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal((size, *shape), dtype=np.float32)

    match config.input:
        case TextInput() as inputs:
            shape = (size, inputs.max_text_length)
            batch = {"inputs": rng.integers(0, inputs.vocab_size, shape, dtype=np.int32)}
            if config.num_tasks:
                batch["task"] = np.arange(size, dtype=np.int32) % config.num_tasks
            return batch
        case ImageInput() as inputs:
            return {"images": normal(*inputs.size, 3)}
        case FlowInput() as inputs:
            return {"images": np.tanh(normal(2, *inputs.size, 3))}
        case MultimodalInput() as inputs:
            return {
                "images": rng.random((size, *inputs.video_size, 3), dtype=np.float32),
                "audio": np.tanh(normal(inputs.audio_samples, 1)),
            }
