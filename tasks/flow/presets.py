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
    steps=9_000,
    batch_size=32,
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


# Little motion but translation: a network that has to find out what motion is does so within
# some hundred steps where whole pictures move, and not within a thousand where they turn and grow.
_SMALL = api.flow_light(
    size=(32, 48), num_bands=8, num_latents=32, latent_channels=96, num_layers=2, num_heads=8
)
_EASY_PAIRS = api.GeneratorConfig(
    num_objects=(0, 2),
    translation=(0.0, 0.08),
    translation_power=1.0,
    rotation=(0.0, 2.0),
    scaling=(0.0, 0.03),
    shear=(0.0, 0.02),
    perspective=(0.0, 0.02),
    background_motion=(0.0, 1.0),
    deformation_probability=0.1,
    texture_zoom=(2.0, 4.0),
    motion_blur_probability=0.0,
    fog_probability=0.0,
    colour_probability=0.1,
    noise_probability=0.1,
)

# Tiles have to be larger than their overlap.
_TINY = api.flow_light(
    size=(32, 48), num_bands=8, num_latents=16, latent_channels=64, num_layers=2, num_heads=4
)


def _augmentation(size: tuple[int, int]) -> api.AugmentationConfig:
    """Returns RAFT's augmentation, its lengths in pixels scaled to crops of `size`."""
    whole = api.AugmentationConfig()
    share = min(size[0] / 368, 1.0)
    return dataclasses.replace(
        whole,
        eraser_size=tuple(share * side for side in whole.eraser_size),
        relative_translation=share * whole.relative_translation,
    )


def _with_pairs(run: api.RunConfig, **counts: int) -> api.RunConfig:
    """Returns the run with so many pairs of easy motion, most of the time as they are."""
    assert isinstance(run.data, api.FlowData)
    data = dataclasses.replace(run.data, generator=_EASY_PAIRS, plain_share=0.8, **counts)
    return dataclasses.replace(run, data=data)


def presets(mixture: str) -> dict[str, api.RunConfig]:
    """Returns the runs: the seven networks of Table 16, and others sized to train on less.

    They train on `mixture`, if the task has one. `medium` is the light network for one GPU,
    `small` for one processor core within half an hour, `tiny` for tests and the demo.
    """

    def run(model: api.ModelConfig, training: api.TrainConfig) -> api.RunConfig:
        assert isinstance(model.input, api.FlowInput)
        size = model.input.size
        data = api.FlowData(size=size, mixture=mixture, augmentation=_augmentation(size))
        return api.RunConfig(model=model, data=data, train=training)

    return {
        **{name: run(api.preset(model), _PAPER_TRAINING) for name, model in _PAPER.items()},
        "medium": run(api.preset("flow_light"), _GPU_TRAINING),
        "small": _with_pairs(run(_SMALL, _SMALL_TRAINING), num_pairs=20_000, num_held_out=200),
        "tiny": _with_pairs(run(_TINY, _TINY_TRAINING), num_pairs=2000, num_held_out=40),
    }
