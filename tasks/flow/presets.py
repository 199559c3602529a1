# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The sizes of networks and the recipes of training that all tasks of optical flow share."""

import dataclasses

from perceiver_bench import api

# Table 16: each row's network, trained alike.
_PAPER = {
    "paper": "flow",
    "paper_apart": "flow_apart",
    "paper_pixels": "flow_pixels",
    "paper_pixels_apart": "flow_pixels_apart",
    "paper_convolution": "flow_conv",
    "paper_convolution_apart": "flow_conv_apart",
    "paper_light": "flow_light",
}

# Section H: 480 epochs of the 400,000 pairs of AutoFlow in batches of 512. How long the first
# phase takes is not said.
_PAPER_TRAINING = api.TrainConfig(
    steps=375_000,
    batch_size=512,
    optimizer=api.OptimizerConfig(name="lamb", learning_rate=4e-4, schedule="cosine"),
    log_every=100,
    evaluate_every=5000,
    checkpoint_every=1000,
)
_GPU_TRAINING = api.TrainConfig(
    steps=50_000,
    batch_size=16,
    optimizer=api.OptimizerConfig(
        name="adamw", learning_rate=4e-4, warmup_steps=1000, clip_norm=1.0
    ),
    log_every=100,
    evaluate_every=2500,
    checkpoint_every=1000,
)
_SMALL_TRAINING = api.TrainConfig(
    steps=6000,
    batch_size=16,
    optimizer=api.OptimizerConfig(
        name="adamw", learning_rate=1e-3, warmup_steps=200, clip_norm=1.0
    ),
    log_every=50,
    evaluate_every=1000,
    checkpoint_every=500,
)
_TINY_TRAINING = api.TrainConfig(
    steps=300,
    batch_size=16,
    optimizer=api.OptimizerConfig(name="adamw", learning_rate=3e-3, warmup_steps=30, clip_norm=1.0),
    evaluate_every=100,
    checkpoint_every=100,
)


# Tiles have to be larger than their overlap.
_TINY = api.flow_light(size=(32, 48), num_latents=16, latent_channels=64, num_layers=2, num_heads=4)


def _augmentation(size: tuple[int, int]) -> api.AugmentationConfig:
    """Returns RAFT's augmentation, its lengths in pixels scaled to crops of `size`."""
    whole = api.AugmentationConfig()
    share = min(size[0] / 368, 1.0)
    return dataclasses.replace(
        whole,
        eraser_size=tuple(share * side for side in whole.eraser_size),
        relative_translation=share * whole.relative_translation,
    )


def presets(mixture: str) -> dict[str, api.RunConfig]:
    """Returns the runs: the seven networks of Table 16, and others sized to train on less.

    They train on `mixture`, if the task has one. `medium` is the light network for one GPU,
    `small` for two processor cores within half an hour, `tiny` for tests and the demo.
    """

    def run(model: api.ModelConfig, training: api.TrainConfig) -> api.RunConfig:
        assert isinstance(model.input, api.FlowInput)
        size = model.input.size
        data = api.FlowData(size=size, mixture=mixture, augmentation=_augmentation(size))
        return api.RunConfig(model=model, data=data, train=training)

    return {
        **{name: run(api.preset(model), _PAPER_TRAINING) for name, model in _PAPER.items()},
        "medium": run(api.preset("flow_light"), _GPU_TRAINING),
        "small": run(api.preset("flow_light_small"), _SMALL_TRAINING),
        "tiny": run(_TINY, _TINY_TRAINING),
    }
