# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Random examples of the shapes that a network was made for; needs NumPy only."""

import numpy as np

from perceiver_bench.config import (
    FlowInput,
    ImageInput,
    ModelConfig,
    MultimodalInput,
    TextInput,
    VoxelInput,
)

# Four cameras of 128 x 128 see a grid of 100^3 voxels in PerAct: so many points for each
# voxel of a side of the grid.
_POINTS_PER_AREA = 4 * 128 * 128 / 100**2


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
        case VoxelInput() as inputs:
            num_points = round(_POINTS_PER_AREA * inputs.size**2)
            scene = {
                "points": rng.random((size, num_points, 3), dtype=np.float32),
                "colours": np.tanh(normal(num_points, 3)),
                "bounds": np.array([[0, 0, 0, 1, 1, 1]] * size, np.float32),
                "proprio": normal(inputs.proprioception),
            }
            encoder = inputs.instruction_encoder
            if encoder is None:
                return {**scene, "language": normal(inputs.num_tokens, inputs.token_channels)}
            shape = (size, encoder.max_length)
            return {
                **scene,
                "instruction": rng.integers(0, encoder.vocab_size, shape, dtype=np.int32),
                "instruction_mask": np.ones(shape, np.int32),
            }
