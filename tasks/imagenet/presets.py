# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Networks of image classification and the recipes that train them."""

import dataclasses
from typing import Any

from perceiver_bench import api

# Section A.1: 110 epochs of 1,281,167 images, rounded down as in the original code.
_PAPER_TRAINING = api.TrainConfig(
    steps=1_281_167 * 110 // 1024,
    batch_size=1024,
    optimizer=api.OptimizerConfig(
        name="lamb",
        learning_rate=2e-3,
        schedule="flat_cosine",
        flat_fraction=0.5,
        weight_decay=0.1,
        clip_norm=10.0,
    ),
    label_smoothing=0.1,
    log_every=100,
    evaluate_every=5000,
    checkpoint_every=1000,
)


def _fine_tuning(learning_rate: float) -> api.TrainConfig:
    """Section A.2: 70,000 steps at one rate, then 61,000 of a cosine; 2e-4 for convolution."""
    optimizer = dataclasses.replace(
        _PAPER_TRAINING.optimizer, learning_rate=learning_rate, flat_fraction=70 / 131
    )
    return dataclasses.replace(_PAPER_TRAINING, steps=131_000, optimizer=optimizer)


def _adamw(*, epochs: float, batch_size: int, **others: int) -> api.TrainConfig:
    """Training of small networks from nothing."""
    return api.TrainConfig(
        epochs=epochs,
        batch_size=batch_size,
        optimizer=api.OptimizerConfig(
            name="adamw", learning_rate=1e-3, warmup_steps=100, weight_decay=0.05, clip_norm=1.0
        ),
        label_smoothing=0.1,
        **others,
    )


# What a network that trains for minutes still learns from.
_LIGHT = api.ImageAugmentation(
    crop_area=(0.6, 1.0), randaugment_layers=0, mixup_alpha=0.0, cutmix=False
)
# 10 to 40 thousand images, as of a subset of ten classes or of CIFAR-10, on two processor cores.
_SMALL = {"num_latents": 64, "latent_channels": 192, "num_blocks": 2, "num_layers": 3}
_TINY = {"num_latents": 16, "latent_channels": 64, "num_blocks": 2, "num_layers": 2}
_NETWORKS = {"": api.imagenet_fourier, "_learned": api.imagenet_learned}
_NETWORKS["_convolution"] = api.imagenet_conv


def _tiny_learned() -> api.ModelConfig:
    """Few positions with few channels: they have to be learned within minutes."""
    model = api.imagenet_learned(size=(24, 24), **_TINY)
    assert isinstance(model.input, api.ImageInput)
    position = api.LearnedPosition(channels=32, projected_channels=32)
    inputs = dataclasses.replace(model.input, channels=32, position=position)
    return dataclasses.replace(model, input=inputs)


def _run(model: api.ModelConfig, training: api.TrainConfig, **data: Any) -> api.RunConfig:
    assert isinstance(model.input, api.ImageInput)
    return api.RunConfig(
        model=model, data=api.ImageData(size=model.input.size, **data), train=training
    )


def _on_one_gpu(run: api.RunConfig) -> api.RunConfig:
    """The same in bfloat16, its batches of 1024 in 16 parts whose activations are recomputed."""
    model = dataclasses.replace(run.model, dtype="bfloat16", remat=True)
    return dataclasses.replace(
        run, model=model, train=dataclasses.replace(run.train, accumulation=16)
    )


def imagenet_presets() -> dict[str, api.RunConfig]:
    """Returns the runs of ImageNet: the rows of Table 7 with public recipes, and smaller ones.

    `paper...` are config A from nothing, `perceiver...` the first Perceiver trained alike,
    `fine_tuning...` config B from a checkpoint (`--init`) of other classes. `one_gpu...` is
    `paper...` on a single GPU, `small` for two processor cores and subsets of few classes,
    `tiny...` for the demo.
    """
    paper = {
        f"paper{kind}": _run(network(), _PAPER_TRAINING) for kind, network in _NETWORKS.items()
    }
    first = {
        f"perceiver{kind}": _run(api.perceiver(network()), _PAPER_TRAINING)
        for kind, network in _NETWORKS.items()
    }
    tiny = {
        "tiny": (api.imagenet_fourier(size=(32, 32), **_TINY), 25),
        "tiny_learned": (_tiny_learned(), 90),
        "tiny_convolution": (api.imagenet_conv(size=(32, 32), **_TINY), 10),
    }
    return {
        **paper,
        **first,
        "fine_tuning": _run(api.preset("imagenet_fourier_large"), _fine_tuning(2e-3)),
        "fine_tuning_convolution": _run(api.preset("imagenet_conv_large"), _fine_tuning(2e-4)),
        **{name.replace("paper", "one_gpu"): _on_one_gpu(run) for name, run in paper.items()},
        "small": _run(
            api.imagenet_conv(size=(64, 64), **_SMALL),
            _adamw(epochs=30, batch_size=128),
            augmentation=_LIGHT,
        ),
        **{
            name: _run(
                model,
                _adamw(epochs=epochs, batch_size=32, evaluate_every=500, checkpoint_every=500),
                augmentation=_LIGHT,
            )
            for name, (model, epochs) in tiny.items()
        },
    }


def cifar10_presets() -> dict[str, api.RunConfig]:
    """Returns the runs of CIFAR-10, which looks at whole pictures of 32x32 pixels.

    `small` is for two processor cores, `medium` for one GPU, `tiny` for the demo.
    """
    whole = {"central_share": 1.0}
    medium = api.imagenet_fourier(
        size=(32, 32), num_classes=10, num_latents=128, latent_channels=512, num_blocks=4
    )
    recipe = api.ImageAugmentation(crop_area=(0.3, 1.0), randaugment_layers=2)
    return {
        "small": _run(
            api.imagenet_conv(size=(32, 32), num_classes=10, **_SMALL),
            _adamw(epochs=30, batch_size=128),
            augmentation=_LIGHT,
            **whole,
        ),
        "medium": _run(
            dataclasses.replace(medium, dtype="bfloat16"),
            _adamw(epochs=200, batch_size=512),
            augmentation=recipe,
            **whole,
        ),
        "tiny": _run(
            api.imagenet_conv(size=(32, 32), num_classes=10, **_TINY),
            _adamw(epochs=20, batch_size=64),
            augmentation=_LIGHT,
            **whole,
        ),
    }
