# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Configuration of networks over voxels that act as a robot's policy (PerAct)."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True, kw_only=True)
class InstructionEncoder:
    """A small Perceiver that reads an instruction as UTF-8 bytes, where there is no CLIP.

    Bytes with learned positions, `channels` wide, of which there are at most `max_length`.
    Its latents, through `num_layers` layers, stand where CLIP's words do.
    """

    max_length: int
    channels: int
    num_heads: int
    num_layers: int
    vocab_size: int = 262


@dataclasses.dataclass(frozen=True, kw_only=True)
class VoxelInput:
    """A scene of `size`^3 voxels, what the robot knows of itself, and an instruction.

    The voxels' 10 channels are mapped to `channels`, and each `patch`^3 of them to one
    input of `channels` more, beside as many of proprioception. The words of the instruction,
    `num_tokens` vectors of `token_channels`, are inputs too: they come from outside, or from
    the network's own `instruction_encoder`. Positions are learned, those of the words with
    `positions_for_language` only: the released network has none.
    """

    size: int
    patch: int
    channels: int
    proprioception: int
    num_tokens: int
    token_channels: int
    positions_for_language: bool = False
    instruction_encoder: InstructionEncoder | None = None

    def __post_init__(self) -> None:
        if self.patch < 1 or self.patch % 2 == 0:
            raise ValueError(f"patch={self.patch}: must be odd, so that it has a middle")
        if self.size < 1 or self.size % self.patch:
            raise ValueError(f"size={self.size} does not divide into patches of {self.patch}")

    @property
    def grid(self) -> int:
        """How many patches there are along each axis."""
        return self.size // self.patch


@dataclasses.dataclass(frozen=True, kw_only=True)
class VoxelActions:
    """What a gripper is to do next: the voxel to go to, how to turn, to hold, to avoid.

    A logit for each voxel; `num_rotations` for each of three angles and 2 for the gripper;
    2 for collisions. All but the first pass through a layer of `hidden_channels`.
    """

    num_rotations: int
    hidden_channels: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class VoxelData:
    """How demonstrations of a robot become examples, and how its agent is tried out.

    Training takes `num_demonstrations` of each of `tasks`, as often one task as another, and
    begins at every `every`-th step of each; with `repeat_keyframes` it repeats late keyframes
    as PerAct does, otherwise every transition comes once. A scene is what `cameras` of
    `image_size`^2 pixels see within `bounds` (lowest x, y, z, then highest, metres), in
    `size`^3 voxels. It is shifted by at most `max_shift` of the bounds' extent, and turned by
    at most `max_yaw` degrees.

    The instruction is embedded by CLIP, whose files `clip_weights` and `clip_tokenizer` name;
    or is up to `max_length` bytes; or, without `language`, nothing at all.

    An agent is tried in `num_episodes` of each task, in each `num_runs` times, and has
    `max_keyframes` keyframes for one. `protocol` says which checkpoint is tried: the last, or
    for each task the one that is best on the validation split, which is for you to name.
    """

    tasks: tuple[str, ...]
    size: int
    bounds: tuple[float, float, float, float, float, float] = (-0.3, -0.5, 0.6, 0.7, 0.5, 1.6)
    cameras: tuple[str, ...] = ("front", "left_shoulder", "right_shoulder", "wrist")
    image_size: int = 128
    num_demonstrations: int = 100
    every: int = 10
    repeat_keyframes: bool = True
    max_shift: float = 0.125
    max_yaw: float = 45.0
    language: Literal["clip", "bytes", "none"] = "clip"
    clip_weights: str = ""
    clip_tokenizer: str = ""
    max_length: int = 77
    num_episodes: int = 25
    num_runs: int = 1
    max_keyframes: int = 25
    protocol: Literal["final_checkpoint", "best_on_validation"] = "final_checkpoint"
