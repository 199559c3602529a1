# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Networks of robots and the recipes that train them."""

import dataclasses
from typing import Any, Literal

from perceiver_bench import api

PERACT_TASKS = (
    "open_drawer",
    "slide_block_to_color_target",
    "sweep_to_dustpan_of_size",
    "meat_off_grill",
    "turn_tap",
    "put_item_in_drawer",
    "close_jar",
    "reach_and_drag",
    "stack_blocks",
    "light_bulb_in",
    "put_money_in_safe",
    "place_wine_at_rack_location",
    "put_groceries_in_cupboard",
    "place_shape_in_shape_sorter",
    "push_buttons",
    "insert_onto_square_peg",
    "stack_cups",
    "place_cups",
)
"""The 18 tasks of PerAct's Table 1, in its order."""

_SMALL_TASKS = ("reach_target", "push_button", "slide_block_to_color_target")
# Where the embedded simulator's objects are and its gripper goes, with a little room.
_TABLE = (0.03, -0.3, 0.74, 0.45, 0.3, 1.07)


def _paper(**network: Any) -> api.RunConfig:
    """PerAct's Appendix B and its released configuration; evaluated as RVT did (Table I)."""
    data = api.VoxelData(tasks=PERACT_TASKS, size=100, num_runs=5)
    if "instruction_encoder" in network:
        data = dataclasses.replace(data, language="bytes")
    return api.RunConfig(
        model=api.peract(**network),
        data=data,
        train=api.TrainConfig(
            steps=600_000,
            batch_size=16,
            optimizer=api.OptimizerConfig(
                name="lamb", learning_rate=5e-4, schedule="constant", weight_decay=1e-6
            ),
            log_every=100,
            evaluate_every=10_000,
            checkpoint_every=10_000,
        ),
    )


def _small_network(
    *, size: int, channels: int, words: int, latents: int, layers: int
) -> api.ModelConfig:
    """A network of little depth and width, whose instructions are bytes; without dropout."""
    network = api.peract(
        size=size,
        patch=3,
        channels=channels,
        num_tokens=words,
        token_channels=4 * channels,
        instruction_encoder=api.InstructionEncoder(
            max_length=77, channels=4 * channels, num_heads=4, num_layers=layers
        ),
        num_latents=latents,
        latent_channels=6 * channels,
        num_layers=layers,
        num_heads=4,
        head_channels=24,
        hidden_channels=6 * channels,
    )
    return dataclasses.replace(network, attention_dropout=0.0)


def _small(language: Literal["bytes", "none"]) -> api.RunConfig:
    """An agent for three tasks that two processor cores train in half an hour."""
    return api.RunConfig(
        model=_small_network(size=12, channels=32, words=16, latents=64, layers=3),
        data=api.VoxelData(
            tasks=_SMALL_TASKS,
            size=12,
            bounds=_TABLE,
            image_size=64,
            num_demonstrations=400,
            every=5,
            repeat_keyframes=False,
            # A ball and a button look alike from all sides: how the scene has turned, and the
            # gripper with it, could only be guessed.
            max_yaw=0.0,
            language=language,
            num_episodes=50,
        ),
        train=api.TrainConfig(
            steps=5000,
            batch_size=16,
            optimizer=api.OptimizerConfig(
                name="adamw",
                learning_rate=2e-3,
                warmup_steps=200,
                weight_decay=1e-6,
                clip_norm=1.0,
            ),
            log_every=50,
            evaluate_every=2500,
            checkpoint_every=500,
        ),
    )


def _tiny(**data: Any) -> api.RunConfig:
    """As much as a demonstration of the suite itself takes."""
    return api.RunConfig(
        model=_small_network(size=9, channels=8, words=8, latents=16, layers=1),
        data=api.VoxelData(
            **data,
            size=9,
            image_size=32,
            repeat_keyframes=False,
            language="bytes",
        ),
        train=api.TrainConfig(
            steps=300,
            batch_size=16,
            optimizer=api.OptimizerConfig(
                name="adamw", learning_rate=3e-3, warmup_steps=20, weight_decay=1e-6
            ),
            evaluate_every=300,
            checkpoint_every=100,
        ),
    )


EMBEDDED = {
    "small": _small("bytes"),
    "small_without_language": _small("none"),
    "tiny": _tiny(
        tasks=("slide_block_to_color_target",),
        bounds=_TABLE,
        num_demonstrations=16,
        num_episodes=8,
    ),
}
"""Of the embedded simulator."""

PERACT18 = {
    "paper": _paper(),
    "paper_language_positions": _paper(positions_for_language=True),
    "paper_bytes": _paper(instruction_encoder=api.INSTRUCTION_ENCODER),
    "tiny": _tiny(tasks=("push_buttons", "open_drawer"), num_demonstrations=4, num_episodes=2),
}
"""Of RLBench itself. `paper_bytes` is for machines without CLIP's weights, and ours."""
