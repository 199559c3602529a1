# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Configuration of networks over voxels that act as a robot's policy (PerAct)."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class VoxelInput:
    """A scene of `size`^3 voxels, what the robot knows of itself, and an instruction.

    The voxels' 10 channels are mapped to `channels`, and each `patch`^3 of them to one
    input of `channels` more, beside as many of proprioception. The words of the instruction,
    `num_tokens` vectors of `token_channels`, are inputs too. Positions are learned, those of
    the words with `positions_for_language` only: the released network has none.
    """

    size: int
    patch: int
    channels: int
    proprioception: int
    num_tokens: int
    token_channels: int
    positions_for_language: bool = False

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
